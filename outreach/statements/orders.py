"""Runs that staff order: kept as rows, carried out by workers, one after the other, whatever happens to them.

A worker that dies is missed after half a minute, and another one goes on with the blocks that are left.
Staff may stop a run, and let it go on.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyroaring import AbstractBitMap, BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, OutreachError
from outreach.governance.audit import append_audit
from outreach.logs import get_log
from outreach.runtime import Runtime
from outreach.statements.issue import issue_documents
from outreach.statements.runs import LOST_SECONDS

_SQL = load_queries(__file__)
_MOST_ATTEMPTS = 10
_IN_THREAD = 20_000
"""Households that a thread of the worker does; more get processes of their own, so that sending does not
wait."""
_PROCESSES = 2
_GIVEN_UP = "连续多次没有做完，已停下。请联系技术支持查看日志，处理后点「接着做完」。"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be issued. `expression` tells whom of the unit, in codes; `members` are those households,
    frozen, None for all of the unit; `wanted` is how many they are."""

    kind: str
    year: int
    org_id: int
    reason: str
    expression: str
    members: AbstractBitMap | None
    wanted: int


async def order_run(conn: Connection, by: str, order: Order) -> int:
    """Keep an order for the workers; the number of its run."""
    params = {
        "kind": order.kind,
        "year": order.year,
        "scope": order.org_id,
        "by": by,
        "reason": order.reason,
        "expression": order.expression,
        "members": None if order.members is None else order.members.serialize(),
        "wanted": order.wanted,
    }
    row = await (await conn.execute(_SQL["order"], params)).fetchone()
    assert row is not None
    return int(row["id"])


async def stop_run(conn: Connection, run_id: int) -> None:
    """Stop a run within a block; what is written stays. Raises Conflict when it does not run."""
    if await (await conn.execute(_SQL["stop"], {"run": run_id})).fetchone() is None:
        raise Conflict("这次出具已经结束或已停止，请刷新页面。")


async def resume_run(conn: Connection, run_id: int) -> None:
    """Let the workers do what is left of a run that was stopped, failed or broke off. Raises Conflict."""
    row = await (await conn.execute(_SQL["resume"], {"run": run_id, "lost": LOST_SECONDS})).fetchone()
    if row is None:
        raise Conflict("这次出具正在进行或已经完成，请刷新页面。")


async def work_runs(rt: Runtime, owner: str) -> int:
    """The duty of a worker: carry out the oldest run that waits or was broken off; 1 if there was one."""
    row = await rt.db.fetch_one(_SQL["take"], {"owner": owner, "lost": LOST_SECONDS})
    if row is None:
        return 0
    get_log().info("statements.taken", run=row["id"], attempt=row["attempts"])
    try:
        await _carry_out(rt, owner, row)
    except asyncio.CancelledError:
        await rt.db.execute(_SQL["give_back"], {"run": row["id"], "owner": owner})
        raise
    except Conflict as error:
        get_log().info("statements.left", run=row["id"], code=error.code)
    except OutreachError as error:
        await _fail(rt, owner, row, error.message)
    return 1


async def _carry_out(rt: Runtime, owner: str, row: Mapping[str, Any]) -> None:
    if row["attempts"] > _MOST_ATTEMPTS:
        await _fail(rt, owner, row, _GIVEN_UP)
        return
    members = None if row["members"] is None else list(BitMap.deserialize(bytes(row["members"])))
    await issue_documents(
        rt,
        row["kind"],
        row["year"],
        scope_org_id=row["scope_org_id"],
        taxpayer_ids=members,
        by=row["by"],
        reason=row["reason"],
        processes=1 if (row["wanted"] or 0) <= _IN_THREAD else _PROCESSES,
        run_id=row["id"],
        owner=owner,
    )


async def _fail(rt: Runtime, owner: str, row: Mapping[str, Any], trouble: str) -> None:
    async with rt.db.begin() as conn:
        params = {"run": row["id"], "owner": owner, "trouble": trouble}
        if await (await conn.execute(_SQL["fail"], params)).fetchone():
            await append_audit(
                conn, row["by"], "statement.fail", f"statement_run:{row['id']}", {"trouble": trouble}
            )
    get_log().warning("statements.failed", run=row["id"])
