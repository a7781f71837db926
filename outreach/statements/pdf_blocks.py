"""The building blocks that the PDFs of all kinds of documents share."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import segno

from outreach.statements.content import DIGESTS, digest_of
from outreach.statements.how_to import steps
from outreach.statements.money import yuan
from outreach.statements.pdf_sheet import ACCENT, MUTED, Sheet, text_width

Content = Mapping[str, Any]
STEPS = {"how_to": "怎么办", "by": "最迟", "how_to_late": "错过怎么办"}
WITHDRAWN = "这份文书已撤回，以前各版不再有效。如有疑问，请联系主管税务机关或拨打 12366。"
_SIDE = 76.0


def put_header(sheet: Sheet, content: Content, title: str) -> None:
    """Bureau, time, title, whose it is; of a correction what it replaces."""
    sheet.box(3, color=ACCENT)
    sheet.space(14)
    issue = content["issue"]
    as_of = f"数据截至 {issue['data_as_of']}    " if "data_as_of" in issue else ""
    times = f"{as_of}{_minutes(issue['at'])} 出具"
    if sheet.large:
        # No room for both on a line.
        sheet.paragraph(content["payer"]["authority"], size=10, color=MUTED)
        sheet.paragraph(times, size=9, color=MUTED)
        sheet.space(8)
    else:
        sheet.put(content["payer"]["authority"], size=10, color=MUTED)
        sheet.put(times, size=9, color=MUTED, right=True)
        sheet.space(22)
    sheet.paragraph(title, size=21, bold=True, leading=1.4, tag="H1")
    sheet.put_title_beside(f"title_{content['kind']}")
    sheet.space(6)
    sheet.paragraph(content["payer"]["name"], size=12.5, bold=True)
    sheet.put_draft_note()
    sheet.paragraph(f"纳税人识别号 {content['payer']['tax_no']}", size=9, color=MUTED)
    if issue["supersedes"]:
        reason = f"更正原因：{issue['reason']}" if issue["reason"] else ""
        sheet.paragraph(
            f"这是第 {issue['version']} 版，替代 {issue['supersedes']}。{reason}", size=9, color=ACCENT
        )
    sheet.space(8)


def put_withdrawn(sheet: Sheet, content: Content) -> None:
    """All that the version says which withdraws a document."""
    sheet.space(12)
    sheet.paragraph(WITHDRAWN, size=12.5)


def put_heading(
    sheet: Sheet, text: str, sum_: str = "", color: str = ACCENT, *, key: str = "", room: float = 60
) -> None:
    """A section's heading, with its sum at the right; `key` finds it in Mongolian, `room` is the height under
    which the section does not begin on this page."""
    sheet.need_section(room, key)
    sheet.space(12)
    sheet.box(13, width=3, color=color)
    sheet.put(text, x=sheet.left + 9, size=12.5, bold=True, tag="H2")
    sheet.put_heading_beside(key, color)
    if sum_:
        sheet.put(sum_, size=12.5, bold=True, color=color, right=True)
    sheet.space(24)


def put_pair(sheet: Sheet, label: str, value: str) -> None:
    """A label and its value, on a line of its own where both do not fit."""
    size = sheet.sized(10)
    is_wide = text_width(label, size) + text_width(value, size) + 12 > sheet.right - sheet.left
    sheet.need(32 if is_wide else 17)
    sheet.put(label, size=10, color=MUTED)
    sheet.space(15 if is_wide else 0)
    sheet.put(value, size=10, right=True)
    sheet.space(17)


def put_compared(sheet: Sheet, part: Content) -> None:
    """A part of the benefits last year and over all years."""
    last_year, cumulative = shown_yuan(part["last_year"]), shown_yuan(part["cumulative"])
    sheet.paragraph(f"上年 {last_year} 元；有记录以来累计 {cumulative} 元", size=9, color=MUTED)


def put_named_amount(sheet: Sheet, name: str, amount: str) -> None:
    """What a line is about, and at the right its amount, which may be empty."""
    wide = sheet.right - sheet.left - 30 - text_width(amount, sheet.sized(10.5))
    sheet.paragraph(name, x=sheet.left + 9, width=wide, size=10.5, bold=True)
    if amount:
        with sheet.beside_first_line():
            sheet.put(amount, size=10.5, bold=True, right=True)


def put_lines(sheet: Sheet, content: Content, lines: Sequence[Content]) -> None:
    """Benefits with formula, document and caveat; what was enjoyed last year only stands below them."""
    for line in lines:
        if line["count"]:
            _benefit(sheet, line, content["issue"]["at"])
    ended = [line for line in lines if not line["count"]]
    for line in ended:
        text = f"仅上年有：{line['name']}，{_before(line)}"
        sheet.paragraph(text, x=sheet.left + 9, size=8.5, color=MUTED)
    sheet.space(7 if ended else 0)


def _before(line: Content) -> str:
    return f"上年 {shown_yuan(line['last_year'])} 元，累计 {shown_yuan(line['cumulative'])} 元"


def _benefit(sheet: Sheet, line: Content, issued_at: str) -> None:
    small = partial(sheet.paragraph, x=sheet.left + 9, size=8.5, leading=1.45)
    sheet.need(52)
    put_named_amount(sheet, line["name"], f"{shown_yuan(line['amount'])} 元")
    # What was not claimed has no past.
    past = f" · {_before(line)}" if "last_year" in line else ""
    small(f"{line['tax_type']} · {line['mode']} · {line['code']} · {line['count']} 笔{past}", color=MUTED)
    for entry in line["entries"]:
        months = "、".join(f"{month // 100}-{month % 100:02d}" for month in entry["months"])
        small(f"{months}：{entry['formula']}")
    if "eligible" in line:
        small(f"适用条件：{line['eligible']}")
    for name, text in steps(line, issued_at):
        small(f"{STEPS[name]}：{text}", color=ACCENT)
    small(f"依据：{line['basis']}", color=MUTED)
    small(line["caveat"], color=MUTED)
    sheet.space(7)


def put_unclaimed(sheet: Sheet, content: Content) -> None:
    """What may still be claimed."""
    part = content["unclaimed"]
    if not part["lines"]:
        return
    total = f"预计 {shown_yuan(part['total'])} 元" if Decimal(part["total"]) else ""
    put_heading(sheet, "您可能还可以享受", total)
    put_lines(sheet, content, part["lines"])


def put_credit(sheet: Sheet, content: Content) -> None:
    """The credit grade."""
    credit = content["credit"]
    if credit["grade"]:
        last = f"（上年 {credit['last_grade']} 级）" if credit["last_grade"] else ""
        put_heading(sheet, "纳税信用级别", f"{credit['grade']} 级{last}", key="credit_title")


def put_due(sheet: Sheet, content: Content) -> None:
    """The coming obligations."""
    put_heading(sheet, "接下来要办的事", key="due_title")
    for due in content["due"]:
        shown = due["day"] or f"{due['month'] // 100}年{due['month'] % 100}月（以公布为准）"
        remark = "（遇法定节假日顺延，以公布为准）" if "statutory" in due else ""
        sheet.need(18)
        sheet.put(shown, size=10, bold=True)
        sheet.paragraph(due["what"] + remark, x=sheet.left + sheet.grown(130), size=10)


def put_genuine(sheet: Sheet, content: Content, digest: str, address: str) -> None:
    """How to check the document: QR code, number, digest."""
    put_heading(sheet, "怎么核对这份账单是真的", key="check_doc_title", room=_SIDE + 44)
    side = sheet.grown(_SIDE)
    # Any of the eight masks is readable; weighing them all costs more than the rest of the page.
    sheet.squares(
        segno.make_qr(address, error="m", mask=2).matrix,
        x=sheet.left,
        side=side,
        said=f"真伪核验二维码：{address}",
    )
    top = sheet.y
    beside = partial(sheet.paragraph, x=sheet.left + side + 16, size=9)
    beside("扫描二维码，或打开「真伪核验」页面，核对文件编号和校验值。税务机关不会向您索要银行卡号和密码。")
    issue = content["issue"]
    beside(
        f"文件编号 {issue['number']}    第 {issue['version']} 版    {_minutes(issue['at'])} 出具", color=MUTED
    )
    beside(
        f"校验值（{DIGESTS[digest_of(content)]}）"
        + " ".join(digest[start : start + 8] for start in range(0, 64, 8)),
        color=MUTED,
    )
    beside("仅供参考，以申报数据和主管税务机关核定为准。", color=MUTED)
    sheet.y = max(sheet.y, top + side)


def _minutes(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M")


def shown_yuan(text: str) -> str:
    """An amount's text with separators."""
    return yuan(Decimal(text))
