"""Data scope: an actor sees the subtree of the org unit acted in, and nothing beside or above it."""

from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotAllowed, NotFound
from outreach.governance.actor import Actor

_SQL = load_queries(__file__)


async def within_scope(conn: Connection, actor: Actor, org_id: int) -> bool:
    """Whether the org unit exists and lies in the scope acted in."""
    row = await (await conn.execute(_SQL["path"], {"org_id": org_id})).fetchone()
    return row is not None and actor.reaches(row["path"])


async def require_scope(conn: Connection, actor: Actor, org_id: int) -> None:
    """Raises NotFound unless `within_scope`: what lies outside and what does not exist look the same."""
    if not await within_scope(conn, actor, org_id):
        raise NotFound("没有这个机构，或者它不在您的数据范围内。")


async def subtree_ids(conn: Connection, actor: Actor) -> list[int]:
    """The ids of all org units in the scope acted in."""
    rows = await (await conn.execute(_SQL["subtree_ids"], {"path": actor.org_path})).fetchall()
    return [row["id"] for row in rows]


async def scope_choices(
    conn: Connection, actor: Actor, *, search: str = "", limit: int = 60
) -> list[dict[str, Any]]:
    """Org units that may be chosen as scope (id, name, level, path), upper levels first."""
    params = {"path": actor.home_org_path, "search": f"%{search}%", "limit": limit}
    return await (await conn.execute(_SQL["choices"], params)).fetchall()


async def ancestors(conn: Connection, path: str) -> list[dict[str, Any]]:
    """The org units from the root down to the one with this path (id, name, level)."""
    ids = [int(part) for part in path.split(".") if part]
    return await (await conn.execute(_SQL["ancestors"], {"ids": ids})).fetchall()


async def check_home(conn: Connection, actor: Actor, org_id: int) -> dict[str, Any]:
    """The org unit (id, path, name) if the actor may choose it as scope. Raises NotAllowed otherwise."""
    row = await (await conn.execute(_SQL["path"], {"org_id": org_id})).fetchone()
    if row is None or not row["path"].startswith(actor.home_org_path):
        raise NotAllowed("只能切换到本机构和下级机构。")
    return row
