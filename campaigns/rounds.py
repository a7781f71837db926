"""The life of rounds: started when due, carried down the ladder, ended when their window closes.

`tick` may be called by any process at any time and any number of times: rows in PostgreSQL decide.
"""

from dataclasses import dataclass, field
from typing import Any

from campaigns.canary import watch_canary
from campaigns.handover import hand_over_step, settle_handovers
from campaigns.occurrences import start_occurrences
from campaigns.planning import start_due_rounds
from campaigns.postponing import postpone_missed
from campaigns.trigger_rounds import give_up_waiting
from outreach.db.sql import load_queries
from outreach.errors import Conflict
from outreach.labels.cache import SetCache
from outreach.ledger.ending import close_steps, end_unsent, fold_counts, is_moving
from outreach.ledger.gateways import Fleet
from outreach.ledger.materialise import materialise_step
from outreach.ledger.opened import fold_opened
from outreach.ledger.reached import fold_reached
from outreach.ledger.receipts import receipts_behind
from outreach.ledger.states import State
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)


@dataclass(slots=True)
class Ticker:
    """What the scheduler of one process remembers between two ticks; losing it costs a look, nothing else."""

    rt: Runtime
    fleet: Fleet
    cache: SetCache
    seen_failures: dict[int, int] = field(default_factory=dict)


async def tick(ticker: Ticker) -> int:
    """Start what is due, cut batches, end what is over. Returns how many messages were planned."""
    await ticker.rt.db.execute(SQL["mark_tick"])
    await start_occurrences(ticker.rt, ticker.cache)
    await start_due_rounds(ticker.rt, ticker.cache)
    planned, behind = 0, await receipts_behind(ticker.rt)
    for row in await ticker.rt.db.fetch(SQL["running_rounds"]):
        if row["over"] or row["state"] == "cancelled":
            await _end(ticker.rt, row)
        elif row["state"] == "running":
            planned += await _carry(ticker, row, behind)
    await settle_handovers(ticker.rt, ticker.cache)
    await fold_counts(ticker.rt)
    await fold_reached(ticker.rt)
    await fold_opened(ticker.rt)
    await give_up_waiting(ticker.rt)
    await ticker.rt.db.execute(SQL["finish_campaigns"])
    return planned


async def _carry(ticker: Ticker, row: dict[str, Any], behind: bool) -> int:
    """Cut what is due. While receipts are `behind` nobody falls to the next rung: hers may be among them."""
    if row["canary_waits"] and await watch_canary(ticker.rt, row["id"]):
        return 0
    if row["missed"]:
        async with ticker.rt.db.begin() as conn:
            await postpone_missed(conn, row["id"])
    signal = await ticker.rt.db.fetch_one(SQL["fallen_signal"], {"round_id": row["id"]})
    assert signal is not None
    failed = signal["failed"] != ticker.seen_failures.get(row["id"], 0)
    waited = row["now"] >= row["started_at"] + row["shortest_wait"]
    fallers = (failed or waited) and not behind
    cuts = {
        step: await materialise_step(ticker.rt, ticker.fleet, row["id"], step, fallers=fallers)
        for step in row["steps"]
    }
    handed = [
        await hand_over_step(ticker.rt, ticker.cache, row["id"], step, fallers=fallers)
        for step in row["spoken"]
    ]
    if not behind and not any(
        [*(cut.may_be_more for step, cut in cuts.items() if step > 0), *(h.may_be_more for h in handed)]
    ):
        ticker.seen_failures[row["id"]] = signal["failed"]
    return sum(cut.messages for cut in cuts.values())


async def _end(rt: Runtime, row: dict[str, Any]) -> None:
    state = State.CANCELLED if row["state"] == "cancelled" else State.EXPIRED
    await close_steps(rt, row["id"])
    await end_unsent(rt, row["id"], state)
    sending, resting = await is_moving(rt, row["id"])
    if not sending and not resting:
        await rt.db.execute(SQL["finish"], {"round_id": row["id"]})
        get_log().info("round.finished", round=row["id"], state=state.name.lower())


async def pause_round(rt: Runtime, round_id: int, by: str) -> None:
    """Nothing more leaves within two seconds; what has left is not touched. Raises Conflict."""
    await _change(rt, round_id, "paused", ["running"], by, "只有进行中的轮次可以暂停")


async def resume_round(rt: Runtime, round_id: int, by: str) -> None:
    """Go on where it stood: whoever has her message gets no second one. Raises Conflict."""
    await _change(rt, round_id, "running", ["paused"], by, "只有已暂停的轮次可以继续")


async def cancel_round(rt: Runtime, round_id: int, by: str) -> None:
    """Give up what has not left; it cannot be taken back. Raises Conflict."""
    allowed = ["scheduled", "running", "paused"]
    await _change(rt, round_id, "cancelled", allowed, by, "这个轮次已经结束，不能取消")


async def _change(rt: Runtime, round_id: int, state: str, allowed: list[str], by: str, refusal: str) -> None:
    keys = {"round_id": round_id, "state": state, "from": allowed}
    if await rt.db.fetch_one(SQL["change_state"], keys) is None:
        raise Conflict(refusal)
    get_log().info("round.changed", round=round_id, state=state, by=by)
