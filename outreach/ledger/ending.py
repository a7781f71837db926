"""The end of a round: what has not left expires or is cancelled, and the counters are folded."""

from outreach.db.sql import load_queries
from outreach.ledger.states import State
from outreach.runtime import Runtime

SQL = load_queries(__file__)


async def close_steps(rt: Runtime, round_id: int) -> None:
    """From here on no batch of the round is cut any more; waits for one that is being cut."""
    await rt.db.execute(SQL["close_steps"], {"round_id": round_id})


async def end_unsent(rt: Runtime, round_id: int, state: State) -> int:
    """Move every message of the round that has certainly not left to EXPIRED or CANCELLED."""
    row = await rt.db.fetch_one(SQL["expire"], {"round_id": round_id, "state": int(state)})
    assert row is not None
    return int(row["n"])


async def is_moving(rt: Runtime, round_id: int) -> tuple[bool, bool]:
    """Whether batches are open, and whether messages rest until they are tried or asked about again."""
    row = await rt.db.fetch_one(SQL["still_open"], {"round_id": round_id})
    assert row is not None
    return row["sending"], row["resting"]


async def fold_counts(rt: Runtime) -> None:
    """Fold the movements of the counters; one process at a time."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute("select pg_try_advisory_xact_lock(7640002) as mine")).fetchone()
        if row and row["mine"]:
            await conn.execute(SQL["fold_counts"])
