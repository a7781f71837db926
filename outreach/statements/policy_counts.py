"""The figures of findings and base registers, kept beside them by unit, policy and state (migration 0034).

Triggers append every change in its own transaction; folding adds it up for the unit and all above it. What is
folded and what is not together are exact at any moment, so folding may come late, or not at all.
"""

from outreach.db.sql import load_queries
from outreach.runtime import Runtime

_SQL = load_queries(__file__)


async def fold_policy_counts(rt: Runtime) -> None:
    """Fold what has changed; one process at a time, and never while units move in the tree."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute(_SQL["lock"])).fetchone()
        if row and row["mine"]:
            await conn.execute(_SQL["fold"])
