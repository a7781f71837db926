"""What a computation takes beside its inputs, and what it gives."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from outreach.statements.inputs import Inputs
from outreach.statements.money import FEN, ZERO


class Context(NamedTuple):
    """The tax period (yyyymm; 0 unless the code stands in its module's BY_MONTH) and the province (GB/T 2260
    code, '' when unknown)."""

    code: str
    month: int
    province: str = ""


class Computed(NamedTuple):
    """`amount` is the benefit in yuan, rounded to the fen; `figures` hold what else the rule determines
    (tax payable, deductible, carried forward, month in which a deferral matures …)."""

    amount: Decimal
    formula: str
    figures: Mapping[str, Decimal]


Computation = Callable[[Inputs, Context], Computed]


def computed(amount: Decimal, formula: str, **figures: Decimal) -> Computed:
    """A result with everything rounded to the fen."""
    # What `to_fen` does, without a call for each.
    for name, figure in figures.items():
        figures[name] = figure.quantize(FEN, ROUND_HALF_UP)
    return Computed(amount.quantize(FEN, ROUND_HALF_UP), formula, figures)


def nothing(formula: str, **figures: Decimal) -> Computed:
    """No benefit, and the reason."""
    return computed(ZERO, formula, **figures)
