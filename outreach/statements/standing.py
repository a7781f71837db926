"""Standing orders: documents that follow their data (实时、定期推送账单和体检报告).

Whoever changes what a document tells (loading records, deciding about findings) notes the households in the
same transaction. The scheduler turns what is noted into runs, one at a time for each order; what changes
meanwhile waits for the next run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime
from outreach.statements.kinds import document_kind
from outreach.statements.orders import Order, order_run
from outreach.statements.runs import NAMED

_SQL = load_queries(__file__)
REASON = "申报数据有更新"
"""What households read of a version that a standing order has made."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing order; `waiting`: households whose changes no run has taken yet, by year."""

    id: int
    kind: str
    org_id: int
    org_name: str
    by: str
    since: datetime
    waiting: int


async def begin_standing(conn: Connection, actor: Actor, kind: str, org_id: int) -> int:
    """Keep the documents of a kind current for a unit from now on; the number of the order.

    Raises InvalidInput for an unknown kind, NotFound for a unit outside the scope, Conflict where there is
    one already.
    """
    params = {"kind": document_kind(kind).name, "org": org_id, "by": actor.name, "path": actor.org_path}
    row = await (await conn.execute(_SQL["begin"], params)).fetchone()
    if row is None:
        if any(one.org_id == org_id and one.kind == kind for one in await list_standing(conn, actor)):
            raise Conflict("这个机构的这种文书已经在随数据更新。")
        raise NotFound("没有这个机构，或者它不在您的数据范围内。")
    await append_audit(conn, actor, "statement.follow", f"org:{org_id}", {"kind": kind})
    return int(row["id"])


async def end_standing(conn: Connection, actor: Actor, standing_id: int) -> None:
    """End a standing order; documents stay as they are. Raises NotFound outside the scope."""
    params = {"id": standing_id, "by": actor.name, "path": actor.org_path}
    row = await (await conn.execute(_SQL["end"], params)).fetchone()
    if row is None:
        raise NotFound("没有这项设置，或者它已经结束。")
    await conn.execute(_SQL["drop_stale"], {"id": standing_id})
    await append_audit(conn, actor, "statement.unfollow", f"org:{row['org_id']}", {"kind": row["kind"]})


async def list_standing(conn: Connection, actor: Actor) -> list[Standing]:
    """The orders of the actor's scope."""
    rows = await (await conn.execute(_SQL["list"], {"path": actor.org_path})).fetchall()
    return [Standing(**row) for row in rows]


async def note_stale(conn: Connection, moved: Sequence[Sequence[int]]) -> None:
    """Note households whose data have changed, each with the year, in the transaction that changes them."""
    if moved:
        ids, years = zip(*moved, strict=True)
        await conn.execute(_SQL["note_stale"], {"ids": list(ids), "years": list(years)})


async def order_stale(rt: Runtime) -> int:
    """Order a run for each standing order that has something to do; returns how many."""
    async with rt.db.begin() as conn:
        due = await (await conn.execute(_SQL["due"])).fetchall()
        for row in due:
            taken = await (await conn.execute(_SQL["take_stale"], row)).fetchall()
            members = BitMap([one["taxpayer_id"] for one in taken])
            order = Order(row["kind"], row["year"], row["org_id"], REASON, NAMED, members, len(members))
            run = await order_run(conn, row["by"], order)
            marked = {"run": run, "standing": row["id"], "members": members.serialize()}
            await conn.execute(_SQL["mark_run"], marked)
    return len(due)
