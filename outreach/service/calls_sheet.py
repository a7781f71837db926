"""A list for an outbound-call system, one row a person with all her households, and its results.

The list holds telephone numbers: taking it is an audit event. Results come back as a workbook or CSV; rows
that cannot be taken are told with their number, the others are written down.
"""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import xlsxwriter

from outreach.clock import BEIJING, in_beijing
from outreach.db.sql import load_queries
from outreach.errors import OutreachError
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.vault import open_vault
from outreach.imports.blocks import read_table
from outreach.imports.mapping import Field
from outreach.imports.source import open_source
from outreach.runtime import Runtime
from outreach.service.calls import CALL_RESULTS
from outreach.service.worklists import Report, record_result

SQL = load_queries(__file__)

_MOST = 20_000
_HEAD = (
    "任务编号",
    "联系人",
    "手机号码",
    "涉及的户",
    "户数",
    "语言",
    "特殊关怀",
    "最迟",
    "结果",
    "回拨时间",
    "备注",
)
_LANGUAGES = {"zh": "汉语", "mn": "蒙古语", "en": "英语"}
_FIELDS = (
    Field("id", "任务编号", ("编号", "任务号"), required=True),
    Field("result", "结果", ("外呼结果", "通话结果"), required=True),
    Field("call_back_at", "回拨时间", ("约定时间", "约定回拨时间")),
    Field("note", "备注", ("说明",)),
)
_BY_NAME = {result.name: code for code, result in CALL_RESULTS.items()} | {
    code: code for code in CALL_RESULTS
}
_MOMENTS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not taken: its number in the file, and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a file of results: rows written down, rows without a result, rows that were refused."""

    good: int
    empty: int
    bad: tuple[BadRow, ...]


async def call_list(rt: Runtime, actor: Actor, day: datetime) -> bytes:
    """The calls of the scope that are due before a moment, as a workbook; at most 20,000."""
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        keys = {"path": actor.org_path, "day": day, "limit": _MOST}
        found = await (await conn.execute(SQL["callable"], keys)).fetchall()
        rows: list[Sequence[str | int]] = []
        for row in found:
            name = vault.decrypt("person", "name_enc", row["person_id"], row["name_enc"])
            mobile = vault.decrypt("address", "value_enc", row["address_id"], row["value_enc"])
            names = list(dict.fromkeys(one or name for one in row["names"]))
            care = "是" if row["special_care"] else ""
            due = f"{in_beijing(row['due_at']):%Y-%m-%d %H:%M}"
            language = _LANGUAGES[row["language"]]
            rows.append((row["id"], name, mobile, "、".join(names), len(row["names"]), language, care, due))
        await append_audit(conn, actor, "work.export", f"org:{actor.org_id}", {"rows": len(rows)})
    return await asyncio.to_thread(_workbook, rows)


async def take_results(rt: Runtime, actor: Actor, path: Path) -> Taken:
    """Write down the results that a file holds. Raises InvalidInput if it is no table of results."""
    source = await asyncio.to_thread(open_source, path, _FIELDS)
    good, empty, first = 0, 0, 1
    bad: list[BadRow] = []
    for block in source.blocks():
        table = read_table(block, source.layout)
        columns = [table.column(field.name) for field in _FIELDS]
        for at, cells in zip(table.rows, zip(*columns, strict=True), strict=True):
            if not cells[1]:
                empty += 1
                continue
            reason = await _take(rt, actor, *cells)
            if reason:
                bad.append(BadRow(first + at, reason))
            else:
                good += 1
        first += table.records
    return Taken(good, empty, tuple(bad))


async def _take(rt: Runtime, actor: Actor, number: str, result: str, call_back_at: str, note: str) -> str:
    """Why a row is refused; empty if it was taken."""
    if not number.isdecimal() or int(number) >= 2**31:
        return f"任务编号「{number[:20]}」不是数字"
    if result not in _BY_NAME:
        return f"没有结果「{result[:20]}」，可用：{'、'.join(one.name for one in CALL_RESULTS.values())}"
    moment = _moment(call_back_at)
    if call_back_at and moment is None:
        return "回拨时间应写作 2026-03-16 15:30"
    try:
        await record_result(rt, actor, int(number), Report(_BY_NAME[result], moment, note))
    except OutreachError as error:
        return error.message
    return ""


def _moment(text: str) -> datetime | None:
    for form in _MOMENTS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=BEIJING)
        except ValueError:
            continue
    return None


def _workbook(rows: Sequence[Sequence[str | int]]) -> bytes:
    """Texts are written as strings, never as formulas (ASVS 5.0, 1.2.10)."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("外呼名单")
        sheet.write_row(0, 0, _HEAD, book.add_format({"bold": True}))
        for at, row in enumerate(rows, start=1):
            sheet.write_row(at, 0, row)
        names = [result.name for result in CALL_RESULTS.values()]
        sheet.data_validation(1, 8, max(len(rows), 1), 8, {"validate": "list", "source": names})
        sheet.set_column(2, 3, 24)
        sheet.freeze_panes(1, 0)
    return buffer.getvalue()
