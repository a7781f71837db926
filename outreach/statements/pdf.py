"""The yearly bill as PDF: what the page shows, in the same order, with digest and QR code.

One weight of Noto Sans SC (OFL) is embedded as a subset; text can be searched and copied.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import segno

from outreach.statements.money import yuan
from outreach.statements.pdf_sheet import ACCENT, GOOD, LEFT, MUTED, RIGHT, WASH, Sheet, text_width

Content = Mapping[str, Any]
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
_SIDE = 76.0


def check_address(base_url: str, digest: str) -> str:
    """Where a printed statement is checked: a digest of 256 bits, no personal data."""
    return f"{base_url}/check?d={digest}"


def render_pdf(content: Content, digest: str, base_url: str) -> bytes:
    """The PDF of a frozen content; `digest` is its SHA-256 in hex (64 digits)."""
    sheet = Sheet()
    title = f"{content['year']} 年度纳税缴费账单"
    _header(sheet, content, title)
    for part in (_person, _paid, _spared, _others, _unclaimed, _credit, _due):
        part(sheet, content)
    _genuine(sheet, content, digest, check_address(base_url, digest))
    issue = content["issue"]
    footer = (
        f"{issue['number']} 第 {issue['version']} 版    SHA-256 {digest[:16]}…    仅供参考，以申报数据为准"
    )
    return sheet.write(title, content["payer"]["authority"], footer)


def _header(sheet: Sheet, content: Content, title: str) -> None:
    sheet.box(3, color=ACCENT)
    sheet.space(14)
    sheet.put(content["payer"]["authority"], size=10, color=MUTED)
    sheet.put(_minutes(content["issue"]["at"]) + " 出具", x=RIGHT, size=9, color=MUTED, right=True)
    sheet.space(22)
    sheet.paragraph(title, size=21, bold=True, leading=1.4)
    sheet.space(6)
    sheet.paragraph(content["payer"]["name"], size=12.5, bold=True)
    sheet.paragraph(f"纳税人识别号 {content['payer']['tax_no']}", size=9, color=MUTED)
    issue = content["issue"]
    if issue["supersedes"]:
        reason = f"更正原因：{issue['reason']}" if issue["reason"] else ""
        sheet.paragraph(
            f"这是第 {issue['version']} 版，替代 {issue['supersedes']}。{reason}", size=9, color=ACCENT
        )
    sheet.space(8)


def _heading(sheet: Sheet, text: str, sum_: str = "", color: str = ACCENT) -> None:
    sheet.need(60)
    sheet.space(12)
    sheet.box(13, width=3, color=color)
    sheet.put(text, x=LEFT + 9, size=12.5, bold=True)
    if sum_:
        sheet.put(sum_, x=RIGHT, size=12.5, bold=True, color=color, right=True)
    sheet.space(24)


def _person(sheet: Sheet, content: Content) -> None:
    person = content["person"]
    if not person:
        return
    _heading(sheet, "您的综合所得", f"{_OUTCOMES[person['outcome']]} {_yuan(person['balance'])} 元", GOOD)
    for name, label in (("income", "收入额"), ("prepaid", "已预缴税额"), ("tax_due", "应纳税额")):
        _pair(sheet, label, _yuan(person[name]))
    sheet.paragraph("数字以您在个人所得税APP办理汇算清缴的结果为准。", size=8.5, color=MUTED)


def _pair(sheet: Sheet, label: str, value: str) -> None:
    sheet.need(17)
    sheet.put(label, size=10, color=MUTED)
    sheet.put(value, x=RIGHT, size=10, right=True)
    sheet.space(17)


def _paid(sheet: Sheet, content: Content) -> None:
    paid = content["paid"]
    if not paid["rows"]:
        return
    _heading(sheet, "您缴了多少", f"{_yuan(paid['total']['paid'])} 元")
    ends = [RIGHT - 90.0 * place for place in (3, 2, 1, 0)]
    for end, (_, label) in zip(ends, _COLUMNS, strict=True):
        sheet.put(label, x=end, size=8.5, color=MUTED, right=True)
    sheet.put("税费种", size=8.5, color=MUTED)
    sheet.space(15)
    for row in paid["rows"]:
        _tax_row(sheet, row["tax_type"], row, ends, bold=False)
    sheet.rule()
    sheet.space(3)
    _tax_row(sheet, "合计", paid["total"], ends, bold=True)
    sheet.paragraph(f"上年缴纳 {_yuan(paid['last_year'])} 元", size=8.5, color=MUTED)


def _tax_row(sheet: Sheet, name: str, row: Mapping[str, str], ends: Sequence[float], *, bold: bool) -> None:
    sheet.need(18)
    sheet.put(name, size=9.5, bold=bold)
    for end, (column, _) in zip(ends, _COLUMNS, strict=True):
        sheet.put(_yuan(row[column]), x=end, size=9.5, bold=bold, right=True)
    sheet.space(17)


def _spared(sheet: Sheet, content: Content) -> None:
    part = content["enjoyed"]["reduction"]
    if not part["lines"]:
        return
    _heading(sheet, "为您减免了多少", color=GOOD)
    sheet.box(62, color=WASH)
    sheet.space(10)
    sheet.put(_yuan(part["total"]), x=LEFT + 14, size=27, bold=True, color=GOOD)
    sheet.space(13)
    sheet.put("元", x=LEFT + 20 + text_width(_yuan(part["total"]), 27), size=12, color=GOOD)
    sheet.space(-13)
    sheet.put(f"上年 {_yuan(part['last_year'])} 元", x=RIGHT - 14, size=10, right=True)
    sheet.space(19)
    sheet.put(
        f"有记录以来累计 {_yuan(part['cumulative'])} 元", x=RIGHT - 14, size=10, color=MUTED, right=True
    )
    sheet.space(41)
    _lines(sheet, part["lines"])


def _others(sheet: Sheet, content: Content) -> None:
    for name, title, note in _PARTS:
        part = content["enjoyed"][name]
        if not part["count"]:
            continue
        _heading(sheet, title, f"{_yuan(part['total'])} 元")
        if note:
            sheet.paragraph(note, size=9, color=MUTED)
        _lines(sheet, part["lines"])


def _lines(sheet: Sheet, lines: Sequence[Content]) -> None:
    for line in lines:
        if line["count"]:
            _benefit(sheet, line)


def _benefit(sheet: Sheet, line: Content) -> None:
    small = partial(sheet.paragraph, x=LEFT + 9, width=RIGHT - LEFT - 9, size=8.5, leading=1.45)
    sheet.need(52)
    amount = f"{_yuan(line['amount'])} 元"
    sheet.put(amount, x=RIGHT, size=10.5, bold=True, right=True)
    sheet.paragraph(
        line["name"], x=LEFT + 9, width=RIGHT - LEFT - 30 - text_width(amount, 10.5), size=10.5, bold=True
    )
    small(f"{line['tax_type']} · {line['mode']} · {line['code']} · {line['count']} 笔", color=MUTED)
    for entry in line["entries"]:
        months = "、".join(f"{month // 100}-{month % 100:02d}" for month in entry["months"])
        small(f"{months}：{entry['formula']}")
    small(f"依据：{line['basis']}", color=MUTED)
    if "how_to" in line:
        small(f"怎么办：{line['how_to']}", color=ACCENT)
    small(line["caveat"], color=MUTED)
    sheet.space(7)


def _unclaimed(sheet: Sheet, content: Content) -> None:
    part = content["unclaimed"]
    if not part["lines"]:
        return
    total = f"预计 {_yuan(part['total'])} 元" if Decimal(part["total"]) else ""
    _heading(sheet, "您可能还可以享受", total)
    _lines(sheet, part["lines"])


def _credit(sheet: Sheet, content: Content) -> None:
    credit = content["credit"]
    if credit["grade"]:
        last = f"（上年 {credit['last_grade']} 级）" if credit["last_grade"] else ""
        _heading(sheet, "纳税信用级别", f"{credit['grade']} 级{last}")


def _due(sheet: Sheet, content: Content) -> None:
    _heading(sheet, "接下来要办的事")
    for due in content["due"]:
        day = date.fromisoformat(due["day"]) if due["day"] else None
        shown = f"{day:%Y-%m-%d}" if day else f"{due['month'] // 100}年{due['month'] % 100}月（以公布为准）"
        sheet.need(18)
        sheet.put(shown, size=10, bold=True)
        sheet.paragraph(due["what"], x=LEFT + 130, width=RIGHT - LEFT - 130, size=10)


def _genuine(sheet: Sheet, content: Content, digest: str, address: str) -> None:
    sheet.need(_SIDE + 44)
    _heading(sheet, "怎么核对这份账单是真的")
    # Any of the eight masks is readable; weighing them all costs more than the rest of the page.
    sheet.squares(segno.make_qr(address, error="m", mask=2).matrix, x=LEFT, side=_SIDE)
    top, x = sheet.y, LEFT + _SIDE + 16
    beside = partial(sheet.paragraph, x=x, width=RIGHT - x, size=9)
    beside("扫描二维码，或打开「真伪核验」页面，核对文件编号和校验值。税务机关不会向您索要银行卡号和密码。")
    issue = content["issue"]
    beside(
        f"文件编号 {issue['number']}    第 {issue['version']} 版    {_minutes(issue['at'])} 出具", color=MUTED
    )
    beside(
        "校验值（SHA-256）" + " ".join(digest[start : start + 8] for start in range(0, 64, 8)), color=MUTED
    )
    beside("仅供参考，以申报数据和主管税务机关核定为准。", color=MUTED)
    sheet.y = max(sheet.y, top + _SIDE)


def _minutes(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M")


def _yuan(text: str) -> str:
    return yuan(Decimal(text))
