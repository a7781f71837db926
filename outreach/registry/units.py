"""Org units within a data scope, by code and by id."""

from dataclasses import dataclass

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class OrgScope:
    """Units in scope by code, the codes of all others, and the root of the scope (None: everything)."""

    ids: dict[str, int]
    outside: frozenset[str]
    root_path: str
    members: frozenset[int]

    def covers(self, org_id: int) -> bool:
        """Whether the unit lies in the scope."""
        return org_id in self.members


async def load_scope(conn: Connection, scope_org_id: int | None) -> OrgScope:
    """The units of a subtree; None stands for all units. Raises NotFound for an unknown unit."""
    rows = await (await conn.execute(_SQL["units"])).fetchall()
    paths = {row["id"]: row["path"] for row in rows}
    if scope_org_id is not None and scope_org_id not in paths:
        raise NotFound("没有这个机构")
    root = "" if scope_org_id is None else paths[scope_org_id]
    inside = {row["code"]: row["id"] for row in rows if row["path"].startswith(root)}
    outside = frozenset(row["code"] for row in rows) - inside.keys()
    return OrgScope(inside, outside, root, frozenset(inside.values()))
