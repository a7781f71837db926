"""A pack tells each benefit under the rule of its month, with no amount of another; of alternatives one."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

from outreach.statements.canonical import canonical
from outreach.statements.entitlements import ENTITLEMENTS
from outreach.statements.gift_pack import build_gift_pack
from outreach.statements.household import BenefitFact, EarlierFact, Household

TODAY = date(2026, 1, 20)


def pack(*codes: str, year: int = 2025, **facts: Any) -> dict[str, Any]:
    """The pack of a company that is entitled to `codes` by labels."""
    marks = {f"{one.code}#{number}": "" for number, one in enumerate(ENTITLEMENTS) if one.code in codes}
    home = Household(1, "enterprise", "示例公司", "9115****", "税务局", "150000", marks=marks, **facts)
    content = json.loads(canonical(build_gift_pack(home, year, TODAY)))
    return dict(content)


def told(content: dict[str, Any]) -> set[tuple[str, str, str | None]]:
    return {
        (line["code"], line["state"], line["amount"])
        for group in content["groups"]
        for line in group["lines"]
    }


def half(month: int, due: str, claimed: bool = True) -> BenefitFact:
    return BenefitFact(month, "SIX_TAX_HALF", claimed, {"due": due})


OLD = BenefitFact(202506, "VAT_CREDIT_REFUND_2022", True, {"added_credit": "500000", "input_ratio": "1"})
NEW = BenefitFact(
    202510,
    "VAT_CREDIT_REFUND_2025",
    True,
    {"added_credit": "100000", "input_ratio": "1", "refund_industry": "制造业等四行业"},
)


def test_an_amount_stands_only_under_its_own_rule() -> None:
    assert told(pack(benefits=[OLD, NEW])) == {("VAT_CREDIT_REFUND_2025", "enjoyed", "100000.00")}
    assert told(pack(benefits=[NEW, OLD])) == told(pack(benefits=[OLD, NEW]))
    old = pack(benefits=[OLD])
    assert told(old) == {("VAT_CREDIT_REFUND_2025", "enjoyed", None)}
    assert old["groups"][0]["lines"][0]["entries"] == []


def test_what_was_enjoyed_and_is_open_is_told_as_both() -> None:
    content = pack(benefits=[half(202503, "1000"), half(202504, "400", claimed=False), half(202505, "2")])
    assert told(content) == {("SIX_TAX_HALF", "enjoyed", "501.00"), ("SIX_TAX_HALF", "unclaimed", "200.00")}
    assert content["count"] == 1 and content["unclaimed"] == {"count": 1, "total": "200.00"}
    assert [line["state"] for line in content["groups"][0]["lines"]] == ["unclaimed", "enjoyed"]


def test_of_alternatives_one_is_offered() -> None:
    codes = ("VAT_SS_EXEMPT_2023", "VAT_SS_3TO1_2023", "CIT_HNTE_15", "CIT_SLP_2023")
    content = pack(*codes)
    assert {code for code, _, _ in told(content)} == {"VAT_SS_EXEMPT_2023", "CIT_SLP_2023"}
    assert content["count"] == 2
    claimed = BenefitFact(202512, "CIT_HNTE_15", True, {"income": "1000"})
    assert told(pack(*codes[2:], benefits=[claimed])) == {("CIT_HNTE_15", "enjoyed", "100.00")}
    assert {code for code, _, _ in told(pack("VAT_SS_3TO1_2023", "CIT_HNTE_15"))} == {
        "VAT_SS_3TO1_2023",
        "CIT_HNTE_15",
    }


def test_last_year_gives_way_to_what_holds_now() -> None:
    def before(*codes: str) -> list[EarlierFact]:
        return [EarlierFact(code, Decimal("5.00"), Decimal("5.00")) for code in codes]

    assert told(pack(earlier=before("CIT_SLP_2023"))) == {("CIT_SLP_2023", "enjoyed", None)}
    assert told(pack("CIT_HNTE_15", earlier=before("CIT_SLP_2023"))) == {("CIT_HNTE_15", "entitled", None)}
    assert told(pack("CIT_SLP_2023", earlier=before("CIT_SLP_2023"))) == {("CIT_SLP_2023", "enjoyed", None)}
    waiting = pack(benefits=[half(202504, "400", claimed=False)], earlier=before("SIX_TAX_HALF"))
    assert told(waiting) == {("SIX_TAX_HALF", "unclaimed", "200.00")}


def test_open_claims_of_an_ended_rule_have_no_amount_under_the_next() -> None:
    small = {"sales": "90000", "period": "月"}
    content = pack(year=2026, benefits=[BenefitFact(202601, "VAT_SS_THRESHOLD_2026", False, small)])
    assert told(content) == {("VAT_SS_THRESHOLD_2026", "unclaimed", "2700.00")}
    mixed = BenefitFact(202506, "VAT_CREDIT_REFUND_2022", False, OLD.inputs)
    late = pack(benefits=[mixed])
    assert told(late) == {("VAT_CREDIT_REFUND_2025", "unclaimed", None)}
    assert late["unclaimed"] == {"count": 1, "total": "0.00"}
