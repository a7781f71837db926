"""Who is entitled to what, as sets: an expression over the national labels per benefit, computed once for a
whole issue, never household by household.

An expression stands here only where labels or attributes settle the matter. A benefit by another ministry's
list has that list's label and nothing else; where there is no such label (machine tools), or where a purchase
or a contract decides, the benefit is told only to households whose records name it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from outreach.statements.rules import Rule, RuleNotInForce, rule_in_force

_COMPANIES = frozenset({"enterprise", "individual_business"})
_ENTERPRISE = frozenset({"enterprise"})
_BUSINESS = frozenset({"individual_business"})


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A benefit, the expression of those who are entitled (labels/language.py), the kinds of households."""

    code: str
    expression: str
    kinds: frozenset[str] = _COMPANIES


_SMALL_SCALE = "vat_status = small_scale"
ENTITLEMENTS: tuple[Entitlement, ...] = (
    # 含本数 up to 2025; from 2026 sales that reach the threshold are taxed in full.
    Entitlement("VAT_SS_EXEMPT_2023", f"{_SMALL_SCALE} and monthly_sales <= 100000"),
    Entitlement("VAT_SS_THRESHOLD_2026", f"{_SMALL_SCALE} and monthly_sales < 100000"),
    Entitlement("VAT_SS_3TO1_2023", _SMALL_SCALE),
    Entitlement("VAT_SS_3TO1_2026", _SMALL_SCALE),
    Entitlement("VAT_ADDDED_ADVMFG", "advanced_manufacturing", _ENTERPRISE),
    Entitlement("VAT_ADDDED_IC", "integrated_circuit", _ENTERPRISE),
    Entitlement("VAT_CREDIT_REFUND_2022", "credit_refund_eligible", _ENTERPRISE),
    Entitlement("VAT_CREDIT_REFUND_2025", "credit_refund_eligible", _ENTERPRISE),
    Entitlement("CIT_SLP_2023", "sme_low_profit", _ENTERPRISE),
    Entitlement("CIT_RND_100", "rnd and not integrated_circuit", _ENTERPRISE),
    Entitlement("CIT_RND_120", "rnd and integrated_circuit", _ENTERPRISE),
    Entitlement("CIT_HNTE_15", "hnte", _ENTERPRISE),
    Entitlement("CIT_DISABLED_WAGE", "employs_disabled", _ENTERPRISE),
    Entitlement("SIX_TAX_HALF", f"{_SMALL_SCALE} or sme_low_profit", _ENTERPRISE),
    Entitlement("SIX_TAX_HALF", "everyone", _BUSINESS),
    Entitlement("SURCHARGE_10W_EXEMPT", "monthly_sales <= 100000"),
    Entitlement("DPF_SMALL_EXEMPT", "employees <= 30", _ENTERPRISE),
    Entitlement("IIT_BIZ_HALF_200", "everyone", _BUSINESS),
    Entitlement("EMP_VETERAN_SELF", "veteran_self_employed", _BUSINESS),
    Entitlement("EMP_KEYGROUP_SELF", "graduate_self_employed", _BUSINESS),
)


def entitled_in(month: int) -> Iterator[tuple[str, Entitlement, Rule]]:
    """Name of a set, entitlement and rule, for what is in force in a month (yyyymm)."""
    for number, one in enumerate(ENTITLEMENTS):
        try:
            yield f"{one.code}#{number}", one, rule_in_force(one.code, month)
        except RuleNotInForce:
            continue


def entitled_codes(kind: str, marks: Mapping[str, object], month: int) -> list[str]:
    """Codes of the benefits that a household of this kind is entitled to by its marks, in a month."""
    return [one.code for name, one, _ in entitled_in(month) if kind in one.kinds and name in marks]
