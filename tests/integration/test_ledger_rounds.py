"""Rounds that must neither stand still nor take others with them."""

import asyncio
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from campaigns.rounds import cancel_round, tick
from campaigns.templates import save_template
from outreach.labels.slices import write_values
from outreach.ledger.duties import keep_on
from outreach.ledger.gateways import Fleet
from outreach.ledger.materialise import materialise_step
from outreach.ledger.merge import merge_receipts
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import staged
from tests.integration.test_ledger import all_final, assert_sums, until, working


async def states_of_rounds(rt: Runtime) -> dict[str, str]:
    """Each round's state by its campaign's code."""
    rows = await rt.db.fetch("select c.code, r.state from round r join campaign c on c.id = r.campaign_id")
    return {row["code"]: row["state"] for row in rows}


async def write_due(rt: Runtime, people: list[int]) -> None:
    """Only these households owe a known amount."""
    async with rt.db.begin() as conn:
        ids, values = np.array(people, dtype=np.int64), np.full(len(people), 12345, dtype=np.int64)
        await write_values(conn, "amount_due", ids, values, source="test")


async def save(rt: Runtime, channel: str, content: dict[str, Any]) -> None:
    """Another version of the town's template."""
    await save_template(
        rt, "editor", code="remind", name="提醒", channel=channel, content=content, org_id=town.PROVINCE
    )


@pytest.mark.parametrize("second_try", [False, True])
async def test_a_person_without_a_value_costs_nobody_else_the_message(rt: Runtime, second_try: bool) -> None:
    await town.settle_town(rt, town.households(4))
    await save(rt, "sms", {"text": "应补税额{{ amount_due|money }}，请登录个人所得税APP办理。"})
    await write_due(rt, [1, 3, 4])
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        await tick(town.ticker(wire.rt))
        if second_try:
            await rt.db.execute("update batch set state = 1, watermark = n, settled = n")
            await rt.db.execute("update message set not_before = now()")
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    rows = await rt.db.fetch("select person_id, state, code from message where state <> 3")
    assert rows == [{"person_id": 2, "state": State.FAILED, "code": "missing_value"}]
    await assert_sums(rt)


async def test_a_duty_outlives_whatever_goes_wrong_in_it() -> None:
    errors = iter([KeyError("x"), ValueError("y"), AssertionError()])
    calls = 0

    async def duty() -> int:
        nonlocal calls
        calls += 1
        for error in errors:
            raise error
        return 0

    task = asyncio.create_task(keep_on("test", duty, idle=0.01))
    async with asyncio.timeout(60):
        while calls < 5:
            await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()


async def test_fallers_that_found_no_room_are_not_forgotten(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(10, rcs=None))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, capable=0.0) as wire:
        await town.launch(wire.rt, ["rcs", "sms"])
        await rt.db.execute("update gateway set state = 'closed' where channel = 'sms'")
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            assert await tick(ticker) == 10
            await until(lambda: all_final(rt))
            assert await tick(ticker) == 0
            await rt.db.execute("update gateway set state = 'active'")
            ticker.fleet = Fleet(wire.rt)
            assert await tick(ticker) == 10
            assert await tick(ticker) == 0
            await until(lambda: all_final(rt))
    assert await town.states(rt) == {State.FAILED: 10, State.DELIVERED: 10}
    await assert_sums(rt)


async def test_an_unknown_statutory_message_falls_after_its_gateways_deadline(rt: Runtime) -> None:
    people = [town.Household(n, n, town.mobile(n), email=f"p{n}@example.com", rcs=True) for n in (1, 2)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["rcs", "email"], wait=timedelta(hours=1))
        await rt.db.execute("update gateway set receipt_deadline = '24 hours'")
        ticker = town.ticker(wire.rt)
        assert await tick(ticker) == 2
        await rt.db.execute("update message set state = 1, not_before = null")
        await rt.db.execute("update batch set state = 1, watermark = n, settled = n")
        await town.set_clock(rt, town.START + timedelta(hours=23))
        assert await tick(ticker) == 0
        await town.set_clock(rt, town.START + timedelta(hours=25))
        assert await tick(ticker) == 2
        assert await tick(ticker) == 0


async def test_nobody_falls_while_receipts_wait_for_their_merge(rt: Runtime) -> None:
    people = [town.Household(n, n, town.mobile(n), email=f"p{n}@example.com", rcs=True) for n in (1, 2)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["rcs", "email"], wait=timedelta(hours=1))
        ticker = town.ticker(wire.rt)
        assert await tick(ticker) == 2
        await rt.db.execute("update batch set state = 1, watermark = n, settled = n")
        await rt.db.execute("update message set state = 2")
        await rt.db.execute("update message set state = 4 where person_id = 2")
        await rt.db.execute("select ensure_period('receipt_inbox', 203001)")
        await rt.db.execute(
            "insert into receipt_inbox (period, gateway_id, message_id, state, arrived_at)"
            " select 203001, 1, id, 3, now() - interval '61 seconds' from message where person_id = 1"
        )
        await town.set_clock(rt, town.START + timedelta(hours=2))
        assert await tick(ticker) == 0
        assert await merge_receipts(wire.rt) == 1
        assert await tick(ticker) == 1
        assert await tick(ticker) == 0
    rows = await rt.db.fetch("select person_id from message where step = 1")
    assert rows == [{"person_id": 2}]


async def test_a_round_that_cannot_be_planned_holds_up_no_other(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(3))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], code="broken", starts_at=town.START - timedelta(hours=1))
        await town.launch(wire.rt, ["sms"], code="sound")
        await rt.db.execute("update campaign set segment = 'label(\"gone.away\")' where code = 'broken'")
        assert await tick(town.ticker(wire.rt)) == 3
    assert await states_of_rounds(rt) == {"broken": "scheduled", "sound": "running"}


async def test_a_round_whose_window_closed_before_it_began_is_finished(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(3))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START - timedelta(days=1))
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        ticker = town.ticker(wire.rt)
        assert await tick(ticker) == 0
        assert await states_of_rounds(rt) == {"test": "scheduled"}
        await town.set_clock(rt, town.START + timedelta(days=30))
        assert await tick(ticker) == 0
    assert await states_of_rounds(rt) == {"test": "finished"}
    assert await rt.db.fetch("select state from campaign") == [{"state": "finished"}]


@pytest.mark.parametrize(("channel", "age"), [("wechat", "20 minutes"), ("rcs", "1 second")])
async def test_what_stays_unknown_does_not_keep_a_round_open(rt: Runtime, channel: str, age: str) -> None:
    people = [town.Household(1, 1, town.mobile(1), "o" + "0" * 27, rcs=True)]
    async with staged(rt, people, channel) as stage:
        await stage.put_away()
        await stage.put(0, State.UNKNOWN, not_before="now()", tried_at=f"now() - interval '{age}'")
        await town.set_clock(rt, town.START + timedelta(days=9, minutes=1))
        ticker = town.ticker(stage.rt)
        await tick(ticker)
        assert await states_of_rounds(rt) == {"test": "running"}
        await asyncio.sleep(0.4)
        assert await stage.reconcile() == 1
        await tick(ticker)
        assert stage.books.entries == []
        assert (await stage.message())["state"] == State.UNKNOWN
    assert await states_of_rounds(rt) == {"test": "finished"}
    await assert_sums(rt)


async def test_what_was_unsent_at_the_end_expires_wherever_it_rests(rt: Runtime) -> None:
    async with staged(rt, town.households(6)) as stage:
        await rt.db.execute("update batch set watermark = 4, settled = 4")
        await stage.put(0, State.ACCEPTED)
        await stage.put(1, State.UNKNOWN, not_before="now() + interval '1 hour'", tried_at="now()")
        await stage.put(2, State.PLANNED, not_before="now()")
        await stage.put(3, State.FAILED)
        await town.set_clock(rt, town.START + timedelta(days=9, minutes=1))
        await tick(town.ticker(stage.rt))
        expected = [State.ACCEPTED, State.UNKNOWN, State.EXPIRED, State.FAILED, *[State.EXPIRED] * 2]
        assert await stage.states(6) == expected
        await stage.drain()
        assert stage.books.entries == []
    await assert_sums(rt)


async def test_nothing_more_is_cut_of_a_round_that_was_cancelled(rt: Runtime) -> None:
    async with staged(rt, town.households(3)) as stage:
        row = await rt.db.fetch_one("select id from round")
        assert row is not None
        await cancel_round(stage.rt, row["id"], "tester")
        await tick(town.ticker(stage.rt))
        await rt.db.execute("update round set state = 'running'")
        await rt.db.execute("update round_step set cursor_position = 0")
        cut = await materialise_step(stage.rt, stage.sender.fleet, row["id"], 0, fallers=False)
        assert cut.messages == 0
    assert await town.states(rt) == {State.CANCELLED: 3}
