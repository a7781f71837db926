"""Imports and their refused rows, of the org units in scope."""

from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


async def list_imports(conn: Connection, actor: Actor, *, cursor: str = "", limit: int = PAGE) -> Page:
    """Imports of the subtree, newest first; those without a unit are seen from the root only."""
    before = decode_numbers(cursor, 1)[0] if cursor else None
    params = {"path": actor.org_path, "before": before, "limit": limit + 1}
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of(rows, limit, "id")


async def find_import(conn: Connection, actor: Actor, import_id: int) -> dict[str, Any]:
    """One import. Raises NotFound outside the scope."""
    params = {"path": actor.org_path, "id": import_id}
    row = await (await conn.execute(_SQL["one"], params)).fetchone()
    if row is None:
        raise NotFound("没有这次导入，或者它不在您的数据范围内。")
    return row


async def errors_of(conn: Connection, import_id: int, *, limit: int) -> list[dict[str, Any]]:
    """The first refused rows and values; values are masked when they are written down."""
    return await (await conn.execute(_SQL["errors"], {"id": import_id, "limit": limit})).fetchall()
