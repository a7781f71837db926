"""The brake under load: a worker process sends, a round is paused, resumed and cancelled, the gateway's books
judge. After the brake was pulled nothing arrives but the one request that each sender had on its way; what
goes on sends nobody a second message.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from campaigns.rounds import cancel_round, pause_round, resume_round, tick
from channels.gateways.base import Books
from outreach.ledger.audit import audit_everything
from outreach.ledger.states import State
from outreach.processes import environment
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_ledger import until
from tests.turnstile import Turnstile, beliefs_lapse, none_is_held, one_request_at_a_time

pytestmark = pytest.mark.slow

COUNT, SENDERS = 4000, 4
"""A batch for each sender, and none of them sent to its end before the brake was pulled twice."""

RECONCILER = 1
"""What was stopped in the middle of a window goes out by it, one request at a time too."""


@dataclass(frozen=True)
class Load:
    """A round that a worker process sends, all its senders at the turnstile. A request carries `size`."""

    wire: town.Wire
    books: Books
    turnstile: Turnstile
    size: int

    async def stands_still(self, senders: int = SENDERS) -> int:
        """The brake was pulled when so many had a request on its way each: how many messages the gateway
        holds in the end. None come after those have come."""
        held = len(self.books.entries) + senders * self.size
        await beliefs_lapse()
        self.turnstile.open(held + 3 * self.size)
        await until(lambda: none_is_held(self.wire.rt))
        await asyncio.sleep(1.5)
        assert len(self.books.entries) == held, "something left after the brake was pulled"
        return held


@asynccontextmanager
async def under_load(rt: Runtime, channel: str, adapter: str) -> AsyncIterator[Load]:
    """A round in the middle. Who waits for the last sender to arrive waits for no lease and no time-out."""
    patient = Runtime(rt.settings.model_copy(update={"lease_seconds": 300.0}), rt.db, rt.redis, rt.http)
    people = [town.Household(n, n, town.mobile(n), openid=f"o{n:027d}") for n in range(1, COUNT + 1)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(patient, timeout=30.0) as wire:
        await one_request_at_a_time(rt, adapter)
        await town.launch(wire.rt, [channel])
        await tick(town.ticker(wire.rt))
        size = 100 if adapter == "aliyun_sms" else 1
        load = Load(wire, wire.simulators[adapter].books, Turnstile(wire.simulators[adapter], 3 * size), size)
        environ = {**os.environ, **environment(wire.rt.settings), "OUTREACH_LOG_LEVEL": "WARNING"}
        command = [sys.executable, "-m", "outreach.cli", "worker"]
        worker = await asyncio.create_subprocess_exec(*command, env=environ)
        try:
            await load.turnstile.crowd(SENDERS)
            yield load
        finally:
            worker.kill()
            await worker.wait()


async def all_arrived(rt: Runtime) -> bool:
    return await town.states(rt) == {State.DELIVERED: COUNT}


@pytest.mark.parametrize(("channel", "adapter"), [("sms", "aliyun_sms"), ("wechat", "wechat_official")])
async def test_a_pause_stops_all_but_what_is_on_its_way_and_resuming_sends_the_rest_once(
    rt: Runtime, channel: str, adapter: str
) -> None:
    async with under_load(rt, channel, adapter) as load:
        books = load.books
        await pause_round(load.wire.rt, 1, "planner")
        assert await load.stands_still() == 7 * load.size
        await resume_round(load.wire.rt, 1, "planner")
        await load.turnstile.crowd(SENDERS + RECONCILER)
        assert len(books.entries) == 10 * load.size
        await pause_round(load.wire.rt, 1, "planner")
        assert await load.stands_still(SENDERS + RECONCILER) == 15 * load.size
        await rt.db.execute("update gateway set rate = 100000, burst = 10000")
        load.turnstile.open()
        await resume_round(load.wire.rt, 1, "planner")
        await until(lambda: all_arrived(rt))
        counts = Counter(entry.address for entry in books.entries)
        assert len(counts) == COUNT
        assert max(counts.values()) == 1


async def test_a_cancelled_round_stops_and_ends_with_its_sums(rt: Runtime) -> None:
    async with under_load(rt, "sms", "aliyun_sms") as load:
        wire = load.wire
        await cancel_round(wire.rt, 1, "planner")
        held = await load.stands_still()

        async def is_over() -> bool:
            await tick(town.ticker(wire.rt))
            return await _finished(rt)

        await until(is_over)
        await wire.quiesce()
        await until(lambda: _settled(rt, held))
        assert len(load.books.entries) == held
        for audit in await audit_everything(rt):
            assert audit.agrees, [check for check in audit.checks if not check.agrees]


async def _finished(rt: Runtime) -> bool:
    row = await rt.db.fetch_one("select finished_at is not null as ended from round where id = 1")
    return row == {"ended": True}


async def _settled(rt: Runtime, held: int) -> bool:
    return await town.states(rt) == {State.DELIVERED: held, State.CANCELLED: COUNT - held}
