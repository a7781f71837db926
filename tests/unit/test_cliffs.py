"""Cliffs: each limit that the scan knows is held against the computations, on both sides of it."""

from decimal import Decimal

import pytest

from outreach.statements.benefits import compute_line
from outreach.statements.cliffs import CLIFFS, Cliff, is_beyond, near_cliffs
from outreach.statements.rules import catalogue

OTHERS = {
    "sales": {"due": "900", "sales": "0"},
    "employees": {"due": "900"},
    "staff": {"income": "1000000"},
    "assets": {"income": "1000000"},
    "top_up": {"annual_income": "150000", "withheld": "是"},
    "annual_income": {"top_up": "500", "withheld": "是"},
}
PLACES = [
    pytest.param(cliff, code, id=f"{code}-{cliff.key}") for cliff in CLIFFS for code in sorted(cliff.codes)
]


def others_of(cliff: Cliff) -> dict[str, str]:
    return {key: value for key, value in OTHERS.get(cliff.key, {}).items() if key != cliff.key}


@pytest.mark.parametrize(("cliff", "code"), PLACES)
def test_the_computation_ends_where_the_cliff_says(cliff: Cliff, code: str) -> None:
    month, others = catalogue()[code].first_month, others_of(cliff)
    for period in ("月", "季", "次") if code == "VAT_SS_THRESHOLD_2026" else ("月", "季"):
        known = {**others, **({"period": period} if cliff.by_period else {})}
        last, first = cliff.sides({**known, cliff.key: "0"})
        inside = compute_line(code, month, {**known, cliff.key: last})
        beyond = compute_line(code, month, {**known, cliff.key: first})
        assert inside.amount > 0 == beyond.amount
        assert cliff.holds({**known, cliff.key: last}) and not cliff.holds({**known, cliff.key: first})
        assert is_beyond(code, {**known, cliff.key: first})


@pytest.mark.parametrize(
    ("income", "distance", "said"),
    [
        ("2850000", "150000", "150,000.00"),
        ("3000000", "0", "150,000.00"),
        ("3000000.00", "0.00", "150,000.00"),
        ("3000001", "-1", "750,000.00"),
    ],
)
def test_three_million_of_profit(income: str, distance: str, said: str) -> None:
    (near,) = near_cliffs("CIT_SLP_2023", 202512, {"income": income}, "")
    assert near.distance == Decimal(distance)
    assert said in near.inside.formula + near.beyond.formula
    assert is_beyond("CIT_SLP_2023", {"income": income}) == (Decimal(distance) < 0)


def test_who_is_far_from_the_cliff_is_not_told() -> None:
    assert not list(near_cliffs("CIT_SLP_2023", 202512, {"income": "2849999.99"}, ""))
    assert not list(near_cliffs("CIT_SLP_2023", 202512, {"income": "3150000.01"}, ""))


def test_a_step_that_changes_nothing_for_her_is_no_cliff() -> None:
    """With 400 people the income decides nothing; up to 120,000 yuan of income the amount owed does not."""
    assert not list(near_cliffs("CIT_SLP_2023", 202512, {"income": "3000000", "staff": "400"}, ""))
    assert not list(
        near_cliffs(
            "IIT_RECON_EXEMPT", 202512, {"top_up": "400", "annual_income": "90000", "withheld": "是"}, ""
        )
    )


@pytest.mark.parametrize(
    ("code", "month", "sales", "beyond"),
    [
        ("VAT_SS_EXEMPT_2023", 202512, "100000.00", False),
        ("VAT_SS_EXEMPT_2023", 202512, "100000.01", True),
        ("VAT_SS_THRESHOLD_2026", 202601, "99999.99", False),
        ("VAT_SS_THRESHOLD_2026", 202601, "100000.00", True),
    ],
)
def test_the_threshold_flips_with_the_vat_law(code: str, month: int, sales: str, beyond: bool) -> None:
    (near,) = near_cliffs(code, month, {"sales": sales, "period": "月"}, "")
    assert is_beyond(code, {"sales": sales, "period": "月"}) is beyond
    assert near.distance == 100_000 - Decimal(sales)
    assert near.cliff.included is (month < 202601)


@pytest.mark.parametrize(("owed", "beyond"), [("400.00", False), ("400.01", True)])
def test_four_hundred_yuan_owed(owed: str, beyond: bool) -> None:
    inputs = {"top_up": owed, "annual_income": "120000.01", "withheld": "是"}
    assert is_beyond("IIT_RECON_EXEMPT", {**inputs, "annual_income": "120000"}) is beyond
    assert compute_line("IIT_RECON_EXEMPT", 202512, inputs).amount == (0 if beyond else Decimal(owed))
    distances = [near.distance for near in near_cliffs("IIT_RECON_EXEMPT", 202512, inputs, "")]
    assert 400 - Decimal(owed) in distances


def test_a_rule_that_is_not_in_force_has_no_cliffs() -> None:
    assert not list(near_cliffs("VAT_SS_EXEMPT_2023", 202601, {"sales": "100000", "period": "月"}, ""))
