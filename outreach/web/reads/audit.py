"""The audit chain as a list."""

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


async def list_events(
    conn: Connection, *, actor_name: str = "", action: str = "", cursor: str = "", limit: int = PAGE
) -> Page:
    """Events, newest first; the chain is one for the whole tenant."""
    before = decode_numbers(cursor, 1)[0] if cursor else None
    params = {"actor": actor_name, "action": f"{action}%", "before": before, "limit": limit + 1}
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of(rows, limit, "id")
