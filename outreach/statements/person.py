"""What comes of a natural person's year: the headline of her bill. Pure.

Nothing is promised or demanded that the facts do not bear: what has come back is no longer to be claimed, the
exemption from reconciliation holds where tax was withheld by law (domain 4.1, announcement 32 of 2023), and
where that is unknown, or the catalogue has no rule for the year, the reconciliation decides.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal

from outreach.statements.benefits import compute_line
from outreach.statements.household import Household, TaxFact
from outreach.statements.money import ZERO
from outreach.statements.rules import RuleNotInForce

Outcome = Literal["refund", "partly", "refunded", "even", "exempt", "paid_up", "unsettled", "top_up"]
GOOD_OUTCOMES: frozenset[str] = frozenset({"refund", "partly", "refunded", "even", "exempt", "paid_up"})
"""Those of which nothing is left to pay or to settle."""

_TAX = "个人所得税"
# IIT Law, article 2: the four kinds of income that are added up over the year.
_INCOMES = frozenset(
    {"综合所得", "工资薪金所得", "工资、薪金所得", "劳务报酬所得", "稿酬所得", "特许权使用费所得"}
)


def person_of(home: Household, year: int) -> dict[str, Any] | None:
    """Income, prepaid, tax, what came back, and the outcome with its amount; None where the year's figures
    are not known."""
    annual = home.annual
    if annual.income is None or annual.prepaid is None or annual.tax_due is None:
        return None
    refunded = sum([tax.refunded for tax in home.taxes if _is_comprehensive(tax, named=False)], ZERO)
    outcome, amount = _outcome(home, year, annual.prepaid - annual.tax_due, refunded)
    return {
        "income": str(annual.income),
        "prepaid": str(annual.prepaid),
        "tax_due": str(annual.tax_due),
        "refunded": str(refunded),
        "balance": str(amount),
        "outcome": outcome,
    }


def person_before(home: Household) -> dict[str, str] | None:
    """What the figures of a natural person are compared with; None where the year before is not known."""
    annual = home.last_annual
    if (
        home.annual.income is None
        or annual.income is None
        or annual.prepaid is None
        or annual.tax_due is None
    ):
        return None
    return {"income": str(annual.income), "prepaid": str(annual.prepaid), "tax_due": str(annual.tax_due)}


def _outcome(home: Household, year: int, balance: Decimal, refunded: Decimal) -> tuple[Outcome, Decimal]:
    if balance > 0:
        if refunded >= balance:
            return "refunded", refunded
        return ("partly", balance - refunded) if refunded else ("refund", balance)
    if balance < 0 and _is_settled(home):
        return "paid_up", -balance
    if refunded:
        return "unsettled", refunded - balance
    return ("even", ZERO) if balance == 0 else (_owed(home, year, -balance), -balance)


def _is_settled(home: Household) -> bool:
    """Whether what she paid on comprehensive income, less what came back, covers the year's tax."""
    due, taxes = home.annual.tax_due, [tax for tax in home.taxes if _is_comprehensive(tax, named=True)]
    return due is not None and bool(taxes) and _paid(taxes) >= due


def _paid(taxes: Iterable[TaxFact]) -> Decimal:
    return sum([tax.paid - tax.refunded for tax in taxes], ZERO)


def _is_comprehensive(tax: TaxFact, *, named: bool) -> bool:
    """Whether a tax type is that of comprehensive income; `named`: only where it says so itself, because the
    tax on other incomes may have been paid under the plain name."""
    if not tax.tax_type.startswith(_TAX):
        return False
    said = tax.tax_type.removeprefix(_TAX).strip("（）() ")
    return said in _INCOMES or not (said or named)


def _owed(home: Household, year: int, owed: Decimal) -> Outcome:
    withheld = home.annual.withheld
    inputs = {
        "annual_income": str(home.annual.income),
        "top_up": str(owed),
        "withheld": "否" if withheld is False else "是",
    }
    try:
        line = compute_line("IIT_RECON_EXEMPT", year * 100 + 12, inputs)
    except RuleNotInForce:
        return "unsettled"
    if line.figures["payable"]:
        return "top_up"
    return "exempt" if withheld else "unsettled"
