"""Halls, windows and persons with a code to scan: “不满意，请扫我”. What is posted there needs no log-in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound, TooMany
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.scope import require_scope
from outreach.service.tickets import new_number

_SQL = load_queries(__file__)
KINDS = {"hall": "办税厅", "window": "窗口", "person": "人员"}
POSTS = 30
"""From one network in ten minutes: a hall shares one address, a flood does not fit."""
_MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Place:
    """One code. `bureau` is the unit it belongs to."""

    id: int
    kind: str
    name: str
    token: str
    org_id: int
    bureau: str
    created_at: datetime
    closed_at: datetime | None


async def make_places(conn: Connection, actor: Actor, org_id: int, kind: str, names: str) -> int:
    """Make one code for each line of `names`; returns how many. Raises InvalidInput, NotFound."""
    if kind not in KINDS:
        raise InvalidInput("请选择办税厅、窗口或人员。", field="kind")
    wanted = [line.strip() for line in names.replace("\x00", "").splitlines() if line.strip()]
    if not 1 <= len(wanted) <= _MOST_AT_ONCE or any(len(name) > 60 for name in wanted):
        raise InvalidInput(f"每行一个名称，1 到 {_MOST_AT_ONCE} 行，每个不超过 60 个字。", field="names")
    await require_scope(conn, actor, org_id)
    params = {
        "org_id": org_id,
        "kind": kind,
        "names": wanted,
        "tokens": [new_number() for _ in wanted],
        "by": actor.name,
    }
    await conn.execute(_SQL["make"], params)
    await append_audit(conn, actor, "place.create", f"org:{org_id}", {"kind": kind, "count": len(wanted)})
    return len(wanted)


async def list_places(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """All codes of the scope that are in use, with how often they were rated and complained of."""
    return await (await conn.execute(_SQL["list"], {"path": actor.org_path})).fetchall()


async def find_place(conn: Connection, token: str) -> Place:
    """The place of a code. Raises NotFound, also for one that is out of use."""
    known = token.isascii() and token.isalnum()
    row = await (await conn.execute(_SQL["by_token"], {"token": token})).fetchone() if known else None
    if row is None:
        raise NotFound("没有这个二维码，或者它已停用。")
    return Place(**row)


async def close_place(conn: Connection, actor: Actor, place_id: int) -> None:
    """Take a code out of use. Raises NotFound."""
    row = await (await conn.execute(_SQL["close"], {"id": place_id, "path": actor.org_path})).fetchone()
    if row is None:
        raise NotFound("没有这个二维码，或者它不在您的数据范围内。")
    await append_audit(conn, actor, "place.close", f"place:{place_id}")


async def note_post(conn: Connection, network: str) -> None:
    """Count one post without log-in. Raises TooMany for a network that floods."""
    row = await (await conn.execute(_SQL["note_post"], {"network": network})).fetchone()
    if row is not None and row["n"] >= POSTS:
        raise TooMany("提交太频繁，请稍后再试。", seconds=600)
