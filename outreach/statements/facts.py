"""The facts of a block of households: read as plain values, which travel to another process cheaply, and
turned into what bills are built from there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
from psycopg.rows import tuple_row

from outreach.db.pool import Connection
from outreach.governance.vault import Vault
from outreach.statements.household import (
    AnnualFact,
    BenefitFact,
    EarlierFact,
    FindingFact,
    Household,
    TaxFact,
    mask_tax_no,
)

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What the queries gave, amounts and inputs still as texts; all but `homes` begin with the household.

    homes: id, kind, name, masked number, authority, unit; taxes: type, declared, paid, refunded, late fee,
    paid last year; benefits: month, code, claimed, inputs; earlier: code, last year, before; annual: year,
    grade, income, prepaid, tax due, withheld; findings: code, direction, confirmed, entries; marks: name,
    value.
    """

    province: str
    homes: Sequence[Values]
    taxes: Sequence[Values]
    benefits: Sequence[Values]
    earlier: Sequence[Values]
    annual: Sequence[Values]
    findings: Sequence[Values] = ()
    marks: Sequence[Values] = ()


async def read_facts(
    conn: Connection,
    queries: Mapping[str, str],
    page: Mapping[str, Any],
    periods: Mapping[str, int],
    vault: Vault,
    province: str,
) -> BlockFacts:
    """Six queries for the whole block. Raises SealBroken for altered values."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(queries["households"], page)
        homes = [_home(row, vault) for row in await cursor.fetchall()]
        params = {"ids": [home[0] for home in homes], **periods}
        found = [
            await (await cursor.execute(queries[name], params)).fetchall()
            for name in ("taxes", "benefits", "earlier", "annual", "findings")
        ]
    found[-1] = [_finding(row, vault) for row in found[-1]]
    return BlockFacts(province, homes, *found)


def _finding(row: Values, vault: Vault) -> Values:
    """Opened only where it may be told."""
    taxpayer_id, code, direction, confirmed, finding_id, evidence_enc = row
    entries: Sequence[Mapping[str, Any]] = ()
    if confirmed:
        entries = orjson.loads(vault.decrypt("finding", "evidence_enc", finding_id, evidence_enc))["entries"]
    return taxpayer_id, code, direction, confirmed, entries


def _home(row: Values, vault: Vault) -> Values:
    taxpayer_id, kind, name, tax_no_enc, authority, org_id, person_id, name_enc = row
    if name is None:
        name = vault.decrypt("person", "name_enc", person_id, name_enc) if name_enc else "（未登记姓名）"
    number = vault.decrypt("taxpayer", "tax_no_enc", taxpayer_id, tax_no_enc)
    return taxpayer_id, kind, name, mask_tax_no(number), authority, org_id


# A block has tens of thousands of them, and their own constructors take nearly twice as long.
_tax = partial(tuple.__new__, TaxFact)
_benefit = partial(tuple.__new__, BenefitFact)
_earlier = partial(tuple.__new__, EarlierFact)


def households(facts: BlockFacts, year: int) -> list[Household]:
    """The households of a block, in order, for the bill of a year."""
    homes = {
        taxpayer_id: Household(taxpayer_id, kind, name, masked, authority, facts.province)
        for taxpayer_id, kind, name, masked, authority, _ in facts.homes
    }
    for taxpayer_id, tax_type, declared, paid, refunded, late_fee, paid_last_year in facts.taxes:
        amounts = Decimal(declared), Decimal(paid), Decimal(refunded), Decimal(late_fee)
        homes[taxpayer_id].taxes.append(_tax((tax_type, *amounts, Decimal(paid_last_year))))
    parsed: dict[str, Mapping[str, str]] = {}
    for taxpayer_id, month, code, claimed, text in facts.benefits:
        inputs = parsed.get(text)
        if inputs is None:
            inputs = parsed[text] = orjson.loads(text)
        homes[taxpayer_id].benefits.append(_benefit((month, code, claimed, inputs)))
    for taxpayer_id, code, last_year, before in facts.earlier:
        homes[taxpayer_id].earlier.append(_earlier((code, Decimal(last_year), Decimal(before))))
    for taxpayer_id, of_year, grade, *texts, withheld in facts.annual:
        home = homes[taxpayer_id]
        income, prepaid, due = [None if text is None else Decimal(text) for text in texts]
        annual = AnnualFact(grade, income, prepaid, due, withheld)
        if of_year == year:
            home.annual = annual
        else:
            home.last_annual, home.last_grade = annual, grade
    for taxpayer_id, *finding in facts.findings:
        homes[taxpayer_id].findings.append(FindingFact(*finding))
    for taxpayer_id, name, value in facts.marks:
        homes[taxpayer_id].marks[name] = value
    return list(homes.values())
