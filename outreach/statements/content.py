"""The content of a yearly bill: pure, from facts to a document whose every line names basis and formula.

Amounts are texts with two decimals, so that the canonical JSON (sorted keys, no spaces) and its SHA-256 are
the same on every machine. A part's total is the sum of its lines; `earlier` holds what the families without
a line (nothing this year or last) add to the cumulative figure.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

from cryptography.hazmat.primitives.hashes import SM3, Hash

from outreach.statements.benefit_lines import EFFECTS, effect_of, parts_by, unclaimed_part
from outreach.statements.benefits import Line, compute_line
from outreach.statements.canonical import canonical
from outreach.statements.due import due_rows
from outreach.statements.household import Household, TaxFact
from outreach.statements.money import ZERO
from outreach.statements.rules import RuleNotInForce

SCHEMA = 1
DIGESTS = {"sha256": "SHA-256", "sm3": "SM3"}
"""Check values by the setting `digest`, as documents name them."""


def build_bill(
    home: Household, year: int, today: date, entered: Mapping[int, date] | None = None
) -> dict[str, Any]:
    """The facts of the bill, without serial, version and time. Raises what `compute_line` raises."""
    claimed, open_ = computed_lines(home)
    return {
        "schema": SCHEMA,
        "kind": "yearly_bill",
        "year": year,
        "payer": payer_of(home),
        "paid": _paid(home.taxes),
        "enjoyed": parts_by(EFFECTS, effect_of, claimed, home.earlier),
        "unclaimed": unclaimed_part(open_),
        "credit": credit_of(home),
        "due": due_rows(home.kind, today, entered, claimed),
        "person": _person(home, year),
    }


def computed_lines(home: Household) -> tuple[list[Line], list[Line]]:
    """The year's benefits computed: those that were claimed, and those that were not."""
    claimed: list[Line] = []
    open_: list[Line] = []
    for fact in home.benefits:
        line = compute_line(fact.code, fact.month, fact.inputs, province=home.province)
        (claimed if fact.claimed else open_).append(line)
    return claimed, open_


def payer_of(home: Household) -> dict[str, str]:
    """Whom a document is about."""
    return {
        "kind": home.kind,
        "name": home.name,
        "tax_no": home.masked_tax_no,
        "authority": home.authority,
    }


def credit_of(home: Household) -> dict[str, str | None]:
    """The credit grade of the year and of the year before."""
    return {"grade": home.annual.credit_grade, "last_grade": home.last_grade}


def lasting(content: Mapping[str, Any]) -> str:
    """The canonical text of what decides about a new version: due dates move by themselves and do not."""
    return canonical({name: part for name, part in content.items() if name != "due"})


def content_hash(text: str | bytes, algorithm: str = "sha256") -> bytes:
    """SHA-256 or SM3 (GB/T 32905) of the canonical text: 32 bytes."""
    encoded = text.encode() if isinstance(text, str) else text
    if algorithm == "sha256":
        return hashlib.sha256(encoded).digest()
    hashed = Hash(SM3())
    hashed.update(encoded)
    return hashed.finalize()


def digest_of(content: Mapping[str, Any]) -> str:
    """The algorithm of a document's check value, a key of DIGESTS; SHA-256 where it says nothing."""
    algorithm: str = content["issue"].get("digest", "sha256")
    return algorithm


_tax_type_of = attrgetter("tax_type")
_paid_of = attrgetter("paid")


def _paid(taxes: Sequence[TaxFact]) -> dict[str, Any]:
    facts = [t for t in taxes if t.declared or t.paid or t.refunded or t.late_fee]
    if len(facts) > 1:
        facts.sort(key=_tax_type_of)
        facts.sort(key=_paid_of, reverse=True)
    rows = []
    declared = paid = refunded = late_fee = ZERO
    for fact in facts:
        rows.append({"tax_type": fact.tax_type, **_amounts(*fact[1:5])})
        declared += fact.declared
        paid += fact.paid
        refunded += fact.refunded
        late_fee += fact.late_fee
    return {
        "rows": rows,
        "total": _amounts(declared, paid, refunded, late_fee),
        "last_year": str(sum([t.paid_last_year for t in taxes], ZERO)),
    }


def _amounts(declared: Decimal, paid: Decimal, refunded: Decimal, late_fee: Decimal) -> dict[str, str]:
    return {
        "declared": str(declared),
        "paid": str(paid),
        "refunded": str(refunded),
        "late_fee": str(late_fee),
    }


def _person(home: Household, year: int) -> dict[str, Any] | None:
    """Natural persons: income, prepaid, tax, and what comes of it."""
    annual = home.annual
    if annual.income is None or annual.prepaid is None or annual.tax_due is None:
        return None
    balance = annual.prepaid - annual.tax_due
    outcome = "refund" if balance > 0 else "even" if balance == 0 else _owed(annual.income, -balance, year)
    return {
        "income": str(annual.income),
        "prepaid": str(annual.prepaid),
        "tax_due": str(annual.tax_due),
        "balance": str(abs(balance)),
        "outcome": outcome,
    }


def _owed(income: Decimal, owed: Decimal, year: int) -> str:
    inputs = {"annual_income": str(income), "top_up": str(owed)}
    try:
        line = compute_line("IIT_RECON_EXEMPT", year * 100 + 12, inputs)
    except RuleNotInForce:
        return "top_up"
    return "exempt" if line.figures["payable"] == 0 else "top_up"
