"""Messages of a round or a campaign, by state; the list behind every figure of outcomes."""

from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor
from outreach.ledger.states import State
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


async def list_messages(
    conn: Connection,
    actor: Actor,
    *,
    round_id: int | None = None,
    campaign_id: int | None = None,
    step: int | None = None,
    state: int | None = None,
    cursor: str = "",
    limit: int = PAGE,
) -> Page:
    """Messages of the scope in the order of their ids. One of `round_id` and `campaign_id` is needed.

    Walks batch by batch and stops when the page is full; the unknown ones have an index of their own. No
    address and no text is read.
    """
    params: dict[str, Any] = {
        "round_id": round_id,
        "campaign_id": campaign_id,
        "step": step,
        "state": state,
        "path": actor.org_path,
        "after": decode_numbers(cursor, 1)[0] if cursor else 0,
        "limit": limit + 1,
    }
    query = "unknown" if state == State.UNKNOWN else "list"
    rows = await (await conn.execute(_SQL[query], params)).fetchall()
    return page_of(rows, limit, "id")
