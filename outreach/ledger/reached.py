"""Which households a round has reached: a set that grows with the receipts, so that a report of five million
messages reads one bitmap.

The statements that move a message to delivered or read append its households (`receipts.sql`,
`protocol.sql`); the scheduler folds what has been appended into the round's bitmap.
"""

from typing import Any

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_MOST = {"rows": 128, "households": 20_000}
"""What may stand beside a bitmap: a report adds it up each time."""


async def reached_households(conn: Connection, campaign_id: int) -> dict[int, BitMap]:
    """Round to the households with a delivered or read message, for every round of a campaign."""
    rows = await (await conn.execute(SQL["reached_of_campaign"], {"campaign_id": campaign_id})).fetchall()
    return {row["round_id"]: _whole(row) for row in rows}


async def reached_by_round(conn: Connection, round_id: int) -> BitMap:
    """The households with a delivered or read message of one round."""
    row = await (await conn.execute(SQL["reached_of_round"], {"round_id": round_id})).fetchone()
    return _whole(row) if row else BitMap()


async def fold_reached(rt: Runtime) -> None:
    """Fold what was appended into the bitmaps; one process at a time."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute("select pg_try_advisory_xact_lock(7640031) as mine")).fetchone()
        if not row or not row["mine"]:
            return
        for item in await (await conn.execute(SQL["long_deltas"], _MOST)).fetchall():
            keys = {"round_id": item["round_id"]}
            taken = await (await conn.execute(SQL["take_deltas"], keys)).fetchone()
            assert taken is not None
            await conn.execute(SQL["write_reached"], {**keys, "data": _whole(taken).serialize()})


def _whole(row: dict[str, Any]) -> BitMap:
    held = BitMap.deserialize(bytes(row["data"])) if row["data"] else BitMap()
    held.update(row["since"])
    return held
