"""kill -9 of a worker in the middle of a round: nothing lost, nothing twice, the unknown listed.

The gateway's books are the judge. Class B (SMS, queryable) resolves every unknown; class A (WeChat) sends the
same key again; class C (5G, e-mail) never sends twice and lists what nobody can tell.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from campaigns.rounds import tick
from channels.gateways.base import Books
from outreach.books import compare_books
from outreach.ledger.states import State
from outreach.processes import environment
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_ledger import assert_sums, until

COUNT = 3000
OPENIDS = [f"o{n:027d}" for n in range(COUNT + 1)]


@pytest.fixture
def settings(settings):
    """A lease and a quiet time short enough for a test; both still cover the request time-out."""
    return settings.model_copy(update={"lease_seconds": 4.0, "pool_size": 6})


@contextmanager
def worker(rt: Runtime, *mutants: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.process", *mutants],
        env={**os.environ, **environment(rt.settings), "OUTREACH_LOG_LEVEL": "WARNING"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def play(
    rt: Runtime, channel: str, adapter: str, *mutants: str, receipt_delay: float = 0.05
) -> tuple[Counter[str], dict[int, int], object]:
    """Send a round, kill the worker three times in the middle of a window, let another one finish."""
    people = [
        town.Household(n, n, town.mobile(n), OPENIDS[n], f"p{n}@example.com", True)
        for n in range(1, COUNT + 1)
    ]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    faults = {adapter: {"slow": 0.02, "slow_seconds": 0.2, "receipt_delay": receipt_delay}}
    async with town.wired(rt, quiet_seconds=6.0, rate=1500, faults=faults, timeout=1.0) as wire:
        await town.launch(wire.rt, [channel])
        await tick(town.ticker(wire.rt))
        books = wire.simulators[adapter].books
        for share in (0.2, 0.45, 0.7):
            with worker(wire.rt, *mutants):
                await until(lambda share=share: _mid_window(rt, books, int(COUNT * share)), 60)
        with worker(wire.rt, *mutants):
            await until(lambda: _at_rest(rt), 90)
            await wire.quiesce()
            await until(lambda: _merged(rt), 60)
        counts = Counter(entry.key if adapter != "aliyun_sms" else entry.address for entry in books.entries)
        control = getattr(wire.simulators[adapter], "control_url", "") or _address(wire, adapter)
        (comparison,) = await compare_books(wire.rt, {adapter: control})
    return counts, await town.states(rt), comparison


def _address(wire: town.Wire, adapter: str) -> str:
    simulator = wire.simulators[adapter]
    server = simulator._server
    return f"http://127.0.0.1:{server.port}"


async def _mid_window(rt: Runtime, books: Books, count: int) -> bool:
    """Whether the gateway holds so many messages, and clearly more than the ledger has settled."""
    row = await rt.db.fetch_one("select coalesce(sum(settled), 0)::int as n from batch")
    assert row is not None
    return len(books.entries) >= count and len(books.entries) > row["n"] + 50


async def _at_rest(rt: Runtime) -> bool:
    counts = await town.states(rt)
    row = await rt.db.fetch_one("select count(*)::int as n from message where not_before is not null")
    open_batches = await rt.db.fetch_one("select count(*)::int as n from batch where state = 0")
    return not counts.get(State.PLANNED) and row == {"n": 0} and open_batches == {"n": 0}


async def _merged(rt: Runtime) -> bool:
    row = await rt.db.fetch_one(
        "select (select count(*) from receipt_inbox where (arrived_in, id) > "
        "((select arrived_in from receipt_cursor), (select id from receipt_cursor)))"
        " + (select count(*) from receipt_orphan) as n"
    )
    return row == {"n": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channel", "adapter"),
    [("sms", "aliyun_sms"), ("wechat", "wechat_official"), ("rcs", "fiveg_bot"), ("email", "email_smtp")],
)
async def test_a_killed_worker_loses_nothing_and_sends_nothing_twice(
    rt: Runtime, channel: str, adapter: str
) -> None:
    counts, states, comparison = await play(rt, channel, adapter)
    assert comparison.lost == comparison.duplicated == comparison.unexpected == 0, comparison
    assert max(counts.values()) == 1
    assert sum(states.values()) == COUNT
    unknown = states.get(State.UNKNOWN, 0)
    if adapter in ("aliyun_sms", "wechat_official"):
        assert states == {State.DELIVERED: COUNT}
    else:
        assert unknown <= 3 * 2 * 200
        assert sum(n for state, n in states.items() if state != State.UNKNOWN) == COUNT - unknown
    await assert_sums(rt)


@pytest.mark.slow
async def test_without_the_watermark_the_gateway_gets_messages_twice(rt: Runtime) -> None:
    # A receipt that comes before the batch is taken over would tell the mutant what it has forgotten.
    counts, _, comparison = await play(rt, "sms", "aliyun_sms", "without_watermark", receipt_delay=8.0)
    assert comparison.duplicated > 0
    assert max(counts.values()) > 1
