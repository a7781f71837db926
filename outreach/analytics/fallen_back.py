"""5G messages that became SMS: by the operator, who sends the text itself, or by the ladder.

They are counted by the scheduler while a round moves, and stay when its rows leave for the archive.
"""

from dataclasses import dataclass

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.runtime import Runtime

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class FellBack:
    """5G messages of a round that became SMS, as last counted, and the SMS parts that are billed for both."""

    by_operator: int = 0
    by_ladder: int = 0
    parts: int = 0

    @property
    def total(self) -> int:
        """Messages that became SMS."""
        return self.by_operator + self.by_ladder


async def count_fallen_back(rt: Runtime) -> int | None:
    """Count one round anew whose counters have moved; its id, or None if there is nothing to do."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute(SQL["due"])).fetchone()
        if row is None:
            return None
        await conn.execute(SQL["forget"], row)
        await conn.execute(SQL["count"], row)
        await conn.execute(SQL["note"], row)
    round_id: int = row["round_id"]
    return round_id


async def fallen_back(conn: Connection, campaign_id: int, scope_org_id: int) -> dict[int, FellBack]:
    """Round to what fell back in it, within a unit's subtree."""
    keys = {"campaign_id": campaign_id, "scope": scope_org_id}
    rows = await (await conn.execute(SQL["fallen_back"], keys)).fetchall()
    return {row["round_id"]: FellBack(row["by_operator"], row["by_ladder"], row["parts"]) for row in rows}
