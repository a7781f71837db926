"""The parts of the yearly bill as PDF."""

from collections.abc import Mapping, Sequence

from outreach.statements.pdf_blocks import Content, put_compared, put_heading, put_lines, put_pair, shown_yuan
from outreach.statements.pdf_sheet import GOOD, INK, MUTED, WASH, Sheet, text_width
from outreach.statements.person import GOOD_OUTCOMES

_OUTCOMES = {
    "refund": "可申请退税",
    "top_up": "需要补税",
    "exempt": "应补税额（可免予办理）",
    "even": "不补不退",
    "partly": "还可申请退税",
    "refunded": "已退税",
    "paid_up": "已补税",
    "unsettled": "按现有数据应补（以汇算结果为准）",
}
_PARTS = (
    ("refund", "退还给您的税款", ""),
    ("deduction", "您填报的扣除", "扣除额从应纳税所得额中减去，不等于退税额。"),
    ("timing", "推迟缴纳或提前扣除", "改变的是缴纳或扣除的时间，不是减免，没有计入上面的减免合计。"),
)
_COLUMNS = (
    ("declared", "申报"),
    ("paid", "已缴"),
    ("refunded", "已退"),
    ("late_fee", "滞纳金"),
    ("last_year", "上年已缴"),
)
_ROW, _ZERO = 9.5, "0.00"


def put_person(sheet: Sheet, content: Content) -> None:
    """Income, prepaid and due tax of a natural person."""
    person = content["person"]
    if not person:
        return
    told = f"{_OUTCOMES[person['outcome']]} {shown_yuan(person['balance'])} 元"
    color = GOOD if person["outcome"] in GOOD_OUTCOMES else INK
    put_heading(sheet, "您的综合所得", told, color, key="person_title")
    before = content.get("person_last_year")
    for name, label in (("income", "收入额"), ("prepaid", "已预缴税额"), ("tax_due", "应纳税额")):
        was = f"（上年 {shown_yuan(before[name])} 元）" if before else ""
        put_pair(sheet, label, f"{shown_yuan(person[name])} 元{was}")
    # Documents of earlier versions do not say what came back.
    if person.get("refunded", "0.00") != "0.00":
        put_pair(sheet, "已退税额", f"{shown_yuan(person['refunded'])} 元")
    sheet.paragraph("数字以您在个人所得税APP办理汇算清缴的结果为准。", size=8.5, color=MUTED)


def put_paid(sheet: Sheet, content: Content) -> None:
    """What was paid, by tax type."""
    paid = content["paid"]
    if not paid["rows"]:
        return
    put_heading(sheet, "您缴了多少", f"{shown_yuan(paid['total']['paid'])} 元", key="paid_title")
    total = {**paid["total"], "last_year": paid["last_year"]}
    if sheet.large:
        for row in [*paid["rows"], {"tax_type": "合计", **total}]:
            _tax_pairs(sheet, row)
        return
    ends = _ends(sheet, [*paid["rows"], total])
    sheet.begin_table()
    sheet.begin_row()
    sheet.put("税费种", size=8.5, color=MUTED, tag="TH")
    for (_, label), end in zip(_COLUMNS, ends, strict=True):
        sheet.put(label, x=end, size=8.5, color=MUTED, right=True, tag="TH")
    sheet.space(15)
    for row in paid["rows"]:
        _tax_row(sheet, row["tax_type"], row, ends, bold=False)
    sheet.rule()
    sheet.space(3)
    _tax_row(sheet, "合计", total, ends, bold=True)


def _tax_pairs(sheet: Sheet, row: Mapping[str, str]) -> None:
    """One tax in large print, which has no room for columns; what is zero is left out."""
    sheet.need(50)
    sheet.paragraph(row["tax_type"], size=10.5, bold=True)
    for column, label in _COLUMNS:
        if column in ("declared", "paid") or row.get(column, _ZERO) != _ZERO:
            put_pair(sheet, label, f"{shown_yuan(row[column])} 元")
    sheet.rule()
    sheet.space(5)


def _ends(sheet: Sheet, rows: Sequence[Mapping[str, str]]) -> Sequence[float]:
    """Right ends of the columns, each as wide as its amounts, so that the name has the most room."""
    ends = [sheet.right]
    for column, _ in _COLUMNS[:0:-1]:
        ends.append(ends[-1] - max(42.0, *(text_width(_shown(row, column), _ROW) for row in rows)) - 16)
    return ends[::-1]


def _shown(row: Mapping[str, str], column: str) -> str:
    # Documents that were issued before do not compare tax by tax.
    return shown_yuan(row[column]) if column in row else ""


def _tax_row(sheet: Sheet, name: str, row: Mapping[str, str], ends: Sequence[float], *, bold: bool) -> None:
    first = text_width(_shown(row, _COLUMNS[0][0]), _ROW)
    sheet.begin_row()
    sheet.need(18)
    sheet.paragraph(name, width=ends[0] - first - sheet.left - 6, size=_ROW, bold=bold, leading=1.3, tag="TH")
    with sheet.beside_first_line():
        for (column, _), end in zip(_COLUMNS, ends, strict=True):
            sheet.put(_shown(row, column), x=end, size=_ROW, bold=bold, right=True, tag="TD")
    sheet.space(17 - _ROW * 1.3)


def put_spared(sheet: Sheet, content: Content) -> None:
    """What was reduced: the largest number, then each line."""
    part = content["enjoyed"]["reduction"]
    if not part["lines"]:
        return
    put_heading(sheet, "为您减免了多少", color=GOOD, key="spared_title")
    before = f"上年 {shown_yuan(part['last_year'])} 元"
    since = f"有记录以来累计 {shown_yuan(part['cumulative'])} 元"
    sheet.box(88 if sheet.large else 62, color=WASH)
    sheet.space(10)
    sheet.put(shown_yuan(part["total"]), x=sheet.left + 14, size=27, bold=True, color=GOOD)
    sheet.space(13)
    behind = sheet.left + 20 + text_width(shown_yuan(part["total"]), sheet.sized(27))
    sheet.put("元", x=behind, size=12, color=GOOD)
    if sheet.large:
        # Below the number: beside it there is no room.
        sheet.space(21)
        sheet.put(before, x=sheet.left + 14, size=10)
        sheet.space(17)
        sheet.put(since, x=sheet.left + 14, size=10, color=MUTED)
        sheet.space(35)
    else:
        sheet.space(-13)
        sheet.put(before, x=sheet.right - 14, size=10, right=True)
        sheet.space(19)
        sheet.put(since, x=sheet.right - 14, size=10, color=MUTED, right=True)
        sheet.space(41)
    put_lines(sheet, content, part["lines"])


def put_others(sheet: Sheet, content: Content) -> None:
    """Refunds, deductions and timing, each by itself."""
    for name, title, note in _PARTS:
        part = content["enjoyed"][name]
        if not part["lines"]:
            continue
        put_heading(sheet, title, f"{shown_yuan(part['total'])} 元", key=f"{name}_title")
        put_compared(sheet, part)
        if note:
            sheet.paragraph(note, size=9, color=MUTED)
        sheet.space(4)
        put_lines(sheet, content, part["lines"])
