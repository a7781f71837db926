"""`outreach import`: files of taxpayers, labels and records."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from outreach.commands.running import console, run, tell
from outreach.importing import KINDS as IMPORT_KINDS
from outreach.importing import import_file
from outreach.runtime import Runtime

app = typer.Typer()


@app.command("import")
def import_(
    kind: Annotated[str, typer.Argument(help="、".join(IMPORT_KINDS))],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    mapping: Annotated[str, typer.Option(help="已保存的列对应关系的名称")] = "",
) -> None:
    """导入 CSV 或 Excel 文件；有问题的行写入报告，不影响其他行。"""

    async def work(rt: Runtime) -> None:
        with _bar() as bar:
            task = bar.add_task(f"导入 {file.name}", total=None)

            def show(done: int, total: int | None) -> None:
                bar.update(task, completed=done, total=total)

            report = await import_file(rt, kind, file, by="cli", mapping=mapping or None, progress=show)
        tell(
            f"读取 {report.read} 行：有效 {report.good}，问题 {report.bad}；"
            f"新增 {report.new}，变更 {report.changed}，无变化 {report.same}"
        )
        if report.bad:
            tell(f"问题行报告：{report.errors_path}")

    run(work)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
