"""The ledger end to end: messages leave over real wire protocols, receipts come back, the sums agree."""

import asyncio
from contextlib import asynccontextmanager

from campaigns.rounds import tick
from outreach.ledger.audit import audit_everything
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.worker import run_worker
from tests import town


@asynccontextmanager
async def working(rt: Runtime):
    """A worker inside this process."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(rt, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def until(condition, seconds: float = 60.0) -> None:
    """Wait for an awaited condition to hold; so long that only what never happens fails, on any machine."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def all_final(rt: Runtime) -> bool:
    """Whether no message is planned or merely accepted."""
    counts = await town.states(rt)
    return bool(counts) and not counts.keys() & {State.PLANNED, State.UNKNOWN, State.ACCEPTED}


async def assert_sums(rt: Runtime) -> None:
    """Every equation of every round holds."""
    for audit in await audit_everything(rt):
        assert audit.agrees, [check for check in audit.checks if not check.agrees]


async def test_a_round_reaches_everybody_once(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1500))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        async with working(wire.rt):
            assert await tick(town.ticker(wire.rt)) == 1500
            await until(lambda: all_final(rt))
        books = wire.simulators["aliyun_sms"].books.entries
    assert await town.states(rt) == {State.DELIVERED: 1500}
    assert len({entry.address for entry in books}) == len(books) == 1500
    await assert_sums(rt)


async def test_one_person_with_three_companies_gets_one_message(rt: Runtime) -> None:
    people = [town.Household(n, 1, town.mobile(1)) for n in (1, 2, 3)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        async with working(wire.rt):
            await tick(town.ticker(wire.rt))
            await until(lambda: all_final(rt))
        (entry,) = wire.simulators["aliyun_sms"].books.entries
    assert "示例企业1、示例企业2、示例企业3" in entry.text
    await assert_sums(rt)
