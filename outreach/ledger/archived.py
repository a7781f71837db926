"""What stays of a round whose rows have left for the archive: enough for reports and for the audit.

The counters, the frozen sets and the batches stay in the database; the rows' own sums and the households that
were reached were written down when they left (outreach/storage).
"""

from dataclasses import dataclass

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class ArchivedRound:
    """As counted from the rows when they left. `sums`: (step, state) to messages and household-times;
    `households`: those of the recipients; `reached`: with a delivered or read message."""

    recipients: int
    households: int
    sums: dict[tuple[int, int], tuple[int, int]]
    reached: BitMap


async def archived_round(conn: Connection, round_id: int) -> ArchivedRound | None:
    """What was kept of a round, or None if its rows are here."""
    row = await (await conn.execute(SQL["archived_round"], {"round_id": round_id})).fetchone()
    if row is None:
        return None
    sums = {(item["step"], item["state"]): (item["n"], item["households"]) for item in row["sums"]}
    reached = BitMap.deserialize(bytes(row["reached"]))
    return ArchivedRound(row["recipients"], row["households"], sums, reached)
