"""The headline of a natural person's bill says what is so: refunded, exempt, owed, or still to be settled."""

from decimal import Decimal

import pytest

from outreach.statements.household import AnnualFact, Household, TaxFact
from outreach.statements.person import GOOD_OUTCOMES, person_of

ZERO = Decimal("0.00")
OWN = "个人所得税（综合所得）"


def told(
    income: str,
    prepaid: str,
    due: str,
    *,
    year: int = 2025,
    withheld: bool | None = True,
    taxes: tuple[tuple[str, str, str], ...] = (),
) -> tuple[str, str]:
    """Outcome and amount; `taxes`: type, paid, refunded."""
    annual = AnnualFact(None, *(Decimal(text).quantize(ZERO) for text in (income, prepaid, due)), withheld)
    facts = [
        TaxFact(name, ZERO, Decimal(paid).quantize(ZERO), Decimal(back).quantize(ZERO), ZERO, ZERO)
        for name, paid, back in taxes
    ]
    home = Household(
        1, "natural_person", "张示例", "1101****0011", "税务局", "15", taxes=facts, annual=annual
    )
    person = person_of(home, year)
    assert person is not None
    return person["outcome"], person["balance"]


@pytest.mark.parametrize(
    ("income", "prepaid", "due", "outcome", "amount"),
    [
        ("168000", "6200", "5480", "refund", "720.00"),
        ("168000", "5480", "5480", "even", "0.00"),
        ("168000", "5080", "5480", "exempt", "400.00"),
        ("168000", "5079.99", "5480", "top_up", "400.01"),
        ("120000", "0", "5480", "exempt", "5480.00"),
        ("120000.01", "0", "5480", "top_up", "5480.00"),
    ],
)
def test_what_the_figures_of_the_year_say(
    income: str, prepaid: str, due: str, outcome: str, amount: str
) -> None:
    assert told(income, prepaid, due) == (outcome, amount)


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        ("0", ("refund", "5000.00")),
        ("4999.99", ("partly", "0.01")),
        ("5000", ("refunded", "5000.00")),
        ("5000.01", ("refunded", "5000.01")),
    ],
)
@pytest.mark.parametrize("name", [OWN, "个人所得税", "个人所得税(工资薪金所得)"])
def test_what_came_back_is_not_offered_again(name: str, back: str, expected: tuple[str, str]) -> None:
    assert told("200000", "15000", "10000", taxes=((name, "15000", back),)) == expected


@pytest.mark.parametrize("name", ["个人所得税（经营所得）", "个人所得税（财产转让所得）", "增值税"])
def test_refunds_of_other_taxes_are_none_of_hers(name: str) -> None:
    assert told("200000", "15000", "10000", taxes=((name, "0", "5000"),)) == ("refund", "5000.00")


def test_a_refund_where_none_was_due_is_still_to_be_settled() -> None:
    assert told("200000", "10000", "10000", taxes=((OWN, "10000", "60"),)) == ("unsettled", "60.00")


def test_who_has_paid_owes_nothing() -> None:
    for paid, expected in (("10000", "paid_up"), ("9999.99", "top_up")):
        assert told("200000", "9000", "10000", taxes=((OWN, paid, "0"),)) == (expected, "1000.00")
    # Under the plain name the tax on other incomes may have been paid too.
    assert told("200000", "9000", "10000", taxes=(("个人所得税", "99999", "0"),))[0] == "top_up"
    assert told("200000", "0", "0")[0] == "even"


@pytest.mark.parametrize(
    ("withheld", "small", "large"),
    [(True, "exempt", "top_up"), (False, "top_up", "top_up"), (None, "unsettled", "top_up")],
)
def test_the_exemption_needs_withholding(withheld: bool | None, small: str, large: str) -> None:
    assert told("90000", "0", "1000", withheld=withheld)[0] == small
    assert told("120000.01", "0", "400.01", withheld=withheld)[0] == large


@pytest.mark.parametrize(
    ("year", "outcome"), [(2019, "unsettled"), (2023, "unsettled"), (2024, "exempt"), (2027, "exempt")]
)
def test_years_whose_rule_is_not_in_the_catalogue_are_left_to_the_reconciliation(
    year: int, outcome: str
) -> None:
    assert told("90000", "0", "100", year=year)[0] == outcome
    assert told("500000", "0", "90000", year=2028)[0] == "unsettled"


def test_only_what_is_settled_or_to_her_good_is_green() -> None:
    assert not GOOD_OUTCOMES & {"top_up", "unsettled"}
