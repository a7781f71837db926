"""From a reported benefit to a line that a taxpayer can check: amount, formula, document, how to claim."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import NamedTuple

from outreach.errors import InvalidInput
from outreach.statements import cit, iit, local_taxes, vat
from outreach.statements.computed import Computation, Computed, Context
from outreach.statements.inputs import Inputs
from outreach.statements.rules import LISTED, Rule, catalogue, rule_in_force

CAVEAT = "以主管税务机关核定为准"
DEDUCTION_CAVEAT = "扣除额从应纳税所得额中减去，不等于退税额"
COMPUTATIONS: Mapping[str, Computation] = {
    **vat.COMPUTATIONS,
    **cit.COMPUTATIONS,
    **iit.COMPUTATIONS,
    **local_taxes.COMPUTATIONS,
}

BY_MONTH = vat.BY_MONTH | cit.BY_MONTH | local_taxes.BY_MONTH


class Line(NamedTuple):
    """One computed benefit of one household in one tax period."""

    rule: Rule
    month: int
    amount: Decimal
    formula: str
    figures: Mapping[str, Decimal]

    @property
    def is_timing(self) -> bool:
        """Paid later or deducted earlier, not less: never part of what was spared."""
        return self.rule.effect == "timing"

    @property
    def caveat(self) -> str:
        """What must stand beside the amount."""
        return caveat_of(self.rule)


# A bill has many lines, and its own constructor takes nearly twice as long.
_line = partial(tuple.__new__, Line)


def caveat_of(rule: Rule) -> str:
    """What must stand beside the amounts of a rule."""
    return f"{DEDUCTION_CAVEAT}；{CAVEAT}" if rule.effect == "deduction" else CAVEAT


def compute_line(code: str, month: int, inputs: Mapping[str, str], *, province: str = "") -> Line:
    """Compute one benefit by the rule in force in the tax period (yyyymm).

    `inputs` are keys of `inputs.BY_KEY` to canonical texts. Raises RuleNotInForce, or InvalidInput naming the
    column that is missing or wrong; for benefits by list also when the list was not checked.
    """
    rule, when = _way(code, month)
    return _line((rule, month, *_result(code, when, province, tuple(inputs.items()))))


@lru_cache(maxsize=64)
def _result(code: str, when: int, province: str, items: tuple[tuple[str, str], ...]) -> Computed:
    """Kept, because many report the same: two children, each month's purchase, a shop below the threshold.
    Not many are kept, so that they stay in the processor's cache."""
    given = Inputs(dict(items))
    if code in LISTED:
        _require_listed(catalogue()[code], given)
    return COMPUTATIONS[code](given, _context(code, when, province))


_context = lru_cache(maxsize=1_024)(Context)


@lru_cache(maxsize=4_096)
def _way(code: str, month: int) -> tuple[Rule, int]:
    """The rule, and the month if its computation looks at it: else every month is computed alike."""
    rule = rule_in_force(code, month)
    return rule, month if code in BY_MONTH else 0


def _require_listed(rule: Rule, inputs: Inputs) -> None:
    if not (inputs.has("listed") and inputs.yes("listed")):
        raise InvalidInput(
            f"「{rule.name}」以主管部门名单为准，请先核对名单并在「核对名单」列填写「是」。", field="核对名单"
        )
