"""Every worked example of the catalogue, every boundary that the domain names, and what must be refused."""

import csv
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.errors import InvalidInput
from outreach.statements.benefits import COMPUTATIONS, DEDUCTION_CAVEAT, compute_line
from outreach.statements.inputs import BY_HEADER, BY_KEY, parse_input, parse_inputs
from outreach.statements.money import parse_decimal, to_fen
from outreach.statements.provinces import province_values
from outreach.statements.rules import CATALOGUE, RuleNotInForce, catalogue, current_rule, rule_in_force
from tests.unit.benefit_examples import NO_FIGURE, WORKED, Example

with CATALOGUE.open(encoding="utf-8-sig", newline="") as _file:
    ROWS = list(csv.DictReader(_file))
EXAMPLES = {row["code"]: row["worked_example"] for row in ROWS}


CASES = [(code, example) for code, examples in WORKED.items() for example in examples]


def figure(
    code: str, month: int, inputs: dict[str, str], name: str = "amount", province: str = ""
) -> Decimal:
    line = compute_line(code, month, inputs, province=province)
    return line.amount if name == "amount" else line.figures[name]


def test_every_row_is_computed_and_its_example_tested_or_explained() -> None:
    assert set(EXAMPLES) == set(COMPUTATIONS) == set(WORKED) | set(NO_FIGURE)
    assert not set(WORKED) & set(NO_FIGURE)
    assert {code for code, words in EXAMPLES.items() if not words} == set(NO_FIGURE)


@pytest.mark.parametrize(("code", "example"), CASES, ids=[f"{c}-{i}" for i, (c, _) in enumerate(CASES)])
def test_worked_example(code: str, example: Example) -> None:
    assert example.words in EXAMPLES[code], "the catalogue has changed: read its example again"
    line = compute_line(code, example.month, example.inputs, province=example.province)
    got = {name: line.amount if name == "amount" else line.figures[name] for name in example.figures}
    assert got == {name: Decimal(value) for name, value in example.figures.items()}
    assert (
        line.rule.legal_doc in line.rule.basis
        and line.formula
        and line.caveat.endswith("以主管税务机关核定为准")
    )


def test_examples_are_read_to_their_end() -> None:
    for code, examples in WORKED.items():
        rest = EXAMPLES[code]
        for example in sorted(examples, key=lambda e: -len(e.words)):
            rest = rest.replace(example.words, "")
        assert not rest.strip(" ;"), f"{code}: 「{rest}」 is not tested"


def test_threshold_flips_with_the_vat_law() -> None:
    for sales, tax_2025, tax_2026 in (("99999.99", 0, 0), ("100000.00", 0, 1000)):
        assert figure("VAT_SS_EXEMPT_2023", 202512, {"sales": sales, "period": "月"}, "payable") == tax_2025
        assert (
            figure("VAT_SS_THRESHOLD_2026", 202601, {"sales": sales, "period": "月"}, "payable") == tax_2026
        )
    assert (
        "payable"
        not in compute_line("VAT_SS_EXEMPT_2023", 202512, {"sales": "100000.01", "period": "月"}).figures
    )
    assert figure("VAT_SS_THRESHOLD_2026", 202603, {"sales": "300000", "period": "季"}, "payable") == 3000
    assert figure("VAT_SS_THRESHOLD_2026", 202603, {"sales": "999.99", "period": "次"}, "payable") == 0
    assert figure("VAT_SS_THRESHOLD_2026", 202603, {"sales": "1000", "period": "次"}, "payable") == 10


@pytest.mark.parametrize(
    ("income", "top_up", "owed"),
    [
        ("150000", "400.00", "0"),
        ("150000", "400.01", "400.01"),
        ("120000.00", "9000", "0"),
        ("120000.01", "9000", "9000"),
    ],
)
def test_reconciliation_exemption(income: str, top_up: str, owed: str) -> None:
    inputs = {"annual_income": income, "top_up": top_up, "withheld": "是"}
    assert figure("IIT_RECON_EXEMPT", 202512, inputs, "payable") == Decimal(owed)


def test_reconciliation_exemption_needs_withholding() -> None:
    inputs = {"annual_income": "90000", "top_up": "300", "withheld": "否"}
    assert figure("IIT_RECON_EXEMPT", 202512, inputs, "payable") == 300


@pytest.mark.parametrize(
    ("inputs", "month", "code"),
    [
        ({"income": "2999999.99", "staff": "300", "assets": "50000000"}, 202512, "150000.00"),
        ({"income": "3000000", "staff": "301"}, 202512, "750000.00"),
        ({"income": "3000000", "assets": "50000000.01"}, 202512, "750000.00"),
    ],
)
def test_small_profit_limits(inputs: dict[str, str], month: int, code: str) -> None:
    assert figure("CIT_SLP_2023", month, inputs, "payable") == Decimal(code)


def test_bonus_is_compared_with_adding_it_to_the_income() -> None:
    line = compute_line("IIT_BONUS_SEPARATE", 202512, {"bonus": "36000", "other_taxable": "300000"})
    assert (line.figures["merged"], line.amount) == (Decimal("9000.00"), Decimal("7920.00"))
    assert figure("IIT_BONUS_SEPARATE", 202512, {"bonus": "36001", "other_taxable": "0"}) == 0


def test_business_income_halving() -> None:
    assert figure("IIT_BIZ_HALF_100", 202212, {"income": "1000000"}) == Decimal("142250.00")
    assert figure("IIT_BIZ_HALF_200", 202512, {"income": "4000000"}) == Decimal("317250.00")
    inputs = {"income": "4000000", "other_relief": "10000"}
    assert figure("IIT_BIZ_HALF_200", 202512, inputs) == Decimal("314750.00")


def test_provinces_set_their_own_quota() -> None:
    for province, quota in (("440300", 24000), ("32", 24000), ("15", 20000), ("", 20000)):
        inputs = {"due": "100000", "months": "12"}
        assert figure("EMP_VETERAN_SELF", 202512, inputs, province=province) == quota
    assert figure("EMP_KEYGROUP_SELF", 202512, {"due": "100000", "months": "3"}, province="44") == 5000


@pytest.mark.parametrize(
    ("code", "province", "inputs", "said"),
    [
        ("EMP_VETERAN_SELF", "44", {"due": "1", "months": "12"}, ""),
        ("EMP_VETERAN_SELF", "33", {"due": "1", "months": "12"}, "最低标准"),
        ("EMP_VETERAN_HIRE", "", {"hired": "1"}, "最低标准"),
        ("EMP_VETERAN_HIRE", "32", {"hired": "1"}, ""),
        ("EMP_KEYGROUP_SELF", "44", {"due": "1", "months": "12"}, "最低标准"),
        ("SIX_TAX_HALF_2022", "15", {"due": "1"}, "标准上限"),
    ],
)
def test_the_laws_limit_is_never_silent(code: str, province: str, inputs: dict[str, str], said: str) -> None:
    formula = compute_line(code, catalogue()[code].first_month, inputs, province=province).formula
    assert ("本省标准以主管税务机关为准" in formula) is bool(said) and said in formula


def test_values_of_provinces_are_dated_and_the_law_covers_every_month() -> None:
    for code in {one.code for one in province_values()}:
        rule = catalogue()[code]
        (law,) = [one for one in province_values() if one.code == code and not one.province]
        assert (law.first_month, law.last_month) == (rule.first_month, rule.last_month)
        assert law.note and law.legal_doc
        for province in {one.province for one in province_values() if one.code == code}:
            own = sorted(one[3:5] for one in province_values() if one[:2] == (code, province))
            assert all(first <= last for first, last in own)
            assert all(one[1] < other[0] for one, other in pairwise(own))


def test_additional_credit_is_carried_forward() -> None:
    inputs = {"input_vat": "1000000", "payable_before": "0", "listed": "是"}
    line = compute_line("VAT_ADDDED_ADVMFG", 202506, inputs)
    assert (line.amount, line.figures["carried_forward"]) == (Decimal(0), Decimal(50000))


def test_life_services_get_more_from_october_2019() -> None:
    inputs = {"input_vat": "1000", "service": "生活性"}
    assert figure("VAT_ADDDED_SERVICE_10", 201909, inputs) == 100
    assert figure("VAT_ADDDED_SERVICE_10", 201910, inputs) == 150


@pytest.mark.parametrize(
    ("added", "industry", "refund"),
    [
        ("499999.99", "其他", "0"),
        ("500000", "其他", "300000"),
        ("500000", "房地产", "300000"),
        ("1000", "制造业等四行业", "1000"),
    ],
)
def test_credit_refund_2025(added: str, industry: str, refund: str) -> None:
    inputs = {"added_credit": added, "input_ratio": "1", "refund_industry": industry}
    assert figure("VAT_CREDIT_REFUND_2025", 202509, inputs) == Decimal(refund)


def test_deferral_matures_and_is_not_a_reduction() -> None:
    medium = compute_line("DEFER_MFG_SME_2022", 202206, {"due": "50000", "size": "中型", "extended": "是"})
    assert (medium.amount, medium.figures["matures"]) == (Decimal(25000), Decimal(202305))
    assert medium.is_timing and "不是减免" in medium.formula
    assert compute_line("CIT_EQUIP_500", 202512, {"unit_price": "5000000"}).is_timing
    assert compute_line("CIT_EQUIP_500", 202512, {"unit_price": "5000000.01"}).amount == 0


def test_a_deduction_is_not_a_refund() -> None:
    line = compute_line("IIT_SAD_RENT", 202512, {"rent": "1500", "months": "12"})
    assert line.rule.effect == "deduction" and DEDUCTION_CAVEAT in line.caveat


@pytest.mark.parametrize(
    ("code", "month", "says"),
    [
        ("NO_SUCH", 202512, "不在规则目录"),
        ("VAT_SS_EXEMPT_2023", 202601, "VAT_SS_THRESHOLD_2026"),
        ("VAT_SS_THRESHOLD_2026", 202512, "自 2026年1月 起执行"),
        ("IIT_HOUSE_SWAP", 202601, "到期"),
        ("CIT_SLP_2021", 202212, "CIT_SLP_2022"),
        ("CIT_SLP_2022", 202312, "CIT_SLP_2023"),
        ("VAT_SS_EXEMPT_2019", 201812, "起执行"),
        ("DEFER_MFG_SME_2022", 202207, "到期"),
    ],
)
def test_rule_not_in_force_is_refused(code: str, month: int, says: str) -> None:
    with pytest.raises(RuleNotInForce, match=says):
        compute_line(code, month, {"sales": "1", "income": "1", "due": "1", "size": "小微"})


def test_current_version_of_a_family() -> None:
    assert current_rule("VAT_SS_EXEMPT", 202512).code == "VAT_SS_EXEMPT_2023"
    assert current_rule("VAT_SS_EXEMPT", 202601).code == "VAT_SS_THRESHOLD_2026"
    with pytest.raises(RuleNotInForce):
        current_rule("VAT_SS_EXEMPT", 201812)


@pytest.mark.parametrize("month", [201906, 202203, 202212, 202306, 202412, 202512, 202601, 202712, 202801])
def test_at_most_one_version_of_a_family_is_in_force(month: int) -> None:
    accepted: list[str] = []
    for code in catalogue():
        try:
            accepted.append(rule_in_force(code, month).family)
        except RuleNotInForce:
            continue
    assert len(accepted) == len(set(accepted))


@pytest.mark.parametrize("listed", [{}, {"listed": "否"}])
def test_benefits_by_list_are_never_inferred(listed: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="名单"):
        compute_line("VAT_ADDDED_IC", 202506, {"input_vat": "1000", **listed})


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("VAT_SS_EXEMPT_2019", "period"),
        ("VAT_SS_EXEMPT_2021", "period"),
        ("VAT_SS_EXEMPT_2023", "period"),
        ("VAT_SS_THRESHOLD_2026", "period"),
        ("SURCHARGE_10W_EXEMPT", "period"),
        ("CIT_DISABLED_WAGE", "rate"),
        ("EMP_VETERAN_SELF", "months"),
        ("IIT_SAD_CHILD", "months"),
        ("IIT_SAD_CHILD", "share"),
        ("IIT_SAD_INFANT", "months"),
        ("IIT_SAD_LOAN", "months"),
        ("IIT_SAD_RENT", "months"),
        ("IIT_SAD_ELDER", "months"),
        ("IIT_RECON_EXEMPT", "withheld"),
    ],
)
def test_what_an_amount_hangs_on_is_never_taken_for_granted(code: str, missing: str) -> None:
    example = WORKED[code][0]
    rest = {key: value for key, value in example.inputs.items() if key != missing}
    assert len(rest) < len(example.inputs)
    with pytest.raises(InvalidInput, match=f"缺少「{BY_KEY[missing].header}」"):
        compute_line(code, example.month, rest, province=example.province)


@pytest.mark.parametrize("code", sorted(WORKED))
def test_missing_inputs_name_their_column(code: str) -> None:
    example = WORKED[code][0]
    for missing in example.inputs:
        rest = {key: value for key, value in example.inputs.items() if key != missing}
        try:
            line = compute_line(code, example.month, rest, province=example.province)
        except InvalidInput as error:
            assert error.details["field"] in BY_HEADER
        else:
            assert line.amount >= 0


@pytest.mark.parametrize(
    "text", ["", "abc", "-1", "1e5", "NaN", "Infinity", "1.234", "１００", "99999999999999999", "1_000"]
)
def test_bad_money_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="销售额"):
        parse_input(BY_HEADER["销售额"], text)


def test_inputs_are_read_as_people_write_them() -> None:
    cells = {"销售额": " 1,234.50 ", "进项构成比例": "98%", "计税期": "季", "奖金": " ", "备注": "x"}
    assert parse_inputs(cells) == {"sales": "1234.50", "input_ratio": "0.98", "period": "季"}
    for header, text in (("计税期", "年"), ("进项构成比例", "101%"), ("子女数", "1.5")):
        with pytest.raises(InvalidInput, match=header):
            parse_inputs({header: text})


money = st.decimals(min_value=0, max_value=10**10, places=2)


@given(money)
def test_tax_and_saving_add_up_to_the_full_rate(income: Decimal) -> None:
    line = compute_line("CIT_SLP_2023", 202512, {"income": str(income)})
    assert abs(line.amount + line.figures["payable"] - income / 4) <= Decimal("0.01")
    assert line.amount >= 0


@given(money, money)
def test_half_is_never_more_than_what_is_due(due: Decimal, other: Decimal) -> None:
    line = compute_line("SIX_TAX_HALF", 202506, {"due": str(due), "other_relief": str(other)})
    assert 0 <= line.amount <= due
    assert abs(line.amount * 2 - max(due - other, Decimal(0))) <= Decimal("0.01")


@given(money, money)
def test_credit_used_and_carried_add_up(base: Decimal, before: Decimal) -> None:
    inputs = {"input_vat": str(base), "payable_before": str(before), "listed": "是"}
    line = compute_line("VAT_ADDDED_ADVMFG", 202506, inputs)
    total = line.amount + line.figures["carried_forward"]
    assert abs(total - line.figures["credit"]) <= Decimal("0.01") and line.amount <= before


def test_rounding_is_half_up() -> None:
    assert to_fen(Decimal("0.005")) == Decimal("0.01")
    assert to_fen(Decimal("2.345")) == Decimal("2.35")
    assert parse_decimal("12.5%") == Decimal("0.125")
