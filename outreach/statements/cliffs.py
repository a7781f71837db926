"""Cliffs: inputs at which a benefit ends at once, so that one yuan more costs much (临界).

The limits are those of the computations; `tests/unit/test_cliffs.py` holds each of them against
`compute_line`, so this is no second set of rules but the list of places at which to look. Whether the step
matters to a household is asked of the computations themselves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from outreach.errors import InvalidInput
from outreach.statements.benefits import Line, compute_line
from outreach.statements.inputs import BY_KEY
from outreach.statements.money import ZERO

# What the monthly limit becomes; each occasion has a hundredth (1,000 yuan, No. 10 of 2026).
_PERIODS = {"月": Decimal(1), "季": Decimal(3), "次": Decimal("0.01")}
_FEN = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Cliff:
    """The limit of one input of some benefits. `included`: who stands on it still has the benefit. `near`:
    at which distance a household is told. `by_period`: the limit is a month's; a quarter has its own."""

    codes: frozenset[str]
    key: str
    limit: Decimal
    near: Decimal
    included: bool = True
    by_period: bool = False

    def limit_of(self, inputs: Mapping[str, str]) -> Decimal:
        """The limit for what was reported."""
        return self.limit * _PERIODS[inputs["period"]] if self.by_period else self.limit

    def sides(self, inputs: Mapping[str, str]) -> tuple[str, str]:
        """The last value with the benefit and the first without it, as inputs."""
        step, limit = Decimal(1) if BY_KEY[self.key].kind == "count" else _FEN, self.limit_of(inputs)
        last, first = (limit, limit + step) if self.included else (limit - step, limit)
        return f"{last:f}", f"{first:f}"

    def holds(self, inputs: Mapping[str, str]) -> bool:
        """Whether the reported value lies on the side of the benefit."""
        return Decimal(inputs[self.key]) <= Decimal(self.sides(inputs)[0])


class Near(NamedTuple):
    """A value near a cliff. `distance` is what is left up to the limit, negative beyond it; the lines tell
    the benefit on both sides."""

    cliff: Cliff
    value: Decimal
    limit: Decimal
    distance: Decimal
    inside: Line
    beyond: Line


def _cliff(codes: str, key: str, limit: int, near: int, **how: bool) -> Cliff:
    return Cliff(frozenset(codes.split()), key, Decimal(limit), Decimal(near), **how)


_SLP = "CIT_SLP_2019 CIT_SLP_2021 CIT_SLP_2022 CIT_SLP_2023"
CLIFFS: tuple[Cliff, ...] = (
    _cliff("VAT_SS_EXEMPT_2019 VAT_SS_EXEMPT_2023", "sales", 100_000, 5_000, by_period=True),
    _cliff("VAT_SS_EXEMPT_2021", "sales", 150_000, 7_500, by_period=True),
    # From 2026 sales that reach the threshold are taxed in full.
    _cliff("VAT_SS_THRESHOLD_2026", "sales", 100_000, 5_000, included=False, by_period=True),
    _cliff("SURCHARGE_10W_EXEMPT", "sales", 100_000, 5_000, by_period=True),
    _cliff(_SLP, "income", 3_000_000, 150_000),
    _cliff(_SLP, "staff", 300, 10),
    _cliff(_SLP, "assets", 50_000_000, 2_500_000),
    _cliff("DPF_SMALL_EXEMPT", "employees", 30, 2),
    _cliff("CIT_EQUIP_500", "unit_price", 5_000_000, 250_000),
    _cliff("IIT_RECON_EXEMPT", "top_up", 400, 20),
    _cliff("IIT_RECON_EXEMPT", "annual_income", 120_000, 6_000),
)


def cliffs_of(code: str, inputs: Mapping[str, str]) -> Iterator[Cliff]:
    """The cliffs of a benefit whose input is known."""
    return (
        cliff
        for cliff in CLIFFS
        if code in cliff.codes and cliff.key in inputs and (not cliff.by_period or "period" in inputs)
    )


def is_beyond(code: str, inputs: Mapping[str, str]) -> bool:
    """Whether the value of some cliff lies on the side without the benefit."""
    return any(not cliff.holds(inputs) for cliff in cliffs_of(code, inputs))


def near_cliffs(code: str, month: int, inputs: Mapping[str, str], province: str) -> Iterator[Near]:
    """The cliffs that are near, and at which this household has the benefit on one side and not on the other;
    none where the rule is not in force or other inputs are missing."""
    for cliff in cliffs_of(code, inputs):
        value, limit = Decimal(inputs[cliff.key]), cliff.limit_of(inputs)
        if abs(limit - value) > cliff.near:
            continue
        try:
            inside, beyond = (
                compute_line(code, month, {**inputs, cliff.key: side}, province=province)
                for side in cliff.sides(inputs)
            )
        except InvalidInput:
            continue
        if inside.amount > ZERO and beyond.amount == ZERO:
            yield Near(cliff, value, limit, limit - value, inside, beyond)
