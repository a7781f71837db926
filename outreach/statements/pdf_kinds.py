"""The parts of gift packs, check-ups and benefit bills as PDF."""

from functools import partial

from outreach.statements.how_to import steps
from outreach.statements.pdf_blocks import (
    STEPS,
    Content,
    put_compared,
    put_heading,
    put_lines,
    put_named_amount,
    put_pair,
    shown_yuan,
)
from outreach.statements.pdf_sheet import ACCENT, GOOD, MUTED, WARN, Sheet

_DELIVERIES = {
    "免申即享": "免申即享：无需申请",
    "申报享受": "申报享受：申报时填写",
    "申请": "申请享受：按期提出申请",
}
_STATES = {"enjoyed": "您已享受", "unclaimed": "您还没有享受", "entitled": "您可能符合条件"}
_FINDINGS = (("mend", "可以改进", WARN), ("note", "值得留意", ACCENT), ("good", "状况良好", GOOD))
_TREATMENTS = {
    "refund": "退税",
    "exemption": "免征",
    "reduction": "减征",
    "deferral": "缓缴（到期须缴纳，不是减免）",
    "timing": "提前扣除（时间性，不是减免）",
    "deduction": "扣除（不等于退税额）",
}


def put_pack(sheet: Sheet, content: Content) -> None:
    """The benefits of a pack by way of delivery."""
    sheet.paragraph(f"按您的情况，这里有 {content['count']} 项可以享受的税费优惠。", size=10.5)
    for group in content["groups"]:
        delivery = group["delivery"]
        count = len({line["code"] for line in group["lines"]})
        put_heading(sheet, _DELIVERIES[delivery], f"{count} 项", key=f"delivery_{delivery}")
        for line in group["lines"]:
            _offer(sheet, line, content["issue"]["at"])


def _offer(sheet: Sheet, line: Content, issued_at: str) -> None:
    small = partial(sheet.paragraph, x=sheet.left + 9, size=8.5, leading=1.45)
    sheet.need(64)
    put_named_amount(sheet, line["name"], f"{shown_yuan(line['amount'])} 元" if line["amount"] else "")
    small(f"{line['tax_type']} · {_STATES[line['state']]} · {line['code']}", color=MUTED)
    small(f"适用条件：{line['eligible']}")
    for name, text in steps(line, issued_at):
        small(f"{STEPS[name]}：{text}", color=ACCENT)
    until = f"{line['until'] // 100}年{line['until'] % 100}月" if line["until"] else "长期"
    small(f"依据：{line['basis']}；执行至：{until}", color=MUTED)
    small(line["caveat"], color=MUTED)
    sheet.space(7)


def put_findings(sheet: Sheet, content: Content) -> None:
    """What stands well, what deserves a look, what can be mended; words before colours."""
    sheet.paragraph("本报告只作提示，不是通知或决定。", size=10, color=MUTED)
    for state, title, color in _FINDINGS:
        findings = [finding for finding in content["findings"] if finding["state"] == state]
        if not findings:
            continue
        put_heading(sheet, title, f"{len(findings)} 项", color, key=f"checkup_{state}")
        for finding in findings:
            sheet.need(36)
            inner = partial(sheet.paragraph, x=sheet.left + 9)
            inner(f"{finding['topic']}：{finding['text']}", size=10)
            if finding["how_to"]:
                inner(finding["how_to"], size=9, color=MUTED)
            sheet.space(4)


def put_sums(sheet: Sheet, content: Content) -> None:
    """The sum of each kind of benefit; kinds are not added up."""
    put_heading(sheet, "各类优惠合计", color=GOOD, key="benefits_sums")
    for name, label in _TREATMENTS.items():
        part = content["parts"][name]
        if part["lines"]:
            total, last_year = shown_yuan(part["total"]), shown_yuan(part["last_year"])
            put_pair(sheet, label, f"{total} 元（上年 {last_year} 元）")
    if content["refunded"] != "0.00":
        put_pair(sheet, "全年已退税费", f"{shown_yuan(content['refunded'])} 元")
    sheet.paragraph("不同种类的金额含义不同，不相加。", size=8.5, color=MUTED)


def put_deferrals(sheet: Sheet, content: Content) -> None:
    """Each deferral with the month in which it is to be paid."""
    if not content["deferrals"]:
        return
    put_heading(sheet, "缓缴到期安排", key="deferrals_title")
    for row in content["deferrals"]:
        period, due = row["period"], row["matures"]
        label = f"{period // 100}-{period % 100:02d} 所属期，{due // 100}年{due % 100}月到期缴纳"
        put_pair(sheet, label, f"{shown_yuan(row['amount'])} 元")


def put_treatments(sheet: Sheet, content: Content) -> None:
    """Each kind of benefit with its lines."""
    for name, label in _TREATMENTS.items():
        part = content["parts"][name]
        if part["lines"]:
            put_heading(sheet, label, f"{shown_yuan(part['total'])} 元", key=f"treatment_{name}")
            put_compared(sheet, part)
            sheet.space(4)
            put_lines(sheet, content, part["lines"])
