"""The parts of the yearly bill as PDF."""

from collections.abc import Mapping, Sequence

from outreach.statements.pdf_blocks import Content, put_heading, put_lines, put_pair, shown_yuan
from outreach.statements.pdf_sheet import GOOD, MUTED, WASH, Sheet, text_width

_OUTCOMES = {
    "refund": "可申请退税",
    "top_up": "需要补税",
    "exempt": "应补税额（可免予办理）",
    "even": "不补不退",
}
_PARTS = (
    ("refund", "退还给您的税款", ""),
    ("deduction", "您填报的扣除", "扣除额从应纳税所得额中减去，不等于退税额。"),
    ("timing", "推迟缴纳或提前扣除", "改变的是缴纳或扣除的时间，不是减免，没有计入上面的减免合计。"),
)
_COLUMNS = (("declared", "申报"), ("paid", "已缴"), ("refunded", "已退"), ("late_fee", "滞纳金"))


def put_person(sheet: Sheet, content: Content) -> None:
    """Income, prepaid and due tax of a natural person."""
    person = content["person"]
    if not person:
        return
    told = f"{_OUTCOMES[person['outcome']]} {shown_yuan(person['balance'])} 元"
    put_heading(sheet, "您的综合所得", told, GOOD, key="person_title")
    for name, label in (("income", "收入额"), ("prepaid", "已预缴税额"), ("tax_due", "应纳税额")):
        put_pair(sheet, label, shown_yuan(person[name]))
    sheet.paragraph("数字以您在个人所得税APP办理汇算清缴的结果为准。", size=8.5, color=MUTED)


def put_paid(sheet: Sheet, content: Content) -> None:
    """What was paid, by tax type."""
    paid = content["paid"]
    if not paid["rows"]:
        return
    put_heading(sheet, "您缴了多少", f"{shown_yuan(paid['total']['paid'])} 元", key="paid_title")
    ends = [sheet.right - 90.0 * place for place in (3, 2, 1, 0)]
    for end, (_, label) in zip(ends, _COLUMNS, strict=True):
        sheet.put(label, x=end, size=8.5, color=MUTED, right=True)
    sheet.put("税费种", size=8.5, color=MUTED)
    sheet.space(15)
    for row in paid["rows"]:
        _tax_row(sheet, row["tax_type"], row, ends, bold=False)
    sheet.rule()
    sheet.space(3)
    _tax_row(sheet, "合计", paid["total"], ends, bold=True)
    sheet.paragraph(f"上年缴纳 {shown_yuan(paid['last_year'])} 元", size=8.5, color=MUTED)


def _tax_row(sheet: Sheet, name: str, row: Mapping[str, str], ends: Sequence[float], *, bold: bool) -> None:
    sheet.need(18)
    sheet.put(name, size=9.5, bold=bold)
    for end, (column, _) in zip(ends, _COLUMNS, strict=True):
        sheet.put(shown_yuan(row[column]), x=end, size=9.5, bold=bold, right=True)
    sheet.space(17)


def put_spared(sheet: Sheet, content: Content) -> None:
    """What was reduced: the largest number, then each line."""
    part = content["enjoyed"]["reduction"]
    if not part["lines"]:
        return
    put_heading(sheet, "为您减免了多少", color=GOOD, key="spared_title")
    sheet.box(62, color=WASH)
    sheet.space(10)
    sheet.put(shown_yuan(part["total"]), x=sheet.left + 14, size=27, bold=True, color=GOOD)
    sheet.space(13)
    sheet.put("元", x=sheet.left + 20 + text_width(shown_yuan(part["total"]), 27), size=12, color=GOOD)
    sheet.space(-13)
    sheet.put(f"上年 {shown_yuan(part['last_year'])} 元", x=sheet.right - 14, size=10, right=True)
    sheet.space(19)
    since = f"有记录以来累计 {shown_yuan(part['cumulative'])} 元"
    sheet.put(since, x=sheet.right - 14, size=10, color=MUTED, right=True)
    sheet.space(41)
    put_lines(sheet, part["lines"])


def put_others(sheet: Sheet, content: Content) -> None:
    """Refunds, deductions and timing, each by itself."""
    for name, title, note in _PARTS:
        part = content["enjoyed"][name]
        if not part["count"]:
            continue
        put_heading(sheet, title, f"{shown_yuan(part['total'])} 元", key=f"{name}_title")
        if note:
            sheet.paragraph(note, size=9, color=MUTED)
        put_lines(sheet, part["lines"])
