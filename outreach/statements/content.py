"""The content of a yearly bill: pure, from facts to a document whose every line names basis and formula.

Amounts are texts with two decimals, so that the canonical JSON (sorted keys, no spaces) and its SHA-256 are
the same on every machine. A part's total is the sum of its lines; `earlier` holds what the families without
a line (nothing this year or last) add to the cumulative figure.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson
from cryptography.hazmat.primitives.hashes import SM3, Hash

from outreach.statements.benefit_lines import EFFECTS, effect_of, parts_of_many, unclaimed_part
from outreach.statements.benefits import Line, compute_line
from outreach.statements.canonical import TEXT, VALUE, canonical, form_of
from outreach.statements.due import due_rows
from outreach.statements.household import Household, TaxFact
from outreach.statements.money import ZERO
from outreach.statements.person import person_before, person_of
from outreach.statements.verified import verified

SCHEMA = 1
DIGESTS = {"sha256": "SHA-256", "sm3": "SM3"}
"""Check values by the setting `digest`, as documents name them."""


def build_bill(
    home: Household, year: int, today: date, entered: Mapping[int, date] | None = None
) -> dict[str, Any]:
    """The facts of the bill, without serial, version and time. Raises what `compute_line` raises."""
    return build_bills([home], year, today, entered)[0]


def build_bills(
    homes: Sequence[Household], year: int, today: date, entered: Mapping[int, date] | None = None
) -> list[dict[str, Any]]:
    """As `build_bill`, of many households in order.

    Step by step for all of them, because a processor is at its best in a short loop that does one thing: bill
    after bill takes an eighth longer. Some dozens at a time (drawing.py), so that each step still finds at
    hand what the one before it has made.
    """
    claimed, open_ = zip(*map(computed_lines, homes), strict=True) if homes else ((), ())
    parts = zip(
        map(payer_of, homes),
        [_paid(home.taxes) for home in homes],
        parts_of_many(EFFECTS, effect_of, claimed, [home.earlier for home in homes]),
        map(unclaimed_part, open_),
        map(credit_of, homes),
        [due_rows(home.kind, today, entered, lines) for home, lines in zip(homes, claimed, strict=True)],
        [person_of(home, year) for home in homes],
        [person_before(home) for home in homes],
        strict=True,
    )
    return [
        {
            "schema": SCHEMA,
            "kind": "yearly_bill",
            "year": year,
            "payer": payer,
            "paid": paid,
            "enjoyed": enjoyed,
            "unclaimed": unclaimed,
            "credit": credit,
            "due": due,
            "person": person,
            "person_last_year": last_year,
        }
        for payer, paid, enjoyed, unclaimed, credit, due, person, last_year in parts
    ]


def computed_lines(home: Household) -> tuple[list[Line], list[Line]]:
    """The year's benefits computed: those that were claimed, and those that may be claimed still.

    What comes to nothing is neither enjoyed nor to be had, and no document tells of it.
    """
    claimed: list[Line] = []
    open_: list[Line] = []
    province = home.province
    for month, code, is_claimed, inputs in home.benefits:
        line = compute_line(code, month, inputs, province=province)
        if line.amount:
            (claimed if is_claimed else open_).append(line)
    return claimed, verified(open_, home) if home.findings else open_


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
_AMOUNTS = {"declared": TEXT, "late_fee": TEXT, "paid": TEXT, "refunded": TEXT}
_TAX = form_of({**_AMOUNTS, "last_year": TEXT, "tax_type": VALUE})
_PAID = form_of({"last_year": TEXT, "rows": VALUE, "total": _AMOUNTS})


def _paid(taxes: Sequence[TaxFact]) -> orjson.Fragment:
    if len(taxes) > 1:
        taxes = sorted(taxes, key=_tax_type_of)
        taxes.sort(key=_paid_of, reverse=True)
    rows = []
    declared = paid = refunded = late_fee = last_year = ZERO
    for tax_type, of_declared, of_paid, of_refunded, of_late_fee, of_last_year in taxes:
        if of_declared or of_paid or of_refunded or of_late_fee or of_last_year:
            amounts = of_declared, of_last_year, of_late_fee, of_paid, of_refunded
            rows.append(_TAX % (*amounts, _quoted(tax_type)))
            last_year += of_last_year
            declared += of_declared
            paid += of_paid
            refunded += of_refunded
            late_fee += of_late_fee
    text = _PAID % (last_year, f"[{','.join(rows)}]", declared, late_fee, paid, refunded)
    return orjson.Fragment(text)


_quoted = lru_cache(maxsize=256)(canonical)
