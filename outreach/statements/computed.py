"""What a computation takes beside its inputs, and what it gives."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from outreach.statements.inputs import Inputs
from outreach.statements.money import ZERO, to_fen


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
    for name in figures:
        figures[name] = to_fen(figures[name])
    return Computed(to_fen(amount), formula, figures)


def nothing(formula: str, **figures: Decimal) -> Computed:
    """No benefit, and the reason."""
    return computed(ZERO, formula, **figures)
