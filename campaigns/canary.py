"""A small part of a round goes first; the rest follows when it has been watched for a while and all is well.

While the canary is out no other message of the round exists, so what the round counts is the canary.
"""

from typing import Any

from outreach.db.sql import load_queries
from outreach.governance.audit import append_audit
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_WATCHER = "system:scheduler"
_WATCHED = (("failed", "发送失败"), ("complaint", "投诉"), ("opt_out", "退订"))


async def watch_canary(rt: Runtime, round_id: int) -> bool:
    """Let the round go on, or pause it with the cause; whether it has been paused. Idempotent."""
    row = await rt.db.fetch_one(SQL["canary_facts"], {"round_id": round_id})
    if row is None:
        return False
    cause = judge_canary(row)
    if cause:
        return await _stop(rt, round_id, cause)
    if row["sent_at"] is None and row["is_out"]:
        await rt.db.execute(SQL["canary_is_out"], {"round_id": round_id})
    elif row["sent_at"] is not None and row["now"] >= row["sent_at"] + row["hold"]:
        await rt.db.execute(SQL["canary_passed"], {"round_id": round_id})
        get_log().info("canary.passed", round=round_id)
    return False


def judge_canary(row: dict[str, Any]) -> str:
    """What is beyond its limit, as a sentence; empty if nothing. Shares are of all persons of the canary."""
    whole = max(row["messages"], row["persons"])
    found = [
        f"{word} {row[name]} 条，占 {row[name] / whole:.1%}，超过 {row[f'{name}_permille'] / 1000:.1%}"
        for name, word in _WATCHED
        if row[name] * 1000 > row[f"{name}_permille"] * whole
    ]
    return f"灰度 {whole:,} 条中{'；'.join(found)}。" if found else ""


async def _stop(rt: Runtime, round_id: int, cause: str) -> bool:
    async with rt.db.begin() as conn:
        keys = {"round_id": round_id, "cause": cause}
        if await (await conn.execute(SQL["canary_stopped"], keys)).fetchone() is None:
            return False
        await append_audit(conn, _WATCHER, "round.canary_stop", f"round:{round_id}", {"cause": cause})
    get_log().warning("canary.stopped", round=round_id)
    return True
