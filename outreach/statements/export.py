"""Documents for post or hall: bundles by the unit that looks after the household, each with an index sheet.

The order of an export is written down before the first file; each bundle is written beside its place and then
moved there. An export that was broken off goes on where it stopped when it is started again.
"""

import asyncio
import io
import os
import re
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
import xlsxwriter
from pyroaring import BitMap

from outreach.db.sql import load_queries
from outreach.errors import Conflict, NotFound
from outreach.governance.audit import append_audit
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.labels.keys import label_key
from outreach.runtime import Runtime
from outreach.statements.documents import Document, open_document
from outreach.statements.drawing import start_executor
from outreach.statements.kinds import document_kind
from outreach.statements.pdf import set_paper
from outreach.statements.pdf_pages import Paper, write_papers

_SQL = load_queries(__file__)
ORDER = "导出清单.json"
_MOST = 500
_HEAD = ("序号", "文件编号", "版本", "名称", "纳税人识别号", "主管税务机关", "文件或起始页", "页数", "校验值")
Progress = Callable[[int, int], None]
Beside = Literal["none", "readers", "all"]
_MONGOLIAN = label_key("mongolian_reader")
_ELDERLY = (label_key("elderly"), label_key("special_care"))


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be exported; `merged`: one PDF per bundle instead of a ZIP of PDFs; `mongolian`: whose
    documents have Mongolian beside the Chinese (nobody's, those of households that read it, everybody's);
    `large`: whose are in large print (readers: the elderly and those in special care)."""

    kind: str
    year: int
    org_id: int
    round_id: int | None = None
    merged: bool = False
    mongolian: Beside = "none"
    large: Beside = "none"


@dataclass(frozen=True, slots=True)
class Exported:
    """What stands in the folder; `kept` bundles were there before."""

    documents: int
    bundles: int
    kept: int


async def export_documents(
    rt: Runtime, folder: Path, wish: Wish, *, by: str, processes: int = 1, progress: Progress | None = None
) -> Exported:
    """Write the newest documents of a kind and year under an org unit (and of a round) into a folder.

    `progress` is called with (documents, all) after each bundle. Raises NotFound for an unknown unit or when
    there is nothing to export, Conflict when the folder holds another export, SealBroken for an altered
    document.
    """
    document_kind(wish.kind)
    parts = await _order(rt, folder, wish)
    total, done, kept = sum(len(part["ids"]) for part in parts), 0, 0
    executor = start_executor(processes)
    try:
        for group in _chunks(parts, max(processes, 1)):
            made = await asyncio.gather(*(_bundle(rt, folder, wish, part, executor) for part in group))
            kept += made.count(False)
            done += sum(len(part["ids"]) for part in group)
            if progress is not None:
                progress(done, total)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
    async with rt.db.begin() as conn:
        detail = {**asdict(wish), "documents": total}
        await append_audit(conn, by, "statement.export", f"org_unit:{wish.org_id}", detail)
    return Exported(total, len(parts), kept)


async def _order(rt: Runtime, folder: Path, wish: Wish) -> Sequence[Mapping[str, Any]]:
    """The bundles in order, as they were fixed when the export was started."""
    path = folder / ORDER
    if path.exists():
        order = orjson.loads(path.read_bytes())
        if Wish(**order["wish"]) != wish:
            raise Conflict(f"{folder} 里是另一次导出，请换一个空目录。")
        parts: list[Mapping[str, Any]] = order["parts"]
        return parts
    unit = await rt.db.fetch_one(_SQL["unit"], {"org": wish.org_id})
    if unit is None:
        raise NotFound("没有这个机构，请核对机构编号。")
    params = {
        "kind": wish.kind,
        "year": wish.year,
        "path": unit["path"] + "%",
        "round": wish.round_id,
        "most": _MOST,
        "mongolian": wish.mongolian,
        "labelled": await _labelled(rt, [_MONGOLIAN]) if wish.mongolian == "readers" else [],
        "large": wish.large,
        "elderly": await _labelled(rt, _ELDERLY) if wish.large == "readers" else [],
    }
    rows = await rt.db.fetch(_SQL["plan"], params)
    if not rows:
        raise NotFound("没有可导出的文书：请先出具，或核对年度、机构和轮次。")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _put(path, orjson.dumps({"wish": asdict(wish), "parts": rows}))
    return rows


async def _labelled(rt: Runtime, keys: Sequence[str]) -> list[int]:
    """Who bears one of the labels."""
    async with rt.db.begin() as conn:
        sets = await SetCache().load(conn, keys)
    return list(BitMap.union(*(sets[key] for key in keys)))


async def _bundle(rt: Runtime, folder: Path, wish: Wish, part: Mapping[str, Any], executor: Executor) -> bool:
    """Write one bundle; False when it was there."""
    name = f"{part['code']}_{_plain(part['name'])}_{part['part']:04d}"
    target = folder / (name + (".pdf" if wish.merged else ".zip"))
    if target.exists():
        return False
    rows = await rt.db.fetch(_SQL["documents"], {"ids": part["ids"]})
    vault = open_vault(rt.settings)
    documents = [open_document(vault, row) for row in rows]
    make = merge_documents if wish.merged else zip_documents
    loop = asyncio.get_running_loop()
    beside, large = frozenset(part.get("mongolian", ())), frozenset(part.get("large", ()))
    body, sheet = await loop.run_in_executor(executor, make, documents, rt.settings.base_url, beside, large)
    if wish.merged:
        # First the sheet: whoever finds the bundle finds its index too.
        _put(folder / f"{name}_目录.xlsx", sheet)
    _put(target, body)
    return True


def zip_documents(
    documents: Sequence[Document],
    base_url: str,
    mongolian: Collection[int] = (),
    large: Collection[int] = (),
) -> tuple[bytes, bytes]:
    """A ZIP of one PDF each with the index sheet in it; and that sheet. `mongolian` are the documents that
    have it beside the Chinese, `large` those in large print. Pure."""
    out, rows = io.BytesIO(), []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        for number, one in enumerate(documents, start=1):
            name = f"{number:04d}_{one.content['issue']['number']}.pdf"
            paper = _paper(one, base_url, mongolian, large)
            bundle.writestr(name, write_papers([paper]))
            rows.append(_row(number, one, name, len(paper.sheet.pages)))
        sheet = index_sheet(rows)
        bundle.writestr("目录.xlsx", sheet)
    return out.getvalue(), sheet


def merge_documents(
    documents: Sequence[Document],
    base_url: str,
    mongolian: Collection[int] = (),
    large: Collection[int] = (),
) -> tuple[bytes, bytes]:
    """One PDF of all documents, and the index sheet with the page on which each begins; `mongolian` and
    `large` as above. Pure."""
    papers, rows, page = [], [], 1
    for number, one in enumerate(documents, start=1):
        paper = _paper(one, base_url, mongolian, large)
        papers.append(paper)
        rows.append(_row(number, one, page, len(paper.sheet.pages)))
        page += len(paper.sheet.pages)
    return write_papers(papers), index_sheet(rows)


def _paper(one: Document, base_url: str, mongolian: Collection[int], large: Collection[int]) -> Paper:
    return set_paper(one.content, one.digest, base_url, mongolian=one.id in mongolian, large=one.id in large)


def index_sheet(rows: Sequence[Sequence[str | int]]) -> bytes:
    """An Excel sheet; texts are written as strings, never as formulas (ASVS 5.0, 1.2.10)."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("目录")
        bold = book.add_format({"bold": True})
        sheet.write_row(0, 0, _HEAD, bold)
        for at, row in enumerate(rows, start=1):
            sheet.write_row(at, 0, row)
        sheet.set_column(1, 1, 20)
        sheet.set_column(3, 5, 30)
        sheet.freeze_panes(1, 0)
    return buffer.getvalue()


def _row(number: int, one: Document, place: str | int, pages: int) -> Sequence[str | int]:
    issue, payer = one.content["issue"], one.content["payer"]
    return (
        number, issue["number"], issue["version"], payer["name"], payer["tax_no"], payer["authority"], place,
        pages, one.digest,
    )  # fmt: skip


def _plain(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w（）-]", "_", name)[:60]


def _put(path: Path, body: bytes) -> None:
    """Whole or not at all, and for the owner only: amounts stand in it."""
    beside = path.with_name(path.name + ".part")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _chunks(parts: Sequence[Mapping[str, Any]], size: int) -> list[Sequence[Mapping[str, Any]]]:
    return [parts[first : first + size] for first in range(0, len(parts), size)]
