"""To send unknown messages once more: what one person asks for and another decides.

A message that was meant once is never meant again, so nobody gets more than two. The repetition travels
under the message's own key (docs/delivery.md).
"""

from collections.abc import Sequence
from typing import Any

from psycopg.errors import CheckViolation

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound

SQL = load_queries(__file__)

_LONGEST_NOTE = 500


async def ask_second_send(
    conn: Connection, *, round_id: int, path: str, gateway_id: int | None, note: str, by: str
) -> tuple[int, int]:
    """Ask for a repetition of what is unknown for good in a round, within the subtree at `path`, of one
    account or of all; its id and how many messages are meant. Raises InvalidInput, Conflict."""
    reason = note.strip()
    if not 1 <= len(reason) <= _LONGEST_NOTE:
        raise InvalidInput(f"请写明为什么要再发一次，1 至 {_LONGEST_NOTE} 个字。", field="note")
    keys = {"round_id": round_id, "gateway_id": gateway_id, "note": reason, "by": by}
    row = await (await conn.execute(SQL["ask"], keys)).fetchone()
    if row is None:
        raise Conflict("这个轮次已经有一份再次发送的申请在等待审批。")
    asked: int = row["id"]
    listed = await (await conn.execute(SQL["list_messages"], {**keys, "id": asked, "path": path})).fetchone()
    assert listed is not None
    if listed["n"] == 0:
        raise Conflict("没有可以再次发送的消息：其余的还在核实，或者已经再发过一次。")
    return asked, listed["n"]


async def decide_second_send(
    conn: Connection, asked: int, *, round_id: int, approve: bool, by: str
) -> dict[str, Any]:
    """Decide what another person has asked for in a round; its `n`. Raises NotFound, NotAllowed for the
    one who asked, Conflict once the round has ended."""
    row = await (await conn.execute(SQL["take_question"], {"id": asked, "round_id": round_id})).fetchone()
    if row is None:
        raise NotFound("没有这份申请，或者已经处理过。")
    if row["asked_by"] == by:
        raise NotAllowed("不能审批自己提出的申请，请由另一位审批人处理。")
    if approve and row["round_state"] not in ("running", "paused"):
        raise Conflict("这个轮次已经结束，不能再发送。")
    state = "approved" if approve else "declined"
    try:
        await conn.execute(SQL["decide"], {"id": asked, "state": state, "by": by})
    except CheckViolation as error:
        raise NotAllowed("不能审批自己提出的申请，请由另一位审批人处理。") from error
    await conn.execute(SQL["grant_messages" if approve else "drop_messages"], {"id": asked})
    return dict(row)


async def second_sends(conn: Connection, round_id: int) -> list[dict[str, Any]]:
    """All that was asked for in a round, the newest first."""
    return list(await (await conn.execute(SQL["questions"], {"round_id": round_id})).fetchall())


async def begin_second_sends(conn: Connection, message_ids: Sequence[int]) -> None:
    """Written down before the repetitions leave."""
    await conn.execute(SQL["begin"], {"ids": list(message_ids)})


async def not_begun(conn: Connection, message_ids: Sequence[int]) -> None:
    """These repetitions certainly never left: they may still."""
    await conn.execute(SQL["not_begun"], {"ids": list(message_ids)})
