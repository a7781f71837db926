"""What taxpayers opened and read through the links of a round: sets that grow as it happens, so that a report
of millions of links reads a few bitmaps (docs/decisions/0012).

The statements that open a link or show a document append the household (`outreach/statements/access.sql`);
the scheduler folds what has been appended into the round's bitmaps. Only the press of a button counts:
whoever fetches addresses in advance opens nothing.
"""

from collections.abc import Mapping
from typing import Any

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.runtime import Runtime

SQL = load_queries(__file__)

OPENED = "opened"
"""Households whose link was opened: a one-time code was asked for. The other sets are named by the kind of
document that was shown after the code."""
_MOST = {"rows": 512}
"""What may stand beside the bitmaps: a report adds it up each time."""

Opened = Mapping[str, BitMap]


async def opened_households(conn: Connection, campaign_id: int) -> dict[int, Opened]:
    """Round to what was opened and read through its links; rounds without links are missing."""
    rounds: dict[int, dict[str, BitMap]] = {}
    for row in await (await conn.execute(SQL["of_campaign"], {"campaign_id": campaign_id})).fetchall():
        rounds.setdefault(row["round_id"], {})[row["what"]] = _whole(row)
    return dict(rounds)


async def fold_opened(rt: Runtime) -> None:
    """Fold what was appended into the bitmaps; one process at a time."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute("select pg_try_advisory_xact_lock(7640032) as mine")).fetchone()
        if not row or not row["mine"]:
            return
        for keys in await (await conn.execute(SQL["long_deltas"], _MOST)).fetchall():
            taken = await (await conn.execute(SQL["take_deltas"], keys)).fetchone()
            assert taken is not None
            await conn.execute(SQL["write_opened"], {**keys, "data": _whole(taken).serialize()})


def _whole(row: Mapping[str, Any]) -> BitMap:
    held = BitMap.deserialize(bytes(row["data"])) if row["data"] else BitMap()
    held.update(row["since"])
    return held
