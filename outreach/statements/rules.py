"""The benefit catalogue as dated, versioned rules.

Rows come from `benefit_catalogue.csv` (52 rules, superseded versions kept on purpose), what people read of
them from `benefit_wording.csv`: the same facts without notation. A rule is chosen by the tax period: it must
have begun, must not have ended, and no later version of the same family may have taken its place. Anything
else is refused with RuleNotInForce, never answered with a stale figure.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

from outreach.errors import InvalidInput

CATALOGUE = Path(__file__).with_name("benefit_catalogue.csv")
WORDING = Path(__file__).with_name("benefit_wording.csv")
CATALOGUE_VERSION = "2026.1"
Effect = Literal["reduction", "refund", "deduction", "timing"]
Treatment = Literal["refund", "exemption", "reduction", "deferral", "timing", "deduction"]
Delivery = Literal["免申即享", "申报享受", "申请"]
DELIVERIES: tuple[Delivery, ...] = ("免申即享", "申报享受", "申请")

_TIMING = frozenset({"CIT_EQUIP_500", "DEFER_MFG_SME_2021Q4", "DEFER_MFG_SME_2022"})
_REFUND = frozenset({"VAT_CREDIT_REFUND_2022", "VAT_CREDIT_REFUND_2025", "IIT_HOUSE_SWAP"})
_FAMILIES = (
    "VAT_SS_EXEMPT",
    "VAT_SS_3TO1",
    "VAT_ADDDED_SERVICE",
    "VAT_CREDIT_REFUND",
    "CIT_SLP",
    "SIX_TAX_HALF",
    "VPT_NEV",
    "IIT_BIZ_HALF",
)
# The threshold of the VAT Law follows the exemption of the announcements, under another name.
_FAMILY_OF = {"VAT_SS_THRESHOLD_2026": "VAT_SS_EXEMPT", "VAT_SS_EXEMPT_ALL_2022": "VAT_SS_EXEMPT_ALL_2022"}
# Deferrals name the tax periods that they cover; the catalogue's dates are those of the announcements.
_MODES = {
    "名单制+申报享受": "名单内企业申报享受",
    "清单制": "清单内企业申报享受",
    "清单/条件+备查": "符合清单或条件，资料备查",
    "资格+申报": "取得资格后申报享受",
    "申报享受+备查": "申报享受，资料备查",
    "申报享受+留存备查": "申报享受，资料备查",
    "免申即享(申报享受)": "免申即享",
    "免申请(确认)": "免申请，确认即可",
    "扣缴或汇算填报": "扣缴或汇算时填报",
    "扣缴或汇算选择": "扣缴或汇算时选择",
    "仅汇算填报": "仅在汇算时填报",
}
_PERIODS = {"DEFER_MFG_SME_2021Q4": (202110, 202112), "DEFER_MFG_SME_2022": (202201, 202206)}
LISTED = frozenset({"VAT_ADDDED_ADVMFG", "VAT_ADDDED_IC", "VAT_ADDDED_MTOOL", "CIT_RND_120"})
"""Benefits by another ministry's list: never inferred, the list must have been checked."""

EXEMPTIONS = frozenset(
    {
        "VAT_SS_EXEMPT_2019",
        "VAT_SS_EXEMPT_2021",
        "VAT_SS_EXEMPT_ALL_2022",
        "VAT_SS_EXEMPT_2023",
        "VAT_SS_THRESHOLD_2026",
        "VAT_SMALL_LOAN_INT",
        "SURCHARGE_10W_EXEMPT",
        "DPF_SMALL_EXEMPT",
        "VPT_NEV_FULL",
        "IIT_RECON_EXEMPT",
    }
)
"""Reductions to nothing (免征), which a benefit bill keeps apart from those in part (减征)."""


class RuleNotInForce(InvalidInput):
    """No such rule, or not in force in the tax period."""

    code: ClassVar[str] = "rule_not_in_force"


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of one benefit; `since` an ISO date, months yyyymm, `last_month` None while open-ended.
    `delivery_mode` is the catalogue's own notation."""

    code: str
    family: str
    name: str
    tax_type: str
    eligible: str
    computation: str
    legal_doc: str
    since: str
    first_month: int
    last_month: int | None
    delivery_mode: str
    effect: Effect
    confidence: str
    source_check: str
    worked_example: str
    notes: str

    @property
    def mode(self) -> str:
        """The way of delivery as people read it."""
        return _MODES.get(self.delivery_mode, self.delivery_mode)

    @property
    def delivery(self) -> Delivery:
        """Which of the three ways of delivery its own wording means."""
        if self.delivery_mode.startswith(("免申即享", "免申请")):
            return "免申即享"
        return "申请" if self.delivery_mode == "申请" else "申报享受"

    @property
    def treatment(self) -> Treatment:
        """What it does to the household's money, as a benefit bill tells it."""
        if self.effect == "timing":
            return "deferral" if self.code.startswith("DEFER_") else "timing"
        if self.effect == "reduction":
            return "exemption" if self.code in EXEMPTIONS else "reduction"
        return self.effect

    @property
    def basis(self) -> str:
        """Document number and version date, as every line shows them."""
        return f"{self.legal_doc}（{self.since}起执行，规则目录{CATALOGUE_VERSION}版）"


def _effect(code: str) -> Effect:
    if code in _TIMING:
        return "timing"
    if code in _REFUND:
        return "refund"
    return "deduction" if code.startswith("IIT_SAD_") else "reduction"


def _family(code: str) -> str:
    return _FAMILY_OF.get(code) or next((f for f in _FAMILIES if code.startswith(f)), code)


def month_of(text: str) -> int:
    """The month (yyyymm) of an ISO date."""
    day = date.fromisoformat(text)
    return day.year * 100 + day.month


def _rule(row: Mapping[str, str], said: Mapping[str, str]) -> Rule:
    code = row["code"]
    first, last = _PERIODS.get(
        code, (month_of(row["valid_from"]), month_of(row["valid_to"]) if row["valid_to"] else None)
    )
    return Rule(
        code,
        _family(code),
        said["name"],
        said["tax_type"],
        said["eligible"],
        said["computation"],
        said["legal_doc"],
        row["valid_from"],
        first,
        last,
        row["delivery_mode"],
        _effect(code),
        row["confidence"],
        row["source_check"],
        said["worked_example"],
        row["notes"],
    )


@cache
def catalogue() -> Mapping[str, Rule]:
    """All rules by code."""
    words = {row["code"]: row for row in _rows(WORDING)}
    return {row["code"]: _rule(row, words[row["code"]]) for row in _rows(CATALOGUE)}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def rule_in_force(code: str, month: int) -> Rule:
    """The rule of this code for the tax period `month` (yyyymm).

    Raises RuleNotInForce when the catalogue does not list it, or it has not begun, has ended, or a later
    version has replaced it.
    """
    rule = catalogue().get(code)
    if rule is None:
        raise RuleNotInForce(f"优惠代码「{code}」不在规则目录中，请核对代码。", field="优惠代码")
    if month < rule.first_month:
        raise RuleNotInForce(
            f"「{rule.name}」自 {_readable(rule.first_month)} 起执行，不适用于 {_readable(month)} 所属期。",
            field="所属期",
        )
    if rule.last_month is not None and month > rule.last_month:
        raise RuleNotInForce(
            f"「{rule.name}」已于 {_readable(rule.last_month)} 到期，不适用于 {_readable(month)} 所属期"
            f"{_successor_hint(rule, month)}。",
            field="所属期",
        )
    current = _latest(rule.family, month)
    if current is not None and current.code != code:
        raise RuleNotInForce(
            f"「{rule.name}」在 {_readable(month)} 已由「{current.name}」（{current.code}）取代，"
            f"请改用新代码。",
            field="优惠代码",
            suggestion=current.code,
        )
    return rule


def current_rule(family: str, month: int) -> Rule:
    """The version of a family for the tax period. Raises RuleNotInForce when none is in force."""
    rule = _latest(family, month)
    if rule is None:
        raise RuleNotInForce(f"{_readable(month)} 没有执行中的「{family}」类优惠。", field="所属期")
    return rule


@cache
def _latest(family: str, month: int) -> Rule | None:
    versions = [rule for rule in catalogue().values() if rule.family == family and _covers(rule, month)]
    return max(versions, key=lambda rule: rule.first_month, default=None)


def _covers(rule: Rule, month: int) -> bool:
    return rule.first_month <= month and (rule.last_month is None or month <= rule.last_month)


def _successor_hint(rule: Rule, month: int) -> str:
    current = _latest(rule.family, month)
    return f"；该所属期适用「{current.name}」（{current.code}）" if current else ""


def _readable(month: int) -> str:
    return f"{month // 100}年{month % 100}月"
