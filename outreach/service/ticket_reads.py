"""Tickets as the person sees them: what she said, where it stands, what was answered; no notes of staff."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault

_SQL = load_queries(__file__)
_MOST = 20


@dataclass(frozen=True, slots=True)
class Said:
    """One answer; `is_told`: a word of the system, and no answer yet."""

    at: datetime
    text: str
    is_told: bool


@dataclass(frozen=True, slots=True)
class OwnTicket:
    """A ticket of the one who looks. `text` and `answers` are empty where she has not proved who she is."""

    number: str
    state: str
    due_on: date
    text: str
    answers: Sequence[Said]
    is_private: bool


async def own_tickets(conn: Connection, vault: Vault, person_id: int | None) -> list[OwnTicket]:
    """What a person has sent, newest first."""
    if person_id is None:
        return []
    params = {"person_id": person_id, "limit": _MOST}
    return await _opened(conn, vault, await (await conn.execute(_SQL["of_person"], params)).fetchall())


async def ticket_of_number(conn: Connection, vault: Vault, number: str) -> OwnTicket | None:
    """A ticket by its number, for whoever holds the number. What was sent under a name
    shows its state only."""
    rows = await (await conn.execute(_SQL["by_number"], {"number": number})).fetchall()
    found = await _opened(conn, vault, rows)
    if not found:
        return None
    one = found[0]
    if rows[0]["person_id"] is None:
        return one
    return OwnTicket(one.number, one.state, one.due_on, "", (), True)


async def _opened(conn: Connection, vault: Vault, rows: Sequence[Mapping[str, Any]]) -> list[OwnTicket]:
    ids = [row["id"] for row in rows]
    steps = await (await conn.execute(_SQL["answers"], {"ids": ids})).fetchall()
    said: dict[int, list[Said]] = {}
    for step in steps:
        text = vault.decrypt("ticket_step", "text_enc", step["id"], bytes(step["text_enc"]))
        said.setdefault(step["ticket_id"], []).append(Said(step["at"], text, step["is_told"]))
    return [
        OwnTicket(
            row["number"],
            row["state"],
            row["due_on"],
            vault.decrypt("ticket", "text_enc", row["id"], bytes(row["text_enc"])),
            said.get(row["id"], []),
            False,
        )
        for row in rows
    ]
