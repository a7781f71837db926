"""A base register as an Excel file. Texts are written as strings, never as formulas (ASVS 5.0, 1.2.10)."""

import io
from collections.abc import Sequence

import xlsxwriter

from outreach.service.calls import name_of
from outreach.statements.register import REASONS, SOURCES, STATES, Row, Sums
from outreach.web.console.wording import moment

HEAD = (
    "户", "识别号", "主管机构", "状态", "消息已触达", "电话或上门", "结果", "联系时间", "未享受原因",
    "登记人", "登记时间", "登记方式", "状态变更时间",
)  # fmt: skip


def register_workbook(sums: Sums, rows: Sequence[Row], year: int) -> bytes:
    """Two sheets: the sums that agree, and one household a row."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False}) as book:
        bold, figure = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0"})
        front = book.add_worksheet("合计（户）")
        front.write_string(0, 0, f"{year} 年 {sums.name}", bold)
        parts = [("应享受", sums.entitled), *((STATES[state], n) for state, n in sums.by_state.items())]
        for at, (name, count) in enumerate([*parts, ("差额", sums.gap)], start=1):
            front.write_string(at, 0, name)
            front.write_number(at, 1, count, figure)
        front.set_column(0, 0, 36)
        sheet = book.add_worksheet("逐户")
        for column, name in enumerate(HEAD):
            sheet.write_string(0, column, name, bold)
        for at, row in enumerate(rows, start=1):
            for column, text in enumerate(_texts(row)):
                sheet.write_string(at, column, text)
        sheet.set_column(0, 2, 30)
        sheet.set_column(3, len(HEAD) - 1, 16)
        sheet.freeze_panes(1, 1)
    return buffer.getvalue()


def contact_of(row: Row) -> tuple[str, str]:
    """The last call or visit: its kind and its result, in Chinese; empty if there was none."""
    if not row.contact_kind or not row.contact_result:
        return "", ""
    return {"call": "电话", "visit": "上门"}[row.contact_kind], name_of(row.contact_kind, row.contact_result)


def _texts(row: Row) -> tuple[str, ...]:
    kind, result = contact_of(row)
    return (
        row.name,
        row.tax_no,
        row.org_name,
        STATES[row.state],
        "是" if row.was_reached else "否",
        kind,
        result,
        moment(row.contact_at) if row.contact_at else "",
        REASONS[row.reason] if row.reason else "",
        row.reason_by or "",
        moment(row.reason_at) if row.reason_at else "",
        SOURCES[row.reason_source] if row.reason_source else "",
        moment(row.changed_at),
    )
