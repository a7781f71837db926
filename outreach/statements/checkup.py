"""The check-up report (体检报告): what stands well, what deserves a look, what can be mended and how.

Findings come from records, labels and attributes; nothing is guessed here. A doubt that has not been verified
is not told at all, and no sentence orders or threatens: the report helps the household to look for herself.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from outreach.statements.benefit_lines import unclaimed_part
from outreach.statements.content import SCHEMA, computed_lines, credit_of, payer_of
from outreach.statements.due import due_rows
from outreach.statements.household import Household
from outreach.statements.how_to import advice_of
from outreach.statements.inputs import BY_HEADER
from outreach.statements.marks import SCANNED
from outreach.statements.money import ZERO, plain, yuan
from outreach.statements.rules import catalogue
from outreach.statements.verified import confirmed_codes, unpriced

HELP = "如已办理请忽略；有困难可拨打 12366 或联系主管税务机关。"


class Finding(NamedTuple):
    """One finding: its topic, `good`, `note` (worth a look) or `mend`, a sentence, what can be done."""

    topic: str
    state: str
    text: str
    how_to: str = ""


LABELS: Mapping[str, str] = {
    name: name
    for name in (
        "filing_due", "filing_done", "filing_overdue", "tax_arrears", "cit_filed", "benefit_wrong",
        "risk_unverified", "first_violation", "iit.must_file", "iit.filed", "iit.exempt", "iit.overdue",
        "iit.refund_failed", "iit.deduction_unconfirmed", "iit.disputed",
    )
} | {"risk_raised": "risk_class in (mid, high)", "risk_calm": "risk_class in (none, low)"}  # fmt: skip
"""Marks of a check-up: name to expression."""
ATTRIBUTES = ("arrears",)


def build_checkup(
    home: Household, year: int, today: date, entered: Mapping[int, date] | None = None
) -> dict[str, Any] | None:
    """The content without serial, version and time; None when nothing is known of the household.

    Raises what `compute_line` raises.
    """
    if home.is_empty and not home.marks:
        return None
    claimed, open_ = computed_lines(home)
    waiting = unclaimed_part(open_)
    findings = [*_findings(home), *_benefits(home, waiting), *_cliffs(home)]
    return {
        "schema": SCHEMA,
        "kind": "checkup",
        "year": year,
        "payer": payer_of(home),
        "credit": credit_of(home),
        "findings": [finding._asdict() for finding in findings],
        "counts": {
            state: sum(finding.state == state for finding in findings) for state in ("good", "note", "mend")
        },
        "unclaimed": waiting,
        "due": due_rows(home.kind, today, entered, claimed),
    }


def _findings(home: Household) -> Iterator[Finding]:
    yield from _person_filing(home) if home.kind == "natural_person" else _filing(home)
    yield from _payment(home)
    yield from _credit(home)
    yield from _risk(home)
    yield from _wrong(home)


def _filing(home: Household) -> Iterator[Finding]:
    marks = home.marks
    if "filing_overdue" in marks:
        how_to = f"可在电子税务局补办申报。{HELP}"
        yield Finding("按期申报", "mend", "有已过期限、尚未申报的事项。", how_to)
    elif "filing_done" in marks:
        yield Finding("按期申报", "good", "本期已按时申报。")
    elif "filing_due" in marks:
        yield Finding("按期申报", "note", "本期申报还在期限内。", "期限见下面「接下来要办的事」。")
    if home.kind == "enterprise" and "cit_filed" in marks:
        yield Finding("汇算清缴", "good", "企业所得税汇算清缴已申报。")


def _person_filing(home: Household) -> Iterator[Finding]:
    marks = home.marks
    # While she disputes her data, nobody is told to file on them.
    if "iit.disputed" in marks:
        return
    if "iit.filed" in marks:
        yield Finding("综合所得汇算", "good", "综合所得汇算已申报。")
    elif "iit.overdue" in marks:
        how_to = f"可在个人所得税APP补办。{HELP}"
        yield Finding("综合所得汇算", "mend", "综合所得汇算已过期限、尚未办理。", how_to)
    elif "iit.exempt" in marks:
        yield Finding("综合所得汇算", "good", "您可以免予办理综合所得汇算。")
    elif "iit.must_file" in marks:
        how_to = "可在个人所得税APP办理，期限见下面「接下来要办的事」。"
        yield Finding("综合所得汇算", "note", "您需要办理综合所得汇算。", how_to)
    if "iit.refund_failed" in marks:
        how_to = "可在个人所得税APP核对收款账户后重新提交。"
        yield Finding("退税账户", "mend", "退税没有到账，可能是收款账户信息有误。", how_to)
    if "iit.deduction_unconfirmed" in marks:
        how_to = "可在个人所得税APP确认。"
        yield Finding("专项附加扣除", "note", "下一年度的扣除信息还没有确认。", how_to)


def _payment(home: Household) -> Iterator[Finding]:
    if "tax_arrears" in home.marks:
        amount = Decimal(home.marks.get("arrears", "0"))
        shown = f" {yuan(amount)} 元" if amount else ""
        how_to = f"可在电子税务局查看明细并缴纳。{HELP}"
        yield Finding("税款缴纳", "mend", f"有应缴未缴的税费{shown}。", how_to)
    elif home.taxes:
        missing = sum([max(tax.declared - tax.paid, ZERO) for tax in home.taxes], ZERO)
        if missing:
            text = f"申报数比已缴数多 {yuan(missing)} 元，可能是缓缴、抵缴或尚在期限内。"
            yield Finding("税款缴纳", "note", text, "可在电子税务局核对缴款记录。")
        else:
            yield Finding("税款缴纳", "good", "本年申报的税费已缴清。")
    late = sum([tax.late_fee for tax in home.taxes], ZERO)
    if late:
        text = f"本年产生滞纳金 {yuan(late)} 元。"
        yield Finding("滞纳金", "note", text, "按下面的日期提前办理，就不会再产生。")
    if "first_violation" in home.marks:
        text = "有符合「首违不罚」清单的事项，及时改正的不予行政处罚。"
        yield Finding("首违不罚", "mend", text, f"可在电子税务局办理改正。{HELP}")


def _credit(home: Household) -> Iterator[Finding]:
    grade = home.annual.credit_grade or home.last_grade
    if grade in ("A", "B", "M"):
        yield Finding("纳税信用", "good", f"纳税信用级别为 {grade} 级。")
    elif grade:
        how_to = "符合条件的，可以申请纳税信用修复；不清楚扣分原因的，可以申请复核。"
        yield Finding("纳税信用", "mend", f"纳税信用级别为 {grade} 级。", how_to)


def _risk(home: Household) -> Iterator[Finding]:
    marks = home.marks
    if "risk_unverified" in marks:
        return
    if "risk_raised" in marks:
        how_to = "可对照申报表和账簿自查，需要时更正申报。" + HELP
        yield Finding("风险自查", "note", "有已核实的事项值得您自查。", how_to)
    elif "risk_calm" in marks:
        yield Finding("风险自查", "good", "没有发现需要提示的涉税事项。")


def _wrong(home: Household) -> Iterator[Finding]:
    names = "".join(f"「{catalogue()[code].name}」" for code in confirmed_codes(home, "wrong"))
    how_to = "可对照优惠条件核对，不符合的可以更正申报。" + HELP
    if names:
        yield Finding("优惠核对", "note", f"已享受的{names}，建议核对是否符合条件。", how_to)
    elif "benefit_wrong" in home.marks and "risk_unverified" not in home.marks:
        yield Finding("优惠核对", "note", "有一项已享受的优惠，建议核对是否符合条件。", how_to)


def _cliffs(home: Household) -> Iterator[Finding]:
    """Near a limit beyond which a benefit ends: confirmed ones, the newest month of each."""
    for finding in home.findings:
        if finding.direction == "cliff" and finding.confirmed:
            last, name = finding.entries[-1], catalogue()[finding.code].name
            value, limit, distance = (_measured(last, key) for key in ("value", "limit", "distance"))
            text = f"「{name}」：{last['what']}为 {value}，界限为 {limit}，还差 {distance}。"
            yield Finding("临界提醒", "note", text, "超过界限后这项优惠的算法会变化，安排收支时可以留意。")


def _measured(entry: Mapping[str, Any], key: str) -> str:
    number = Decimal(entry[key])
    return f"{yuan(number)} 元" if BY_HEADER[entry["what"]].kind == "money" else plain(number)


def _benefits(home: Household, waiting: Mapping[str, Any]) -> Iterator[Finding]:
    if waiting["lines"]:
        total = Decimal(waiting["total"])
        shown = f"，预计 {yuan(total)} 元" if total else ""
        text = f"有 {len(waiting['lines'])} 项优惠您可能还可以享受{shown}。"
        yield Finding("应享未享", "note", text, "办法见下面「您可能还可以享受」。")
    for code in unpriced(home):
        text = f"「{catalogue()[code].name}」您可能还可以享受，金额以实际申报为准。"
        yield Finding("应享未享", "note", text, advice_of(catalogue()[code]).how_to)
    if SCANNED in home.marks and not any(one.direction == "unclaimed" for one in home.findings):
        yield Finding("应享未享", "good", "没有发现您应享未享的优惠。")
