"""The content of a yearly bill: sums agree, parts stay apart, due dates follow the calendar."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.errors import InvalidInput
from outreach.registry.working_days import DayRule, WorkCalendar
from outreach.statements.benefit_bill import build_benefit_bill
from outreach.statements.benefit_lines import EFFECTS
from outreach.statements.benefits import compute_line
from outreach.statements.canonical import canonical
from outreach.statements.checkup import build_checkup
from outreach.statements.content import build_bill, build_bills, content_hash, lasting
from outreach.statements.drawing import Task, draw_block
from outreach.statements.due import (
    days_of_calendar,
    due_rows,
    filing_deadline,
    next_due_dates,
    parse_deadline,
)
from outreach.statements.facts import BlockFacts
from outreach.statements.gift_pack import build_gift_pack
from outreach.statements.household import (
    BenefitFact,
    EarlierFact,
    Household,
    TaxFact,
    mask_tax_no,
)
from outreach.statements.record_files import detect_kind
from outreach.statements.rules import RuleNotInForce, catalogue
from tests.unit.bill_households import read_bill, varied_households

TODAY = date(2026, 1, 20)
ZERO = Decimal("0.00")
money = st.decimals(min_value=0, max_value=10**9, places=2)


def household(**facts: Any) -> Household:
    kind = facts.pop("kind", "enterprise")
    return Household(1, kind, "示例公司", "9115******MPL1", "国家税务总局示例市税务局", "150000", **facts)


def half(month: int, due: str, claimed: bool = True) -> BenefitFact:
    return BenefitFact(month, "SIX_TAX_HALF", claimed, {"due": due})


tax_facts = st.lists(
    st.builds(TaxFact, st.sampled_from(["增值税", "印花税", "房产税"]), money, money, money, money, money),
    max_size=6,
    unique_by=lambda fact: fact.tax_type,
)
benefit_facts = st.lists(
    st.one_of(
        st.builds(lambda m, a, c: half(202500 + m, str(a), c), st.integers(1, 12), money, st.booleans()),
        st.builds(
            lambda a, c: BenefitFact(202512, "CIT_SLP_2023", c, {"income": str(a)}), money, st.booleans()
        ),
        st.builds(lambda a: BenefitFact(202505, "CIT_EQUIP_500", True, {"unit_price": str(a)}), money),
        st.builds(
            lambda n: BenefitFact(
                202512, "IIT_SAD_CHILD", True, {"children": str(n), "months": "12", "share": "1"}
            ),
            st.integers(1, 9),
        ),
        st.builds(
            lambda a: BenefitFact(202509, "VAT_SS_EXEMPT_2023", True, {"sales": str(a), "period": "月"}),
            st.decimals(0, 100000, places=2),
        ),
    ),
    max_size=20,
)
earlier_facts = st.lists(
    st.builds(
        lambda code, last, older: EarlierFact(code, last, last + older),
        st.sampled_from(sorted(catalogue())),
        money,
        money,
    ),
    max_size=8,
    unique_by=lambda fact: fact.code,
)


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), ZERO)


@given(tax_facts, benefit_facts, earlier_facts)
def test_sums_agree(taxes: list[TaxFact], benefits: list[BenefitFact], earlier: list[EarlierFact]) -> None:
    bill = read_bill(household(taxes=taxes, benefits=benefits, earlier=earlier), 2025, TODAY)
    for name in ("declared", "paid", "refunded", "late_fee"):
        assert total(bill["paid"]["rows"], name) == Decimal(bill["paid"]["total"][name])
    assert total(bill["paid"]["rows"], "last_year") == Decimal(bill["paid"]["last_year"])
    assert Decimal(bill["paid"]["last_year"]) == sum((tax.paid_last_year for tax in taxes), ZERO)
    for effect in EFFECTS:
        part = bill["enjoyed"][effect]
        assert total(part["lines"], "amount") == Decimal(part["total"])
        assert total(part["lines"], "last_year") == Decimal(part["last_year"])
        assert total(part["lines"], "cumulative") + Decimal(part["earlier"]) == Decimal(part["cumulative"])
        mine = [fact for fact in earlier if catalogue()[fact.code].effect == effect]
        assert Decimal(part["last_year"]) == sum((fact.last_year for fact in mine), ZERO)
        assert Decimal(part["cumulative"]) - Decimal(part["total"]) == sum((f.before for f in mine), ZERO)
        assert part["count"] == sum(line["count"] for line in part["lines"])
        for line in part["lines"]:
            spread = sum((Decimal(e["amount"]) * len(e["months"]) for e in line["entries"]), ZERO)
            assert spread == Decimal(line["amount"])
            assert sum(len(entry["months"]) for entry in line["entries"]) == line["count"]
    counted = sum(bill["enjoyed"][effect]["count"] for effect in EFFECTS)
    worth = [fact for fact in benefits if compute_line(fact.code, fact.month, fact.inputs).amount]
    assert counted == sum(fact.claimed for fact in worth)
    assert sum(line["count"] for line in bill["unclaimed"]["lines"]) == len(worth) - counted


@given(tax_facts, benefit_facts)
def test_content_is_canonical(taxes: list[TaxFact], benefits: list[BenefitFact]) -> None:
    bill = read_bill(household(taxes=taxes, benefits=benefits), 2025, TODAY)
    again = json.loads(canonical(bill))
    assert canonical(again) == canonical(bill)
    assert content_hash(canonical(again)) == content_hash(canonical(bill))


def test_bills_made_together_are_those_made_alone() -> None:
    homes = [home for home, year, _ in varied_households(200) if year == 2025]
    alone = [canonical(build_bill(home, 2025, TODAY)) for home in homes]
    assert [canonical(bill) for bill in build_bills(homes, 2025, TODAY)] == alone and len(set(alone)) == 50
    assert build_bills([], 2025, TODAY) == []


def test_a_block_keeps_its_order() -> None:
    """More households than are built at a time; of every third there is nothing to tell."""
    homes = [(number, "enterprise", f"示例{number}公司", "9115**", "税务局", 1) for number in range(200)]
    taxes = [(n, "增值税", f"{n}.50", f"{n}.50", "0.00", "0.00", "1.00") for n in range(200) if n % 3]
    drawn = draw_block(BlockFacts("150000", homes, taxes, [], [], []), Task("yearly_bill", 2025, TODAY, {}))
    assert len(drawn) == 200
    for number, one in enumerate(drawn):
        assert (one is None) == (number % 3 == 0)
        if one is not None:
            bill = json.loads(one.text(b"{}"))
            assert bill["payer"]["name"] == f"示例{number}公司"
            assert bill["paid"]["total"]["paid"] == f"{number}.50"


def test_every_line_names_formula_document_and_caveat() -> None:
    facts = [
        half(202503, "5000"),
        BenefitFact(202512, "IIT_SAD_RENT", False, {"rent": "1500", "months": "12"}),
    ]
    bill = read_bill(household(benefits=facts), 2025, TODAY)
    line = bill["enjoyed"]["reduction"]["lines"][0]
    assert line["entries"][0]["formula"] == "应缴 5,000.00 × 50% = 减征 2,500.00 元"
    assert line["basis"] == "财政部 税务总局公告2023年第12号（2023-01-01起执行，规则目录2026.1版）"
    assert line["caveat"] == "以主管税务机关核定为准"
    open_ = bill["unclaimed"]["lines"][0]
    assert open_["how_to"] and "不等于退税额" in open_["caveat"]
    assert bill["unclaimed"]["total"] == "0.00", "a deduction is not money"


def test_timing_is_never_part_of_what_was_spared() -> None:
    facts = [
        BenefitFact(202505, "CIT_EQUIP_500", True, {"unit_price": "4000000"}),
        half(202503, "5000"),
    ]
    enjoyed = read_bill(household(benefits=facts), 2025, TODAY)["enjoyed"]
    assert (enjoyed["timing"]["total"], enjoyed["reduction"]["total"]) == ("4000000.00", "2500.00")


def test_versions_of_a_family_are_compared_with_each_other() -> None:
    facts = [BenefitFact(202601, "VAT_SS_THRESHOLD_2026", True, {"sales": "90000", "period": "月"})]
    earlier = [EarlierFact("VAT_SS_EXEMPT_2023", Decimal("2400.00"), Decimal("9000.00"))]
    part = read_bill(household(benefits=facts, earlier=earlier), 2026, TODAY)["enjoyed"]["reduction"]
    assert [(line["code"], line["amount"], line["last_year"]) for line in part["lines"]] == [
        ("VAT_SS_THRESHOLD_2026", "2700.00", "2400.00")
    ]
    assert part["cumulative"] == "11700.00"


def test_what_ended_last_year_still_stands_in_the_comparison() -> None:
    earlier = [EarlierFact("CIT_DISABLED_WAGE", Decimal("4800.00"), Decimal("4800.00"))]
    part = read_bill(household(earlier=earlier), 2025, TODAY)["enjoyed"]["reduction"]
    assert [(line["code"], line["count"]) for line in part["lines"]] == [("CIT_DISABLED_WAGE", 0)]
    assert (part["total"], part["last_year"]) == ("0.00", "4800.00")


def test_what_comes_to_nothing_is_neither_enjoyed_nor_offered() -> None:
    over = {"sales": "300000", "period": "月"}
    facts = [BenefitFact(202503, "VAT_SS_EXEMPT_2023", claimed, over) for claimed in (True, False)]
    home = household(benefits=[*facts, half(202503, "100")])
    bill = read_bill(home, 2025, TODAY)
    part = bill["enjoyed"]["reduction"]
    assert ([line["code"] for line in part["lines"]], part["count"]) == (["SIX_TAX_HALF"], 1)
    assert bill["unclaimed"] == {"lines": [], "total": "0.00"}
    pack = build_gift_pack(home, 2025, TODAY)
    assert pack is not None and pack["count"] == 1 and pack["unclaimed"]["count"] == 0
    report = build_checkup(home, 2025, TODAY)
    assert report is not None and report["unclaimed"]["lines"] == []
    assert build_benefit_bill(household(benefits=facts), 2025, TODAY) is None


def test_same_figures_share_an_entry() -> None:
    facts = [half(month, "5000") for month in (202512, 202503, 202506)] + [half(202509, "10")]
    line = read_bill(household(benefits=facts), 2025, TODAY)["enjoyed"]["reduction"]["lines"][0]
    assert [entry["months"] for entry in line["entries"]] == [[202503, 202506, 202512], [202509]]
    assert line["amount"] == "7505.00"


def test_a_person_s_year_is_compared_with_the_one_before() -> None:
    amounts = [(3, 2025, "168000.00"), (3, 2024, "150000.00")]
    annual = [(home, year, None, income, "6200.00", "5480.00", True) for home, year, income in amounts]
    facts = BlockFacts("", [(3, "natural_person", "张示例", "1101**", "税务局", 1)], [], [], [], annual)
    (drawn,) = draw_block(facts, Task("yearly_bill", 2025, TODAY, {}))
    assert drawn is not None
    bill = json.loads(drawn.text(b"{}"))
    assert bill["person"]["income"] == "168000.00"
    assert bill["person_last_year"] == {"income": "150000.00", "prepaid": "6200.00", "tax_due": "5480.00"}
    (alone,) = draw_block(replace(facts, annual=annual[:1]), Task("yearly_bill", 2025, TODAY, {}))
    assert alone is not None and json.loads(alone.text(b"{}"))["person_last_year"] is None


def test_a_rule_out_of_force_stops_the_bill() -> None:
    facts = [BenefitFact(202601, "VAT_SS_EXEMPT_2023", True, {"sales": "1"})]
    with pytest.raises(RuleNotInForce):
        read_bill(household(benefits=facts), 2026, TODAY)


def test_due_dates_do_not_make_a_new_version() -> None:
    home = household(benefits=[half(202503, "5000")])
    one, other = read_bill(home, 2025, TODAY), read_bill(home, 2025, date(2026, 5, 1))
    assert one["due"] != other["due"] and lasting(one) == lasting(other)


def test_deferral_is_reminded_of_until_it_matures() -> None:
    fact = BenefitFact(202206, "DEFER_MFG_SME_2022", True, {"due": "50000", "size": "小微", "extended": "是"})
    dues = read_bill(household(benefits=[fact]), 2022, date(2023, 1, 10))["due"]
    assert [(due["month"], due["what"][:4]) for due in dues if "缓缴" in due["what"]] == [
        (202305, "缓缴到期")
    ]
    later = read_bill(household(benefits=[fact]), 2022, date(2023, 6, 1))["due"]
    assert not [due for due in later if "缓缴" in due["what"]]


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [
        (2025, 1, 15),
        (2025, 2, 20),
        (2025, 3, 17),
        (2025, 4, 18),
        (2025, 5, 22),
        (2025, 10, 27),
        (2026, 1, 20),
    ],
)
def test_filing_deadlines_as_they_were_announced(year: int, month: int, day: int) -> None:
    assert filing_deadline(year, month) == date(year, month, day)


def test_in_unpublished_years_the_statutory_day_is_told() -> None:
    assert filing_deadline(2099, 1) is None
    assert filing_deadline(2099, 1, {209901: date(2099, 1, 19)}) == date(2099, 1, 19)
    rows = due_rows("enterprise", date(2098, 12, 20), {209901: date(2099, 1, 19)}, [])
    assert [(row["day"], "statutory" in row) for row in rows] == [
        ("2098-12-15", True), ("2099-01-19", False), ("2099-05-31", True),
    ]  # fmt: skip


def calendar_of(year: int, *holidays: tuple[int, int], works: tuple[int, int] | None = None) -> WorkCalendar:
    days = {date(year, month, day): DayRule(False) for month, day in holidays}
    return WorkCalendar(days | ({date(year, *works): DayRule(True)} if works else {}), frozenset({year}))


def test_the_calendar_of_the_bureau_moves_what_is_due_in_a_year_it_has_entered() -> None:
    """2099: 1 to 5 October (Thursday to Monday) are holidays, 10 October is a working Saturday."""
    calendar = calendar_of(2099, *((10, day) for day in range(1, 6)), (6, 30), works=(10, 10))
    moved = days_of_calendar(calendar, date(2099, 3, 2))
    assert moved[20990630] == date(2099, 7, 1), "Tuesday is a holiday"
    assert moved[20990531] == date(2099, 6, 1), "a Sunday"
    assert moved[209903] == date(2099, 3, 16), "a Sunday"
    assert moved[209910] == date(2099, 10, 22), "five days off in a row, and a weekend behind the 15th"
    assert next_due_dates("natural_person", date(2099, 3, 2), moved)[0].day == date(2099, 7, 1)
    assert 20991231 in moved and 21000630 not in moved, "of 2100 nobody knows anything"


def test_a_bureau_s_own_day_off_is_no_holiday_of_the_law() -> None:
    calendar = WorkCalendar({date(2026, 6, 30): DayRule(False), date(2026, 3, 16): DayRule(False)})
    assert days_of_calendar(calendar, date(2026, 2, 10)) == {}


def test_a_deadline_as_staff_write_it() -> None:
    assert parse_deadline(" 202610=2026-10-26") == (202610, date(2026, 10, 26))
    for wrong in ("202610", "2026-10=26", "202613=2026-10-26", "202610=2026-09-30", "202610=2027-10-26"):
        with pytest.raises(InvalidInput):
            parse_deadline(wrong)


@pytest.mark.parametrize(
    ("kind", "what"),
    [("enterprise", "企业所得税"), ("individual_business", "经营所得"), ("natural_person", "综合所得")],
)
def test_each_kind_has_its_yearly_obligation(kind: str, what: str) -> None:
    dues = next_due_dates(kind, date(2026, 2, 10))
    assert any(what in due.what for due in dues)
    assert [due.day for due in dues] == sorted(due.day for due in dues if due.day)


def test_last_day_itself_is_still_due() -> None:
    assert next_due_dates("enterprise", date(2026, 6, 1))[0].day == date(2026, 6, 1)
    later = next_due_dates("enterprise", date(2026, 6, 2))
    assert all(due.year == 2027 for due in later if "汇算" in due.what)


def test_numbers_are_masked() -> None:
    assert mask_tax_no("91150100MA0EXAMPL1") == "9115**********MPL1"
    assert mask_tax_no("12345678") == "********"
    assert "345" not in mask_tax_no("123456789")


def test_files_are_told_apart_by_their_headers() -> None:
    assert detect_kind(["纳税人识别号", "所属期", "优惠代码"]).name == "benefit_records"
    assert detect_kind(["纳税人识别号", "年度"]).name == "annual_records"
    with pytest.raises(Exception, match="已缴税额"):
        detect_kind(["纳税人识别号", "所属期", "税种", "申报税额"])
