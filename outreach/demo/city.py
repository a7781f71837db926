"""Loads the made-up city: generates its files once, and imports them as a bureau would."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from outreach.importing import import_file
from outreach.runtime import Runtime
from outreach.sample.generate import generate
from outreach.setup import ensure_catalogue, ensure_root
from outreach.statements.records import load_records


@dataclass(frozen=True, slots=True)
class City:
    """The loaded city: its top unit and where its files lie."""

    root: int
    folder: Path


IMPORTS = (
    ("org_units", "org_units*"),
    ("taxpayers", "taxpayers*"),
    ("persons", "persons*"),
    ("labels", "labels*"),
    ("attributes", "attributes*"),
)
RECORDS = ("tax_records.csv", "benefit_records.csv", "annual_records.csv")

_NAMES = {
    "org_units": "机构",
    "taxpayers": "纳税人",
    "persons": "人员与联系方式",
    "labels": "标签",
    "attributes": "属性",
    "tax_records.csv": "申报缴款",
    "benefit_records.csv": "优惠享受",
    "annual_records.csv": "年度数据",
}


async def load_city(rt: Runtime, taxpayers: int, seed: int, console: Console) -> City:
    """Generate the files, unless they are there from an earlier run, and import them all."""
    folder = rt.settings.var / "city" / f"{taxpayers}-{seed}"
    if not (folder / "manifest.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        generate(folder, taxpayers, seed)
    await ensure_catalogue(rt)
    root = await ensure_root(rt)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    notes: list[str] = []
    with Progress(*columns, console=console) as bars:
        for kind, pattern in IMPORTS:
            for path in sorted(folder.glob(pattern)):
                await _import(rt, kind, path, bars, notes)
        for name in RECORDS:
            if (folder / name).exists():
                task = bars.add_task(f"      {_NAMES[name]} {name}", total=None)
                await load_records(rt, folder / name, by="demo", progress=_show(bars, task))
    for note in notes:
        console.print(note, highlight=False)
    return City(root, folder)


async def _import(rt: Runtime, kind: str, path: Path, bars: Progress, notes: list[str]) -> None:
    task = bars.add_task(f"      {_NAMES[kind]} {path.name}", total=None)
    report = await import_file(rt, kind, path, by="demo", progress=_show(bars, task))
    bars.update(task, total=report.read, completed=report.read)
    if report.bad:
        notes.append(
            f"      {path.name}：{report.read:,} 行中 {report.bad} 行有问题，已列入 {report.errors_path}"
        )


def _show(bars: Progress, task: Any) -> Callable[[int, int | None], None]:
    def show(done: int, total: int | None) -> None:
        bars.update(task, completed=done, total=total)

    return show
