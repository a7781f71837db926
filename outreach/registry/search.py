"""Finding a household, and reading one with its persons; always within a data scope.

Numbers are found by blind index, company names by trigrams. Natural persons are not found by name: names
are encrypted and, having few values, never indexed.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import Vault, open_vault
from outreach.imports.cells import normalise
from outreach.imports.contacts import normal_mobile
from outreach.registry.people import ID_NO_PURPOSE, TAX_NO_PURPOSE
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
_MOST = 50
_SHORTEST_NAME = 2
# Tax numbers, identity numbers, telephones: six digits first. In names they would be looked for in vain, by
# trigrams that half the registry shares.
_NUMBER = re.compile(r"[0-9]{6,}[0-9A-Z]*")


@dataclass(frozen=True, slots=True)
class Found:
    """A household in a list of results; natural persons and numbers are masked."""

    id: int
    kind: str
    name: str
    tax_no: str
    org_id: int
    org_name: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a person; `value` is masked unless the household was opened in full."""

    id: int
    kind: str
    value: str
    usable: bool
    unusable_reason: str | None
    rcs: bool | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Person:
    """A person who acts for the household, in the order in which contacts are preferred."""

    id: int
    roles: tuple[str, ...]
    name: str
    id_no: str
    language: str
    birth_year: int | None
    special_care: bool
    is_contact: bool
    addresses: tuple[Address, ...]
    opt_outs: dict[str, datetime]


@dataclass(frozen=True, slots=True)
class Household:
    """A taxpayer with all its persons."""

    id: int
    kind: str
    name: str
    tax_no: str
    number_kind: str
    org_id: int
    org_name: str
    industry: str
    registered_on: date | None
    persons: tuple[Person, ...]


async def find_taxpayer(rt: Runtime, scope_org_id: int, text: str) -> list[Found]:
    """Households by tax number, a person's identity number, mobile number, or part of a company's name.

    At most fifty, nearest names first; what can only be a number is not looked for in names. Raises
    InvalidInput for less than two characters.
    """
    if len(text.strip()) < _SHORTEST_NAME:
        raise InvalidInput("请至少输入两个字", field="q")
    vault = open_vault(rt.settings)
    number = normalise(text)
    params = {
        "scope": scope_org_id,
        "tax_no": vault.blind_index(TAX_NO_PURPOSE, number),
        "id_no": vault.blind_index(ID_NO_PURPOSE, number),
        "mobile": vault.blind_index("address.mobile", normal_mobile(number)),
        "limit": _MOST,
    }
    async with rt.db.begin() as conn:
        rows = await (await conn.execute(_SQL["by_number"], params)).fetchall()
        if not rows and not _NUMBER.fullmatch(number):
            escaped = text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            params = {"scope": scope_org_id, "text": text.strip(), "pattern": f"%{escaped}%", "limit": _MOST}
            rows = await (await conn.execute(_SQL["by_name"], params)).fetchall()
    return [_found(vault, row) for row in rows]


async def get_household(
    rt: Runtime, scope_org_id: int, taxpayer_id: int, *, unmasked: bool = False
) -> Household:
    """One household with persons, addresses and refusals. Raises NotFound outside the scope.

    `unmasked` shows names and numbers in full: the caller checks the permission and writes the audit event.
    """
    vault = open_vault(rt.settings)
    params = {"scope": scope_org_id, "id": taxpayer_id}
    async with rt.db.begin() as conn:
        row = await (await conn.execute(_SQL["household"], params)).fetchone()
        if row is None:
            raise NotFound("没有这个户，或者它不在您的数据范围内")
        persons = await _persons(conn, vault, taxpayer_id, unmasked)
    tax_no = vault.decrypt("taxpayer", "tax_no_enc", row["id"], row["tax_no_enc"])
    own_name = next((person.name for person in persons if "self" in person.roles), "")
    return Household(
        id=row["id"],
        kind=row["kind"],
        name=row["name"] or own_name,
        tax_no=tax_no if unmasked or row["number_kind"] == "credit_code" else mask_number(tax_no),
        number_kind=row["number_kind"],
        org_id=row["org_id"],
        org_name=row["org_name"],
        industry=row["industry"],
        registered_on=row["registered_on"],
        persons=persons,
    )


async def _persons(conn: Connection, vault: Vault, taxpayer_id: int, unmasked: bool) -> tuple[Person, ...]:
    rows = await (await conn.execute(_SQL["persons"], {"id": taxpayer_id})).fetchall()
    ids = {"ids": [row["id"] for row in rows]}
    addresses = await (await conn.execute(_SQL["addresses"], ids)).fetchall()
    refusals = await (await conn.execute(_SQL["opt_outs"], ids)).fetchall()
    return tuple(_person(vault, row, addresses, refusals, unmasked) for row in rows)


def _person(
    vault: Vault,
    row: dict[str, Any],
    addresses: list[dict[str, Any]],
    refusals: list[dict[str, Any]],
    unmasked: bool,
) -> Person:
    name = vault.decrypt("person", "name_enc", row["id"], row["name_enc"])
    id_no = vault.decrypt("person", "id_no_enc", row["id"], row["id_no_enc"])
    return Person(
        id=row["id"],
        roles=tuple(row["roles"]),
        name=name if unmasked else mask_name(name),
        id_no=id_no if unmasked else mask_number(id_no),
        language=row["language"],
        birth_year=row["birth_year"],
        special_care=row["special_care"],
        is_contact=row["is_contact"],
        addresses=tuple(
            _address(vault, item, unmasked) for item in addresses if item["person_id"] == row["id"]
        ),
        opt_outs={item["channel"]: item["at"] for item in refusals if item["person_id"] == row["id"]},
    )


def _address(vault: Vault, row: dict[str, Any], unmasked: bool) -> Address:
    value = vault.decrypt("address", "value_enc", row["id"], row["value_enc"])
    shown = value if unmasked else mask_address(row["kind"], value)
    return Address(
        row["id"], row["kind"], shown, row["usable"], row["unusable_reason"], row["rcs"], row["verified_at"]
    )


def _found(vault: Vault, row: dict[str, Any]) -> Found:
    tax_no = vault.decrypt("taxpayer", "tax_no_enc", row["id"], row["tax_no_enc"])
    name = row["name"]
    if name is None:
        sealed = row["person_name_enc"]
        name = mask_name(vault.decrypt("person", "name_enc", row["person_id"], sealed)) if sealed else ""
    number = tax_no if row["number_kind"] == "credit_code" else mask_number(tax_no)
    return Found(row["id"], row["kind"], name, number, row["org_id"], row["org_name"])


def mask_name(name: str) -> str:
    """张三丰 -> 张**."""
    return name[:1] + "*" * (len(name) - 1)


def mask_number(number: str) -> str:
    """The first three and the last four characters: 110***********002X."""
    return f"{number[:3]}{'*' * max(len(number) - 7, 4)}{number[-4:]}"


def mask_address(kind: str, value: str) -> str:
    """138****8000; l***@example.com; oAb***yz12; zh****, for an account is often a name."""
    if kind == "email":
        local, _, domain = value.partition("@")
        return f"{local[:1]}***@{domain}"
    if kind.endswith("_userid"):
        return f"{value[:2]}****"
    return f"{value[:3]}****{value[-4:]}"
