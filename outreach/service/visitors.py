"""Who stands behind a verified visit: the person who got the code, and the message that brought her."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault
from outreach.registry.search import mask_name, mask_number

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Household:
    """A household as its own people see it: a natural person's name and every number are masked."""

    id: int
    name: str
    number: str
    org_id: int
    bureau: str


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known of a visit: `link` is the hash of its link, `verified_at` when the code was right."""

    link: bytes
    person_id: int | None
    round_id: int | None
    message_id: int | None
    campaign_id: int | None
    verified_at: datetime | None
    households: Sequence[Household]

    def household(self, n: int) -> Household:
        """The n-th household; the first one for a number that there is not."""
        return self.households[n if 0 <= n < len(self.households) else 0]


async def find_visit(conn: Connection, vault: Vault, link: bytes) -> Visit | None:
    """The visit of a verified link; None when the link is gone or names no household."""
    row = await (await conn.execute(_SQL["visit"], {"hash": link})).fetchone()
    if row is None:
        return None
    found = await households_of(conn, vault, row["taxpayer_ids"])
    if not found:
        return None
    return Visit(
        link=link,
        person_id=row["person_id"],
        round_id=row["round_id"],
        message_id=row["message_id"],
        campaign_id=row["campaign_id"],
        verified_at=row["verified_at"],
        households=found,
    )


async def landing_of(conn: Connection, link: bytes) -> tuple[bool, bool]:
    """Whether a fresh visit begins with the answers rather than the statement, and whether it has one."""
    row = await (await conn.execute(_SQL["landing"], {"hash": link})).fetchone()
    return (row["answers"], row["has_bill"]) if row else (False, False)


async def households_of(conn: Connection, vault: Vault, ids: Sequence[int]) -> list[Household]:
    """Households by id, in the order of the ids."""
    rows = await (await conn.execute(_SQL["households"], {"ids": list(ids)})).fetchall()
    return [_opened(vault, row) for row in rows]


def _opened(vault: Vault, row: dict[str, Any]) -> Household:
    name = row["name"]
    if name is None and row["person_id"] is not None:
        name = mask_name(vault.decrypt("person", "name_enc", row["person_id"], bytes(row["name_enc"])))
    number = vault.decrypt("taxpayer", "tax_no_enc", row["id"], bytes(row["tax_no_enc"]))
    return Household(row["id"], name or "", mask_number(number), row["org_id"], row["bureau"])
