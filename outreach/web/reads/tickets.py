"""Tickets as staff see them: the list with its clocks, one ticket with all its steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.governance.vault import Vault
from outreach.web.reads.paging import PAGE, Page, decode_cursor, page_of

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class WantedTickets:
    """Which tickets; empty: all. `state` may also be `unanswered` (open or in hand) or `overdue`."""

    state: str = "unanswered"
    source: str = ""
    number: str = ""


async def list_tickets(
    conn: Connection,
    vault: Vault,
    actor: Actor,
    wanted: WantedTickets,
    *,
    cursor: str = "",
    limit: int = PAGE,
) -> Page:
    """Tickets of the scope, those whose clock ends first at the top."""
    day, last = _place(cursor) if cursor else (date.min, 0)
    params = {
        "path": actor.org_path,
        "state": wanted.state,
        "source": wanted.source,
        "number": wanted.number,
        "day": day,
        "after": last,
        "limit": limit + 1,
    }
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of([_opened(vault, row) for row in rows], limit, "due", "id")


async def find_ticket(conn: Connection, vault: Vault, actor: Actor, ticket_id: int) -> dict[str, Any]:
    """One ticket with its steps in order. Raises NotFound outside the scope."""
    row = await (await conn.execute(_SQL["one"], {"path": actor.org_path, "id": ticket_id})).fetchone()
    if row is None:
        raise NotFound("没有这个工单，或者它不在您的数据范围内。")
    steps = await (await conn.execute(_SQL["steps"], {"id": ticket_id})).fetchall()
    return {
        **_opened(vault, row),
        "steps": [{**step, "text": _text(vault, "ticket_step", "text_enc", step)} for step in steps],
    }


async def count_tickets(conn: Connection, actor: Actor) -> dict[str, int]:
    """How many of the scope wait, are overdue, and are due today or tomorrow."""
    row = await (await conn.execute(_SQL["counts"], {"path": actor.org_path})).fetchone()
    assert row is not None
    return row


def _place(cursor: str) -> tuple[date, int]:
    day, last = decode_cursor(cursor, 2)
    try:
        if type(last) is int and abs(last) < 2**63:
            return date.fromisoformat(str(day)), last
    except ValueError:
        pass
    raise InvalidInput("翻页标记无效，请从第一页重新开始。", field="cursor")


def _opened(vault: Vault, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "due": row["due_on"].isoformat(),
        "text": _text(vault, "ticket", "text_enc", row),
        "contact": _text(vault, "ticket", "contact_enc", row),
    }


def _text(vault: Vault, table: str, column: str, row: Mapping[str, Any]) -> str:
    sealed = row[column]
    return vault.decrypt(table, column, row["id"], bytes(sealed)) if sealed else ""
