"""Segments: expressions counted, explained and listed within a scope."""

from typing import Any

from pyroaring import AbstractBitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_text
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


async def matching(conn: Connection, cache: SetCache, actor: Actor, expression: str) -> AbstractBitMap:
    """Taxpayers of the scope that match. Raises ExpressionInvalid."""
    return (await evaluate_text(conn, cache, expression, actor.org_id)).members


async def list_segments(
    conn: Connection, actor: Actor, *, search: str = "", cursor: str = "", limit: int = PAGE
) -> Page:
    """Saved segments of the subtree and of the units above, newest first."""
    before = decode_numbers(cursor, 1)[0] if cursor else None
    params = {"path": actor.org_path, "search": f"%{search}%", "before": before, "limit": limit + 1}
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of(rows, limit, "id")


async def find_segment(conn: Connection, actor: Actor, segment_id: int) -> dict[str, Any]:
    """One saved segment. Raises NotFound outside the scope."""
    params = {"path": actor.org_path, "id": segment_id}
    row = await (await conn.execute(_SQL["one"], params)).fetchone()
    if row is None:
        raise NotFound("没有这个人群，或者它不在您的数据范围内。")
    return row


async def save_segment(conn: Connection, actor: Actor, name: str, expression: str) -> int:
    """Store an expression under a name of the unit acted in; returns its id."""
    params = {"name": name, "expression": expression, "org_id": actor.org_id, "by": actor.name}
    row = await (await conn.execute(_SQL["save"], params)).fetchone()
    assert row is not None
    return int(row["id"])


async def delete_segment(conn: Connection, actor: Actor, segment_id: int) -> None:
    """Remove a segment of the subtree. Raises NotFound."""
    params = {"path": actor.org_path, "id": segment_id}
    if await (await conn.execute(_SQL["delete"], params)).fetchone() is None:
        raise NotFound("没有这个人群，或者它不在您的数据范围内。")
