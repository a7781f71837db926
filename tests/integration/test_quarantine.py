"""A fail-over to an asynchronous standby that lacks the last commits: what may have been sent is unknown.

The gateway's books are the judge. The control shows that the same fail-over without the quarantine sends
messages twice, otherwise the test would be worth nothing.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from campaigns.failover import recover_lost_time
from campaigns.rounds import tick
from outreach.clock import BEIJING, utc_now
from outreach.config import Settings
from outreach.db.migrate import migrate
from outreach.embedded import start_postgres
from outreach.errors import Conflict, InvalidInput
from outreach.ledger import materialise
from outreach.ledger.audit import audit_everything
from outreach.ledger.gateways import Fleet
from outreach.ledger.keys import decode_key
from outreach.ledger.merge import merge_receipts
from outreach.ledger.protocol import open_window
from outreach.ledger.quarantine import LARGEST_CUT, LostTime, Quarantined
from outreach.ledger.reconcile import reconcile_all
from outreach.ledger.send import drain_batch
from outreach.ledger.states import State
from outreach.processes import environment
from outreach.runtime import Runtime, close_runtime, open_runtime
from outreach.worker import build_sender
from tests import town
from tests.hosts import postgres
from tests.integration.command_line import outreach
from tests.integration.ledger_stage import staged

PEOPLE = [town.Household(n, n, town.mobile(n), f"o{n:027d}", None, False) for n in range(1, 501)]
CUT = 200
ADAPTERS = {"sms": "aliyun_sms", "wechat": "wechat_official"}
THROTTLED = {"sms": 0.002, "wechat": 0.1}
"""A request of many fails as a whole."""


@dataclass(frozen=True)
class Pair:
    """A primary and the standby that follows it."""

    primary: postgres.Cluster
    standby: postgres.Cluster
    dsn: str


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    server = start_postgres(tmp_path / "primary", settings={"fsync": "off"})
    asyncio.run(migrate(server.dsn))
    primary = postgres.primary_of(server)
    standby = postgres.make_standby(primary, tmp_path / "standby")
    try:
        standby.start()
        yield Pair(primary, standby, server.dsn)
    finally:
        standby.kill()
        server.stop()


@pytest.fixture
def by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """No midnight is near, at whatever time the test runs: see `test_the_bounds`."""
    monkeypatch.setattr(LostTime, "is_one_day", lambda *_: True)


@asynccontextmanager
async def process(settings: Settings, dsn: str) -> AsyncIterator[Runtime]:
    """A process of ours at a server."""
    rt = await open_runtime(settings.model_copy(update={"database_url": dsn}))
    try:
        yield rt
    finally:
        await close_runtime(rt)


@contextmanager
def small_cuts() -> Iterator[None]:
    """A tick cuts one batch of a rung, so that recipients are left."""
    whole = materialise._PIECE
    materialise._PIECE = CUT
    try:
        yield
    finally:
        materialise._PIECE = whole


async def drain(rt: Runtime) -> None:
    """Send every open batch once, and look after what rests."""
    sender = build_sender(rt)
    try:
        for row in await rt.db.fetch("select shard, id from batch where state = 0 order by id"):
            await drain_batch(sender, row["shard"], row["id"])
        await reconcile_all(sender)
    finally:
        await sender.fleet.close()


async def rest(rt: Runtime) -> None:
    """Time passes: leases and rests end."""
    await rt.db.execute("update message set not_before = now() where not_before is not null")
    await rt.db.execute("update batch set lease_until = null, next_at = now() where state = 0")


async def finish(rt: Runtime, wire: town.Wire) -> None:
    """Play on until nothing moves."""
    for _ in range(4):
        await tick(town.ticker(rt))
        await rest(rt)
        await drain(rt)
        await wire.quiesce()
        while await merge_receipts(rt):
            pass


def at(rt: Runtime, wire: town.Wire) -> Runtime:
    """The same gateways, another server."""
    return Runtime(wire.rt.settings, rt.db, rt.redis, rt.http)


async def fail_over(
    settings: Settings, pair: Pair, channel: str, *, quarantined: bool
) -> tuple[Counter[str], dict[int, int], Quarantined | None, set[int]]:
    """A round under way; the standby stops getting commits; sending goes on; the primary dies; the standby
    takes over. Returns how often the gateway took each address, the states, and the batches of the books."""
    adapter = ADAPTERS[channel]
    async with process(settings, pair.dsn) as first:
        await first.redis.flushall()
        await town.settle_town(first, PEOPLE)
        await town.write_templates(first)
        await town.set_clock(first, town.START)
        faults = {adapter: {"throttle": THROTTLED[channel]}}
        async with town.wired(first, quiet_seconds=1.0, faults=faults) as wire:
            books = wire.simulators[adapter].books
            await town.launch(wire.rt, [channel])
            assert await tick(town.ticker(wire.rt)) == CUT
            await drain(wire.rt)
            assert await tick(town.ticker(wire.rt)) == CUT
            await rest(first)
            await asyncio.to_thread(postgres.catch_up, pair.primary, pair.standby)
            since = utc_now()
            await asyncio.to_thread(postgres.part, pair.standby)
            known = len(books.entries)
            await drain(wire.rt)
            assert await tick(town.ticker(wire.rt)) == len(PEOPLE) - 2 * CUT
            await drain(wire.rt)
            assert len(books.entries) > known
            await wire.quiesce()
            await asyncio.to_thread(pair.primary.kill)
            await first.db.close()
            await asyncio.to_thread(postgres.promote, pair.standby)
            lost = LostTime(since, utc_now())
            async with process(wire.rt.settings, pair.standby.dsn("outreach", "outreach")) as second:
                await town.set_clock(second, town.START + timedelta(minutes=5))
                made = None
                if quarantined:
                    made = await recover_lost_time(second, lost, spared=[], by="test")
                wire.rt = at(second, wire)
                wire.desk._rt, wire.desk._fleet = wire.rt, Fleet(wire.rt)
                await asyncio.sleep(1.1)
                await finish(wire.rt, wire)
                for audit in await audit_everything(second):
                    assert audit.agrees, [check for check in audit.checks if not check.agrees]
                batches = {(decode_key(entry.key) or 0) // 1000 for entry in books.entries}
                return (
                    Counter(entry.address for entry in books.entries),
                    await town.states(second),
                    made,
                    batches,
                )


@pytest.mark.slow
@pytest.mark.usefixtures("by_day")
@pytest.mark.parametrize("channel", ADAPTERS)
async def test_after_a_quarantine_nobody_gets_a_message_twice(
    settings: Settings, pair: Pair, channel: str
) -> None:
    with small_cuts():
        counts, states, made, batches = await fail_over(settings, pair, channel, quarantined=True)
    assert made is not None
    assert max(counts.values()) == 1
    assert made.opened >= CUT and made.uncut == len(PEOPLE) - 2 * CUT
    assert made.resting > 0 or channel == "sms"
    # What had been cut before is resolved, though receipts that came in the lost time are lost, too; of what
    # was cut in the lost time nobody knows the keys.
    assert states.pop(State.UNKNOWN) == len(PEOPLE) - 2 * CUT
    assert states.keys() <= {State.ACCEPTED, State.DELIVERED} and sum(states.values()) == 2 * CUT
    assert max(batches) < made.next_batch_id


@pytest.mark.slow
async def test_without_it_the_same_fail_over_sends_twice(settings: Settings, pair: Pair) -> None:
    with small_cuts():
        counts, _, _, _ = await fail_over(settings, pair, "sms", quarantined=False)
    twice = sum(1 for count in counts.values() if count > 1)
    assert twice > 0


async def test_a_holder_of_the_lost_time_opens_nothing_more(rt: Runtime) -> None:
    async with staged(rt, town.households(10)) as stage:
        await stage.end_lease()
        lost = LostTime(utc_now() - timedelta(seconds=5), utc_now())
        zombie = await stage.claim("zombie")
        assert zombie is not None
        # Its claim is among the lost commits: the fence is given again.
        await rt.db.execute("update batch set fence = fence - 1, owner = null, lease_until = null")
        await town.set_clock(rt, town.START + timedelta(minutes=1))
        later = await stage.claim("other")
        assert later is not None and later.fence == zombie.fence
        await recover_lost_time(stage.rt, lost, spared=[1], by="test")
        async with rt.db.begin() as conn:
            assert await open_window(conn, rt, zombie, 0, 5) is None
            assert await open_window(conn, rt, later, 0, 5) is None


async def test_a_round_that_certainly_sent_nothing_is_spared(rt: Runtime) -> None:
    async with staged(rt, town.households(10)) as stage:
        await town.set_clock(rt, town.START + timedelta(minutes=1))
        (row,) = await rt.db.fetch("select id from round")
        lost = LostTime(utc_now() - timedelta(seconds=5), utc_now())
        made = await recover_lost_time(stage.rt, lost, spared=[row["id"]], by="test")
        assert (made.opened, made.resting, made.uncut) == (0, 0, 0)
        made = await recover_lost_time(stage.rt, lost, spared=[], by="test")
        assert (made.batches, made.opened, made.uncut) == (1, 10, 0)
        assert await town.states(rt) == {State.UNKNOWN: 10}
        assert (await rt.db.fetch("select action from audit_event"))[-1]["action"] == "ledger.quarantine"


@pytest.mark.usefixtures("by_day")
async def test_what_was_not_due_is_left_alone(rt: Runtime) -> None:
    async with staged(rt, town.households(10)) as stage:
        await town.set_clock(rt, town.START + timedelta(minutes=1))
        await rt.db.execute("update batch set next_at = now() + interval '1 minute'")
        lost = LostTime(utc_now() - timedelta(seconds=5), utc_now())
        made = await recover_lost_time(stage.rt, lost, spared=[], by="test")
        assert (made.batches, made.opened) == (0, 0)
        await stage.put_away()
        await stage.put(0, State.UNKNOWN, not_before="now() + interval '1 minute'", tried_at="now()")
        await stage.put(1, State.UNKNOWN, not_before="now() - interval '10 minutes'", tried_at="now()")
        await stage.put(
            2, State.UNKNOWN, not_before="now() - interval '10 minutes'", tried_at="now() - interval '2 days'"
        )
        await stage.put(3, State.PLANNED, not_before="now() - interval '10 minutes'")
        waits = (await stage.message(0))["not_before"]
        made = await recover_lost_time(stage.rt, lost, spared=[], by="test")
        assert made.resting == 3
        assert (await stage.message(0))["not_before"] == waits
        rests = [(await stage.message(position))["rests"] for position in range(4)]
        assert [rests[1], rests[3]] == pytest.approx([900, 900], abs=60)
        # The first try stands under another day: asking for it would not find a second one.
        assert rests[2] is None
        assert await stage.states(4) == [State.UNKNOWN] * 4


async def test_whoever_had_fallen_is_told_once(rt: Runtime) -> None:
    people = [town.Household(n, n, town.mobile(n), None, None, True) for n in range(1, 11)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["rcs", "sms"])
        await tick(town.ticker(wire.rt))
        await rt.db.execute("update message set state = case when person_id < 4 then 4 else 3 end")
        await rt.db.execute("update batch set state = 1, watermark = n, settled = n")
        await town.set_clock(rt, town.START + timedelta(minutes=1))
        lost = LostTime(utc_now() - timedelta(seconds=5), utc_now())
        made = await recover_lost_time(wire.rt, lost, spared=[], by="test")
        assert made.uncut == 3
        await tick(town.ticker(wire.rt))
        rows = await rt.db.fetch(
            "select person_id, state, code from message where step = 1 order by person_id"
        )
        assert rows == [{"person_id": n, "state": 1, "code": "quarantine"} for n in (1, 2, 3)]


async def test_a_round_that_began_in_the_lost_time_is_planned_and_doubted(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(10))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START + timedelta(minutes=1))
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        lost = LostTime(utc_now() - timedelta(seconds=5), utc_now())
        made = await recover_lost_time(wire.rt, lost, spared=[], by="test")
        assert made.uncut == 10
        assert await tick(town.ticker(wire.rt)) == 0


async def test_times_and_workers_are_checked(rt: Runtime) -> None:
    now = utc_now()
    for since, until in ((now, now - timedelta(seconds=1)), (now, now + timedelta(hours=1))):
        with pytest.raises(InvalidInput, match="起止时间不对"):
            await recover_lost_time(rt, LostTime(since, until), spared=[], by="test")
    await rt.db.execute("insert into worker (name, kind, host, pid) values ('w', 'worker', 'h', 1)")
    with pytest.raises(Conflict, match="有 1 个工作进程正在运行"):
        await recover_lost_time(rt, LostTime(now - timedelta(seconds=9), now), spared=[], by="test")


def test_the_bounds() -> None:
    assert LARGEST_CUT == materialise._PIECE
    night = datetime(2026, 3, 16, 23, 54, 30, tzinfo=BEIJING)
    assert LostTime(night - timedelta(seconds=40), night).is_one_day(20.0)
    assert not LostTime(night, night + timedelta(seconds=40)).is_one_day(20.0)
    assert LostTime(night, night + timedelta(seconds=10)).cuts(1.0) == 11 * 2 * LARGEST_CUT


def test_the_command_speaks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    code, text = outreach("quarantine", "--since", "2026-03-16T09:30:05")
    assert code == 0 and "未发完批次中 0 条" in text
    code, text = outreach("quarantine", "--since", "gestern")
    assert code == 1 and "gestern 不是时刻" in text
