"""Who stands behind a verified visit: the person who got the code, and the message that brought her."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault
from outreach.labels.keys import chunk_bits, label_key
from outreach.registry.search import mask_name, mask_number

_SQL = load_queries(__file__)
_CARE, _MONGOLIAN = "special_care", "mongolian_reader"


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


@dataclass(frozen=True, slots=True)
class Reading:
    """A language (zh, en, mn) and a size of print (normal, large)."""

    language: str
    size: str


async def find_visit(conn: Connection, vault: Vault, link: bytes) -> Visit | None:
    """The visit of a verified link; None when the link is gone or names no household for which its
    person still acts."""
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


async def reading_of(conn: Connection, link: bytes) -> Reading:
    """How the person of a verified link reads by what is on record: her language, and large print for who
    needs special care, by her own entry or by the label of a household that is hers (no enterprise)."""
    row = await (await conn.execute(_SQL["reading"], {"hash": link})).fetchone()
    if row is None:
        return Reading("zh", "normal")
    labels = await _labels_of(conn, row["own"]) if row["own"] else frozenset()
    language = "mn" if row["language"] == "zh" and _MONGOLIAN in labels else row["language"]
    return Reading(language, "large" if row["special_care"] or _CARE in labels else "normal")


async def _labels_of(conn: Connection, ids: Sequence[int]) -> frozenset[str]:
    keys = {label_key(code): code for code in (_CARE, _MONGOLIAN)}
    places = [(key, one >> chunk_bits(key)) for key in keys for one in ids]
    params = {"keys": [key for key, _ in places], "his": [hi for _, hi in places]}
    rows = await (await conn.execute(_SQL["chunks"], params)).fetchall()
    wanted = BitMap(ids)
    return frozenset(
        keys[row["set_key"]] for row in rows if wanted.intersect(BitMap.deserialize(bytes(row["data"])))
    )


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
