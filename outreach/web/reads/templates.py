"""Templates and their versions."""

from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


async def list_templates(
    conn: Connection,
    actor: Actor,
    *,
    search: str = "",
    channel: str = "",
    cursor: str = "",
    limit: int = PAGE,
) -> Page:
    """Templates of the subtree and of the units above, with their newest version."""
    after = decode_numbers(cursor, 1)[0] if cursor else 0
    params = {
        "path": actor.org_path,
        "search": f"%{search}%",
        "channel": channel,
        "after": after,
        "limit": limit + 1,
    }
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of(rows, limit, "id")


async def count_channels(conn: Connection, actor: Actor) -> dict[str, int]:
    """How many visible templates each channel has."""
    rows = await (await conn.execute(_SQL["count_channels"], {"path": actor.org_path})).fetchall()
    return {row["channel"]: row["n"] for row in rows}


async def find_template(
    conn: Connection, actor: Actor, template_id: int, *, version: int | None = None
) -> dict[str, Any]:
    """One template with a version's content (the newest unless told). Raises NotFound."""
    params = {"path": actor.org_path, "id": template_id, "version": version}
    row = await (await conn.execute(_SQL["one"], params)).fetchone()
    if row is None:
        raise NotFound("没有这个模板，或者它不在您的数据范围内。")
    return row


async def versions_of(conn: Connection, template_id: int) -> list[dict[str, Any]]:
    """All versions, newest first, with how many steps use each."""
    return await (await conn.execute(_SQL["versions"], {"id": template_id})).fetchall()
