"""A process that was held up does not take what it has read before for what is."""

import asyncio
import time

import psycopg

from campaigns.rounds import tick
from outreach.labels.cache import SetCache
from outreach.ledger.gate import SQL, Gate, OpenRound
from outreach.runtime import Runtime
from tests import town

HELD_UP = 0.5
"""Longer than what a process may know of the rounds is old."""
_IS_ANSWERED = """
select from pg_stat_activity
where datname = current_database() and left(query, 100) = left(%s, 100)
  and state = 'idle' and query_start > %s
"""


async def held_up_while_asking(gate: Gate, other: psycopg.Connection) -> dict[int, OpenRound] | None:
    """Ask for the rounds; when PostgreSQL has answered, and before the answer is read, the round is paused
    and this process stands still. None if the answer was read too soon."""
    (began,) = other.execute("select clock_timestamp()").fetchone() or (None,)
    asking = asyncio.create_task(gate.rounds())
    while not asking.done():
        if other.execute(_IS_ANSWERED, (SQL["open_rounds"], began)).fetchone() is not None:
            other.execute("update round set state = 'paused'")
            time.sleep(HELD_UP)  # noqa: ASYNC251
            return await asking
        await asyncio.sleep(0)
    return None


async def test_what_was_asked_before_a_stall_is_asked_again_after_it(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    await town.launch(rt, ["sms"])
    await tick(town.ticker(rt))
    with psycopg.connect(rt.settings.database_url, autocommit=True) as other:
        async with asyncio.timeout(60):
            while (seen := await held_up_while_asking(gate := Gate(rt, SetCache()), other)) is None:
                continue
    assert len(seen) == 1
    assert await gate.rounds() == {}
