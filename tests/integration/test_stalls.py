"""Each cause that holds a round up, provoked for real, is the one that is told, with what to do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from campaigns.rounds import cancel_round, pause_round, resume_round, tick
from outreach.analytics.stalls import RoundProgress, round_progress
from outreach.errors import NotFound
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import staged
from tests.integration.test_ledger import until, working


async def progress(rt: Runtime, round_id: int = 1, *, with_numbers: bool = True) -> RoundProgress:
    async with rt.db.begin() as conn:
        return await round_progress(conn, round_id, with_numbers=with_numbers)


async def beat(rt: Runtime) -> None:
    """A worker that says it works."""
    await rt.db.execute(
        "insert into worker (name, kind, host, pid) values ('test:1', 'worker', 'test', 1)"
        " on conflict (name) do update set seen_at = now()"
    )


async def causes(rt: Runtime) -> list[str]:
    return [stall.cause.value for stall in (await progress(rt)).stalls]


@asynccontextmanager
async def standing(rt: Runtime, count: int = 20, **launch) -> AsyncIterator[town.Wire]:
    """An approved round that has been planned and cut, and a worker that beats but does not work."""
    await town.settle_town(rt, town.households(count))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], **launch)
        await tick(town.ticker(wire.rt))
        await beat(rt)
        yield wire


async def test_a_round_with_everything_at_hand_has_no_cause(rt: Runtime) -> None:
    async with standing(rt) as wire:
        assert await causes(wire.rt) == []
        found = await progress(wire.rt)
        assert (found.waiting, found.uncut) == (20, 0)
        assert found.finish_at is not None


async def test_pause_and_cancel(rt: Runtime) -> None:
    async with standing(rt) as wire:
        await pause_round(wire.rt, 1, "planner")
        (stall,) = (await progress(wire.rt)).stalls
        assert (stall.cause.value, stall.held) == ("paused", 20)
        assert "继续" in stall.advice
        await resume_round(wire.rt, 1, "planner")
        assert await causes(wire.rt) == []
        await cancel_round(wire.rt, 1, "planner")
        assert await causes(wire.rt) == ["ended"]
        await tick(town.ticker(wire.rt))
        assert await causes(wire.rt) == []


async def test_not_approved_too_early_and_waiting_to_be_planned(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(3))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START - timedelta(hours=1))
    await town.launch(rt, ["sms"])
    (stall,) = (await progress(rt)).stalls
    assert (stall.cause.value, stall.until) == ("too_early", town.START)
    await rt.db.execute("update campaign set state = 'draft'")
    assert await causes(rt) == ["not_approved"]
    await rt.db.execute("update campaign set state = 'running'")
    await town.set_clock(rt, town.START)
    assert await causes(rt) == ["no_scheduler"]
    await rt.db.execute("insert into scheduler_tick (at) values (now())")
    assert await causes(rt) == ["planning"]


async def test_quiet_hours_with_their_end(rt: Runtime) -> None:
    async with standing(rt) as wire:
        await town.set_clock(rt, town.START.replace(hour=23))
        (stall,) = (await progress(wire.rt)).stalls
        assert stall.cause.value == "quiet_hours"
        assert stall.until == town.START.replace(hour=8) + timedelta(days=1)
        assert "08:00 以后自动继续" in stall.text


async def test_no_worker_once_the_last_one_has_stopped_beating(rt: Runtime) -> None:
    async with standing(rt):
        for seconds, told in ((19, []), (21, ["no_worker"])):
            # In one transaction, for which the clock stands still.
            async with rt.db.begin() as conn:
                await conn.execute(f"update worker set seen_at = now() - interval '{seconds} seconds'")
                found = await round_progress(conn, 1)
            assert [stall.cause.value for stall in found.stalls] == told


async def test_no_scheduler_where_messages_are_still_to_be_cut(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(20))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await rt.db.execute("update gateway set state = 'closed'")
        await town.launch(wire.rt, ["sms"])
        await tick(town.ticker(wire.rt))
        await beat(rt)
        assert await causes(wire.rt) == ["no_gateway"]
        await rt.db.execute("update gateway set state = 'active'")
        assert await causes(wire.rt) == []
        await rt.db.execute("update scheduler_tick set at = now() - interval '1 minute'")
        (stall,) = (await progress(wire.rt)).stalls
        assert (stall.cause.value, stall.held) == ("no_scheduler", 20)
        await tick(town.ticker(wire.rt))
        assert await causes(wire.rt) == []
        assert (await progress(wire.rt)).waiting == 20


async def test_a_closed_gateway_is_named_with_its_channel(rt: Runtime) -> None:
    async with standing(rt) as wire:
        await rt.db.execute("update gateway set state = 'closed' where channel = 'sms'")
        (stall,) = (await progress(wire.rt)).stalls
        assert (stall.cause.value, stall.held) == ("no_gateway", 20)
        assert "「短信」" in stall.text


async def test_the_rate_with_the_time_at_which_it_ends(rt: Runtime) -> None:
    async with standing(rt) as wire:
        await rt.db.execute("update gateway set rate = 0.5 where channel = 'sms'")
        (stall,) = (await progress(wire.rt)).stalls
        assert stall.cause.value == "rate"
        assert stall.until == town.START + timedelta(seconds=40)
        assert "20 条在排队" in stall.text
        (stall,) = (await progress(wire.rt, with_numbers=False)).stalls
        assert "20 条" not in stall.text


async def test_the_window_that_has_closed(rt: Runtime) -> None:
    async with standing(rt) as wire:
        await town.set_clock(rt, town.START + timedelta(days=9, hours=1))
        assert (await causes(wire.rt))[0] == "window_closed"


async def test_a_ladder_that_waits_says_until_when_and_a_round_that_is_through_says_so(rt: Runtime) -> None:
    people = [town.Household(n, n, town.mobile(n), rcs=True) for n in range(1, 6)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    silent = {"fiveg_bot": {"silent": 1.0}}
    async with town.wired(rt, faults=silent) as wire:
        await town.launch(wire.rt, ["rcs", "sms"])
        async with working(wire.rt):
            await tick(town.ticker(wire.rt))
            await until(lambda: _accepted(rt, 5))
            (stall,) = (await progress(wire.rt)).stalls
            assert (stall.cause.value, stall.held) == ("ladder", 5)
            assert stall.until == town.START + timedelta(days=2)
            await town.set_clock(rt, town.START + timedelta(days=2))
            await tick(town.ticker(wire.rt))
            await rt.db.execute("update scheduler_tick set at = now()")
            await until(lambda: _accepted(rt, 0, state=0))
    await until(lambda: _accepted(rt, 0, state=0))
    found = [stall for stall in (await progress(rt)).stalls if stall.cause.value != "ladder"]
    assert found == []


async def test_unknown_and_deferred_messages_are_told_apart(rt: Runtime) -> None:
    async with staged(rt, town.households(4)) as stage:
        await beat(rt)
        await stage.put_away()
        await stage.put(0, State.UNKNOWN)
        await stage.put(1, State.PLANNED, not_before="now() + interval '90 seconds'")
        await stage.put(2, State.DELIVERED)
        await stage.put(3, State.DELIVERED)
        found = {stall.cause.value: stall for stall in (await progress(rt)).stalls}
        assert found.keys() == {"unknown", "deferred"}
        assert "等回执或由人决定" in found["unknown"].text
        assert "1 分钟后再试" in found["deferred"].text


async def test_a_round_that_is_through_says_when_it_closes(rt: Runtime) -> None:
    async with staged(rt, town.households(2)) as stage:
        await stage.put_away()
        for position in range(2):
            await stage.put(position, State.ACCEPTED)
        (stall,) = (await progress(rt)).stalls
        assert stall.cause.value == "done"
        assert "2 条还在等回执" in stall.text


async def test_a_round_that_is_not_there(rt: Runtime) -> None:
    with pytest.raises(NotFound):
        await progress(rt, 99)


async def _accepted(rt: Runtime, count: int, *, state: int = 2) -> bool:
    return (await town.states(rt)).get(state, 0) == count


async def test_a_round_over_working_days_asks_for_a_year_that_the_calendar_does_not_know(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    await town.launch(rt, ["sms"], starts_at=town.START.replace(year=2031))
    assert await causes(rt) == ["too_early"]
    await rt.db.execute("""update round set stagger = '{"working_days": true, "opens": "09:00"}'""")
    assert await causes(rt) == ["no_calendar", "too_early"]
    keys = {"org_id": town.PROVINCE, "by": "planner"}
    await rt.db.execute(
        "insert into calendar_year (org_id, year, set_by) values (%(org_id)s, 2031, %(by)s)", keys
    )
    assert await causes(rt) == ["too_early"]
