"""The brake under load: a worker process sends, a round is paused, resumed and cancelled, the gateway's books
judge. A pause stops within two seconds; what goes on sends nobody a second message."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from campaigns.rounds import cancel_round, pause_round, resume_round, tick
from channels.gateways.base import Books
from outreach.ledger.audit import audit_everything
from outreach.ledger.states import State
from outreach.processes import environment
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_ledger import until

pytestmark = pytest.mark.slow

COUNT = 4000
_STOPS_WITHIN = 2.0


@asynccontextmanager
async def under_load(rt: Runtime, channel: str, adapter: str) -> AsyncIterator[tuple[town.Wire, Books]]:
    """A round in the middle, sent by a worker process; its account is slow enough to be caught."""
    people = [town.Household(n, n, town.mobile(n), openid=f"o{n:027d}") for n in range(1, COUNT + 1)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, rate=500) as wire:
        # Where a request carries a hundred, so many fewer requests.
        await rt.db.execute("update gateway set rate = 5, burst = 5 where adapter = 'aliyun_sms'")
        await town.launch(wire.rt, [channel])
        await tick(town.ticker(wire.rt))
        environ = {**os.environ, **environment(wire.rt.settings), "OUTREACH_LOG_LEVEL": "WARNING"}
        command = [sys.executable, "-m", "outreach.cli", "worker"]
        worker = await asyncio.create_subprocess_exec(*command, env=environ)
        try:
            books = wire.simulators[adapter].books
            await until(lambda: _has(books, 1200))
            yield wire, books
        finally:
            worker.kill()
            await worker.wait()


async def _has(books: Books, count: int) -> bool:
    return len(books.entries) >= count


async def stands_still(books: Books) -> int:
    """How many messages the gateway holds two seconds after the brake was pulled; none come after that."""
    await asyncio.sleep(_STOPS_WITHIN)
    held = len(books.entries)
    await asyncio.sleep(1.5)
    assert len(books.entries) == held, "something left more than two seconds after the brake was pulled"
    return held


async def all_arrived(rt: Runtime) -> bool:
    return await town.states(rt) == {State.DELIVERED: COUNT}


@pytest.mark.parametrize(("channel", "adapter"), [("sms", "aliyun_sms"), ("wechat", "wechat_official")])
async def test_a_pause_stops_within_two_seconds_and_resuming_sends_the_rest_once(
    rt: Runtime, channel: str, adapter: str
) -> None:
    async with under_load(rt, channel, adapter) as (wire, books):
        await pause_round(wire.rt, 1, "planner")
        held = await stands_still(books)
        assert 1200 <= held < COUNT
        await resume_round(wire.rt, 1, "planner")
        await until(lambda: _has(books, held + 300))
        await pause_round(wire.rt, 1, "planner")
        assert held + 300 <= await stands_still(books) < COUNT
        await rt.db.execute("update gateway set rate = 100000, burst = 10000")
        await resume_round(wire.rt, 1, "planner")
        await until(lambda: all_arrived(rt))
        counts = Counter(entry.address for entry in books.entries)
        assert len(counts) == COUNT
        assert max(counts.values()) == 1


async def test_a_cancelled_round_stops_within_two_seconds_and_ends_with_its_sums(rt: Runtime) -> None:
    async with under_load(rt, "sms", "aliyun_sms") as (wire, books):
        await cancel_round(wire.rt, 1, "planner")
        held = await stands_still(books)
        assert held < COUNT
        async with asyncio.timeout(30):
            while not await _finished(rt):
                await tick(town.ticker(wire.rt))
                await asyncio.sleep(0.2)
        await wire.quiesce()
        await until(lambda: _settled(rt, held))
        assert len(books.entries) == held
        for audit in await audit_everything(rt):
            assert audit.agrees, [check for check in audit.checks if not check.agrees]


async def _finished(rt: Runtime) -> bool:
    row = await rt.db.fetch_one("select finished_at is not null as ended from round where id = 1")
    return row == {"ended": True}


async def _settled(rt: Runtime, held: int) -> bool:
    return await town.states(rt) == {State.DELIVERED: held, State.CANCELLED: COUNT - held}
