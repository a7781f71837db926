"""No visit without an approved record (无审批不入户, requirement 004-76): one asks, another approves.

Until then a visit can be neither assigned nor carried out; the database refuses it too (migration 0021).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotAllowed
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime
from outreach.service.work_items import Handed, close_item

SQL = load_queries(__file__)


async def ask_visits(
    rt: Runtime, actor: Actor, items: Sequence[int], *, note: str, visit_on: date
) -> tuple[int, int]:
    """Ask for visits on a day, in one request; its id and how many it holds. Raises InvalidInput."""
    if not note.strip():
        raise InvalidInput("请写明入户事由和依据", field="note")
    if not items:
        raise InvalidInput("请先勾选要入户的任务", field="items")
    async with rt.db.begin() as conn:
        keys = {"org_id": actor.org_id, "by": actor.name, "note": note.strip(), "visit_on": visit_on}
        row = await (await conn.execute(SQL["ask"], keys)).fetchone()
        assert row is not None
        put_in = {"request_id": row["id"], "path": actor.org_path, "items": list(items)}
        found = await (await conn.execute(SQL["put_in"], put_in)).fetchall()
        if not found:
            raise InvalidInput("勾选的任务不需要审批、已在审批中或者已经结束", field="items")
        detail = {"items": len(found), "on": visit_on.isoformat()}
        await append_audit(conn, actor, "visit.ask", f"visit_request:{row['id']}", detail)
        return row["id"], len(found)


async def approve_visits(rt: Runtime, actor: Actor, request_id: int) -> None:
    """Sign a request as the second person. Raises Conflict, NotAllowed for whoever asked."""
    async with rt.db.begin() as conn:
        await _decide(conn, actor, request_id, "approved", "")
        await conn.execute(SQL["approve_items"], {"request_id": request_id})
        await append_audit(conn, actor, "visit.approve", f"visit_request:{request_id}")


async def refuse_visits(rt: Runtime, actor: Actor, request_id: int, reason: str) -> None:
    """Refuse a request with a reason; its visits are given up. Raises InvalidInput, Conflict, NotAllowed."""
    if not reason.strip():
        raise InvalidInput("请写明不同意的原因", field="reason")
    async with rt.db.begin() as conn:
        await _decide(conn, actor, request_id, "refused", reason.strip())
        for row in await (await conn.execute(SQL["items_of"], {"request_id": request_id})).fetchall():
            await close_item(conn, row["id"], Handed.GIVEN_UP, "visit_refused")
        await append_audit(conn, actor, "visit.refuse", f"visit_request:{request_id}")


async def visit_requests(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Requests of the scope with the number of their visits, the undecided first."""
    return await (await conn.execute(SQL["requests"], {"path": actor.org_path})).fetchall()


async def _decide(conn: Connection, actor: Actor, request_id: int, decision: str, reason: str) -> None:
    keys = {"request_id": request_id, "path": actor.org_path}
    row = await (await conn.execute(SQL["lock_request"], keys)).fetchone()
    if row is None:
        raise Conflict("没有等待审批的入户申请，请刷新页面")
    if row["asked_by"] == actor.name:
        raise NotAllowed("不能审批自己提交的入户申请，请由另一位审批人处理")
    decided = {"request_id": request_id, "decision": decision, "by": actor.name, "reason": reason}
    await conn.execute(SQL["decide"], decided)
