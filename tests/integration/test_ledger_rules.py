"""Who gets what: the ladder, the gate, the exclusions, control."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from campaigns.rounds import cancel_round, pause_round, resume_round, tick
from channels.base import Inbound, InboundKind
from outreach.ledger.gateways import Fleet
from outreach.ledger.inbound import record_inbound
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import staged
from tests.integration.test_ledger import all_final, assert_sums, until, working
from tests.turnstile import Turnstile, beliefs_lapse, none_is_held, one_request_at_a_time


async def exclusions(rt: Runtime) -> dict[str, int]:
    """Reasons with their counts, of the youngest round."""
    rows = await rt.db.fetch(
        "select reason, size from round_set where kind = 'exclusion' and size > 0"
        " and round_id = (select max(round_id) from round_set)"
    )
    return {row["reason"]: row["size"] for row in rows}


async def channel_counts(rt: Runtime) -> dict[tuple[str, int], int]:
    """Messages by channel and state."""
    rows = await rt.db.fetch(
        "select s.channel, m.state, count(*)::int as n from message m join round_step s"
        " on s.round_id = m.round_id and s.step = m.step group by 1, 2"
    )
    return {(row["channel"], row["state"]): row["n"] for row in rows}


async def test_a_phone_that_cannot_show_5g_falls_to_sms(rt: Runtime) -> None:
    people = town.households(40, rcs=None)
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, capable=0.5) as wire:
        await town.launch(wire.rt, ["rcs", "sms"])
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            await tick(ticker)
            await until(lambda: all_final(rt))
            await tick(ticker)
            await until(lambda: all_final(rt))
    counts = await channel_counts(rt)
    failed = counts["rcs", State.FAILED]
    assert 0 < failed < 40
    assert counts["rcs", State.DELIVERED] == 40 - failed
    assert counts["sms", State.DELIVERED] == failed
    learned = await rt.db.fetch_one("select count(*)::int as n from address where rcs = false")
    assert learned == {"n": failed}
    await assert_sums(rt)


async def test_who_waits_too_long_without_a_delivery_falls(rt: Runtime) -> None:
    people = [town.Household(1, 1, "13800000007", None, "a@example.com")]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms", "email"], wait=timedelta(days=1))
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            await tick(ticker)
            await until(lambda: _has(rt, State.ACCEPTED, 1))
            assert await tick(ticker) == 0
            await town.set_clock(rt, town.START + timedelta(days=1, minutes=1))
            assert await tick(ticker) == 1
            await until(lambda: _has(rt, State.DELIVERED, 1))
    assert await channel_counts(rt) == {("sms", State.ACCEPTED): 1, ("email", State.DELIVERED): 1}
    await assert_sums(rt)


async def _has(rt: Runtime, state: State, count: int) -> bool:
    return (await town.states(rt)).get(state) == count


async def test_round_two_holds_nobody_who_acted_after_round_one(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(20))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], rounds=2)
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            await tick(ticker)
            await until(lambda: all_final(rt))
            await town.add_label(rt, "iit.filed", range(1, 8))
            await town.set_clock(rt, town.START + timedelta(days=10))
            assert await tick(ticker) == 13
            await until(lambda: all_final(rt))
    assert await exclusions(rt) == {"already_done": 7}
    rows = await rt.db.fetch("select person_id from message where round_id = (select max(id) from round)")
    assert {row["person_id"] for row in rows} == set(range(8, 21))
    await assert_sums(rt)


async def test_who_acts_between_planning_and_sending_gets_nothing(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(10))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        assert await tick(town.ticker(wire.rt)) == 10
        await town.add_label(rt, "iit.filed", [3, 4])
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        assert len(wire.simulators["aliyun_sms"].books.entries) == 8
    assert await town.states(rt) == {State.DELIVERED: 8, State.WITHHELD: 2}
    await assert_sums(rt)


async def test_a_message_names_only_households_that_have_still_to_act(rt: Runtime) -> None:
    await town.settle_town(rt, [town.Household(n, 1, town.mobile(1)) for n in (1, 2, 3)])
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        await tick(town.ticker(wire.rt))
        await town.add_label(rt, "iit.filed", [2])
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        (entry,) = wire.simulators["aliyun_sms"].books.entries
    assert "示例企业1、示例企业3" in entry.text


async def test_each_exclusion_has_one_reason_in_order(rt: Runtime) -> None:
    people = [*town.households(18), town.Household(19, 19), town.Household(20, 20)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.add_label(rt, "iit.filed", [1, 2, 19])
    await town.add_label(rt, "iit.disputed", [2, 3])
    await town.add_label(rt, "iit.exempt", [4])
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(
            wire.rt,
            ["sms"],
            kind="do_it_reminder",
            dispute_segment="iit.disputed",
            exempt_segment="iit.exempt",
        )
        gateway = await Fleet(wire.rt).gateway(wire.ids["aliyun_sms"])
        await record_inbound(wire.rt, gateway, Inbound(InboundKind.TEXT, town.mobile(5), " ｒ。"))
        await record_inbound(wire.rt, gateway, Inbound(InboundKind.TEXT, town.mobile(6), "好的"))
        assert await tick(town.ticker(wire.rt)) == 13
    assert await exclusions(rt) == {
        "already_done": 3,
        "disputed": 1,
        "exempt": 1,
        "opted_out": 1,
        "no_address": 1,
    }
    await assert_sums(rt)


async def test_a_refusal_is_honoured_by_the_next_batch_but_not_by_the_law(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(6))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], kind="policy_push")
        assert await tick(town.ticker(wire.rt)) == 6
        wire.simulators["aliyun_sms"].uplink({"address": town.mobile(2), "text": "退订"})
        await until(lambda: _count(rt, "opt_out", 2))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
            assert await town.states(rt) == {State.DELIVERED: 5, State.WITHHELD: 1}
            await town.launch(wire.rt, ["sms"], code="law", kind="statutory_deadline")
            assert await tick(town.ticker(wire.rt)) == 6


async def _count(rt: Runtime, table: str, count: int) -> bool:
    row = await rt.db.fetch_one(f"select count(*)::int as n from {table}")
    return row == {"n": count}


@asynccontextmanager
async def caught(rt: Runtime) -> AsyncIterator[tuple[town.Wire, Turnstile, int]]:
    """A round of three batches in the middle: nine requests of a hundred have left, three senders have one on
    its way each. Wire, turnstile, round."""
    await town.settle_town(rt, town.households(3000))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await one_request_at_a_time(rt, "aliyun_sms")
        turnstile = Turnstile(wire.simulators["aliyun_sms"], 900)
        await town.launch(wire.rt, ["sms"])
        await tick(town.ticker(wire.rt))
        async with working(wire.rt):
            await turnstile.crowd(3)
            row = await rt.db.fetch_one("select max(id) as id from round")
            assert row is not None
            yield wire, turnstile, row["id"]


async def test_pause_stops_all_but_what_is_on_its_way_and_resume_sends_nothing_twice(rt: Runtime) -> None:
    async with caught(rt) as (wire, turnstile, round_id):
        books = wire.simulators["aliyun_sms"].books
        await pause_round(wire.rt, round_id, "tester")
        await beliefs_lapse()
        turnstile.open()
        await until(lambda: none_is_held(rt))
        await asyncio.sleep(1)
        assert len(books.entries) == 1200
        await resume_round(wire.rt, round_id, "tester")
        await until(lambda: all_final(rt))
    assert len({entry.address for entry in books.entries}) == len(books.entries) == 3000
    await assert_sums(rt)


async def test_cancel_takes_back_what_has_not_left(rt: Runtime) -> None:
    async with caught(rt) as (wire, turnstile, round_id):
        ticker = town.ticker(wire.rt)
        await cancel_round(wire.rt, round_id, "tester")
        await beliefs_lapse()
        turnstile.open()

        async def is_over() -> bool:
            # A window that was on its way gives its batch back first; the scheduler ticks on.
            await tick(ticker)
            return await all_final(rt)

        await until(is_over)
    assert await town.states(rt) == {State.DELIVERED: 1200, State.CANCELLED: 1800}
    await assert_sums(rt)


async def test_a_look_at_the_rounds_is_as_old_as_its_question(rt: Runtime) -> None:
    async with staged(rt, town.households(1)) as stage:
        read = stage.rt.db.fetch

        async def slowly(*asked: Any) -> Any:
            rows = await read(*asked)
            # The machine stands still; meanwhile somebody presses pause.
            await pause_round(stage.rt, 1, "tester")
            await beliefs_lapse()
            return rows

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage.rt.db, "fetch", slowly)
            assert list(await stage.sender.gate.rounds()) == [1]
        assert await stage.sender.gate.rounds() == {}


async def test_what_misses_its_window_expires(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(30))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        ticker = town.ticker(wire.rt)
        await tick(ticker)
        await town.set_clock(rt, town.START + timedelta(days=9, minutes=1))
        await tick(ticker)
        async with working(wire.rt):
            await asyncio.sleep(0.5)
        assert not wire.simulators["aliyun_sms"].books.entries
    assert await town.states(rt) == {State.EXPIRED: 30}
    await assert_sums(rt)


async def test_quiet_hours_delay_and_do_not_drop(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(5))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START.replace(hour=21, minute=30))
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], kind="policy_push")
        await tick(town.ticker(wire.rt))
        async with working(wire.rt):
            await asyncio.sleep(1)
            assert await town.states(rt) == {State.PLANNED: 5}
            await town.set_clock(rt, (town.START + timedelta(days=1)).replace(hour=8, minute=1))
            await until(lambda: all_final(rt))
    assert await town.states(rt) == {State.DELIVERED: 5}
