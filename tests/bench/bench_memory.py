"""Memory of one worker: the largest resident set while it sends a small and a large campaign.

Each campaign gets a fresh worker that sends by SMS, takes part in merging receipts and does all other duties.
What it needs must not grow with the campaign.

    .venv/bin/python -m tests.bench --only memory
"""

from outreach.runtime import Runtime
from tests.bench.population import EVERYBODY, PART, settle
from tests.bench.round import play
from tests.bench.rows import Row, cost
from tests.bench.stage import staged, working

_BUDGET = 300


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """5,000 and 50,000 messages when quick, otherwise 20,000 and 500,000."""
    part, count = (5_000, 50_000) if quick else (20_000, 500_000)
    await settle(rt, count, part)
    rows: list[Row] = []
    async with staged(rt, ("sms",)) as stage:
        for segment, size in ((PART, part), (EVERYBODY, count)):
            async with working(stage, 1) as workers:
                played = await play(stage, workers, "sms", segment, code=f"memory{size}")
            name = f"memory of one worker, campaign of {size:,} messages"
            rows.append(cost(name, played.peak, unit="MB", budget=_BUDGET))
    return rows
