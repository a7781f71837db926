"""Reading the facts of a block of households."""

from collections.abc import Iterable, Mapping
from typing import Any

from outreach.db.pool import Connection
from outreach.governance.vault import Vault
from outreach.statements.content import (
    AnnualFact,
    BenefitFact,
    EarlierFact,
    Household,
    TaxFact,
    mask_tax_no,
)


def read_households(rows: Iterable[Mapping[str, Any]], vault: Vault, province: str) -> dict[int, Household]:
    """Names and masked numbers, by id in order. Raises SealBroken for altered values."""
    homes: dict[int, Household] = {}
    for row in rows:
        name = row["name"]
        if name is None:
            sealed = row["name_enc"]
            name = (
                vault.decrypt("person", "name_enc", row["person_id"], sealed) if sealed else "（未登记姓名）"
            )
        number = vault.decrypt("taxpayer", "tax_no_enc", row["id"], row["tax_no_enc"])
        homes[row["id"]] = Household(
            row["id"], row["kind"], name, mask_tax_no(number), row["authority"], province
        )
    return homes


async def fill_facts(
    conn: Connection, queries: Mapping[str, str], homes: Mapping[int, Household], periods: Mapping[str, int]
) -> None:
    """Four queries for the whole block."""
    params = {"ids": list(homes), **periods}
    for row in await (await conn.execute(queries["taxes"], params)).fetchall():
        homes[row["taxpayer_id"]].taxes.append(_tax(row))
    for row in await (await conn.execute(queries["benefits"], params)).fetchall():
        fact = BenefitFact(row["month"], row["benefit_code"], row["claimed"], row["inputs"])
        homes[row["taxpayer_id"]].benefits.append(fact)
    for row in await (await conn.execute(queries["earlier"], params)).fetchall():
        fact_before = EarlierFact(row["benefit_code"], row["last_year"], row["before"])
        homes[row["taxpayer_id"]].earlier.append(fact_before)
    for row in await (await conn.execute(queries["annual"], params)).fetchall():
        _set_annual(homes[row["taxpayer_id"]], row, periods["year"])


def _tax(row: Mapping[str, Any]) -> TaxFact:
    return TaxFact(
        row["tax_type"], row["declared"], row["paid"], row["refunded"], row["late_fee"], row["paid_last_year"]
    )


def _set_annual(home: Household, row: Mapping[str, Any], year: int) -> None:
    if row["year"] == year:
        home.annual = AnnualFact(row["credit_grade"], row["income"], row["prepaid"], row["tax_due"])
    else:
        home.last_grade = row["credit_grade"]
