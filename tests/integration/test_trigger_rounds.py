"""Trigger rounds: an event over the API becomes one message, through the same gate and sums as any round."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from pyroaring import BitMap

from campaigns.campaigns import Canary, RoundDraft, create_campaign
from campaigns.rounds import cancel_round, tick
from campaigns.trigger_rules import Trigger
from campaigns.triggers import Happening
from outreach.errors import InvalidInput
from outreach.ledger.inbound import opt_out
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_approval import state_of
from tests.integration.test_ledger import all_final, assert_sums, until, working
from tests.integration.trigger_stage import (
    ANY_STAY,
    SMS,
    STAY,
    answer,
    drafted,
    laps,
    outcomes,
    record,
    report,
    ruled,
    signed,
    stay,
    told,
)
from tests.turnstile import beliefs_lapse

NIGHT = town.START.replace(hour=23, minute=30)
MORNING = town.START.replace(hour=8) + timedelta(days=1)


async def test_domain_case_3_180_s_none_180_001_s_one_second_stay_none_quiet_hours_deferred(
    rt: Runtime,
) -> None:
    async with ruled(rt, STAY) as wire, working(wire.rt):
        sent = wire.simulators["aliyun_sms"].books.entries
        assert await report(wire.rt, stay("a", 180.000), stay("b", 180)) == 2
        assert (await outcomes(rt), await told(rt)) == ([], [])
        await report(wire.rt, stay("c", 180.001))
        await until(lambda: all_final(rt))
        await report(wire.rt, stay("d", 300))
        await wire.quiesce()
        assert (await outcomes(rt), len(sent)) == (["planned", "repeated"], 1)

        await town.set_clock(rt, NIGHT)
        # Time leaps here alone; what the gate has read of the hour before is good for a moment.
        await beliefs_lapse()
        await report(wire.rt, stay("e", 400, taxpayer=2, session="s2", at=NIGHT))
        await asyncio.sleep(1.0)
        assert (await told(rt), len(sent)) == ([1, 2], 1)
        await town.set_clock(rt, MORNING)
        await tick(town.ticker(wire.rt))
        await until(lambda: all_final(rt))
        assert len(sent) == 2
    assert await town.states(rt) == {State.DELIVERED: 2}
    await assert_sums(rt)


async def test_who_has_acted_before_the_message_leaves_gets_nothing(rt: Runtime) -> None:
    async with ruled(rt, STAY) as wire:
        await town.set_clock(rt, NIGHT)
        await report(wire.rt, stay("a", at=NIGHT), stay("b", taxpayer=2, session="s2", at=NIGHT))
        await record(wire.rt, Happening("c", 1, "filed", NIGHT))
        await town.set_clock(rt, MORNING)
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    assert await town.states(rt) == {State.WITHHELD: 1, State.DELIVERED: 1}
    await assert_sums(rt)


async def test_an_event_that_is_reported_twice_gives_one_message(rt: Runtime) -> None:
    async with ruled(rt, ANY_STAY) as wire:
        await asyncio.gather(*(report(wire.rt, stay("a")) for _ in range(4)))
        await answer(wire.rt)
    assert (await outcomes(rt), await told(rt)) == (["planned"], [1])


async def test_two_stays_of_a_session_that_come_at_once_meet_in_the_database(rt: Runtime) -> None:
    async with ruled(rt, STAY) as wire:
        await asyncio.gather(*(record(wire.rt, stay(f"k{n}")) for n in range(6)))
        await asyncio.gather(*(answer(wire.rt) for _ in range(3)))
        await answer(wire.rt)
    assert sorted(map(str, await outcomes(rt))) == ["planned"] + ["repeated"] * 5
    assert await told(rt) == [1]


async def test_once_for_a_household_within_some_days(rt: Runtime) -> None:
    async with ruled(rt, Trigger("page_stay", once="taxpayer", days=2)) as wire:
        for day in (0, 1, 2, 3):
            moment = town.START + timedelta(days=day)
            await town.set_clock(rt, moment)
            await report(wire.rt, stay(f"k{day}", session=f"s{day}", at=moment))
    assert await outcomes(rt) == ["planned", "repeated", "planned", "repeated"]


async def test_another_session_of_the_day_stands_in_a_second_lap(rt: Runtime) -> None:
    people = [*town.households(2), town.Household(3, 1, town.mobile(1))]
    async with ruled(rt, STAY, people) as wire, working(wire.rt):
        await report(wire.rt, stay("a"), stay("b", session="s2"), stay("c", taxpayer=2, session="s3"))
        await report(wire.rt, stay("d", taxpayer=3, session="s4"))
        await until(lambda: all_final(rt))
    assert await told(rt) == [1, 2, 1, 1]
    assert await laps(rt) == [(2, 2), (1, 1), (1, 1)]
    await assert_sums(rt)


async def test_events_of_two_households_of_one_person_become_one_message(rt: Runtime) -> None:
    people = [town.Household(n, 1, town.mobile(1)) for n in (1, 2)]
    async with ruled(rt, STAY, people) as wire:
        await report(wire.rt, stay("a"), stay("b", taxpayer=2, session="s2"))
    rows = await rt.db.fetch("select taxpayer_ids from message")
    assert [row["taxpayer_ids"] for row in rows] == [[1, 2]]
    await assert_sums(rt)


async def test_a_source_that_reports_without_end_is_stopped(rt: Runtime) -> None:
    async with ruled(rt, ANY_STAY) as wire:
        await report(wire.rt, *(stay(f"k{n}") for n in range(12)))
    assert await outcomes(rt) == ["planned"] * 10 + ["too_often"] * 2


async def test_each_exclusion_has_its_reason_in_the_report(rt: Runtime) -> None:
    people = [*town.households(7), town.Household(8, 8)]
    rules = {"dispute_segment": "iit.disputed", "exempt_segment": "iit.exempt"}
    rules |= {"segment": "not iit.booked", "quota_messages": 1, "quota_days": 7}
    async with ruled(rt, ANY_STAY, people, **rules) as wire:
        for label, taxpayer in (("iit.filed", 1), ("iit.disputed", 2), ("iit.exempt", 3), ("iit.booked", 4)):
            await town.add_label(rt, label, [taxpayer])
        async with rt.db.begin() as conn:
            await opt_out(conn, [5], "all", "test")
        await report(wire.rt, stay("early", taxpayer=6))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        await tick(town.ticker(wire.rt))
        await report(wire.rt, *(stay(f"k{n}", taxpayer=n) for n in range(1, 9)))
    assert await outcomes(rt) == [
        "planned", "already_done", "disputed", "exempt", "not_in_segment", "opted_out", "contacted_recently",
        "planned", "no_address",
    ]  # fmt: skip
    rows = await rt.db.fetch(
        "select s.reason, sum(s.size)::int as n from round_set s where s.kind = 'exclusion' group by s.reason"
    )
    excluded = {row["reason"]: row["n"] for row in rows if row["n"]}
    assert excluded == dict.fromkeys(
        ("already_done", "disputed", "exempt", "opted_out", "contacted_recently", "no_address"), 1
    )
    assert await laps(rt) == [(7, 2), (1, 0)]
    await assert_sums(rt)


async def test_a_changed_threshold_voids_the_approval(rt: Runtime) -> None:
    async with ruled(rt, STAY) as wire:
        await rt.db.execute("update round set trigger = trigger || '{\"seconds\": 60}'")
        await report(wire.rt, stay("a", 100))
        assert (await state_of(rt, 1))["state"] == "in_review"
        await report(wire.rt, stay("b", 500, session="s2"))
    assert (await outcomes(rt), await told(rt)) == ([None, None], [])
    review = await rt.db.fetch_one("select note from campaign_review where decision is null")
    assert review is not None and "触发条件" in review["note"]


async def test_a_scheduler_may_die_at_any_moment(rt: Runtime) -> None:
    people = town.households(40)
    async with ruled(rt, STAY, people) as wire:
        for n in range(1, 41):
            await record(wire.rt, stay(f"k{n}", taxpayer=n, session=f"s{n}"))
            dying = asyncio.create_task(answer(wire.rt))
            await asyncio.sleep(n * 0.001)
            dying.cancel()
            await asyncio.gather(dying, return_exceptions=True)
        await answer(wire.rt)
        await tick(town.ticker(wire.rt))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    assert await outcomes(rt) == ["planned"] * 40
    assert sorted(await told(rt)) == list(range(1, 41))
    await assert_sums(rt)


async def test_recipients_without_a_gateway_are_cut_as_soon_as_there_is_one(rt: Runtime) -> None:
    async with ruled(rt, STAY) as wire:
        await rt.db.execute("update gateway set state = 'closed'")
        await report(wire.rt, stay("a"))
        assert (await outcomes(rt), await told(rt)) == (["planned"], [])
        await rt.db.execute("update gateway set state = 'active'")
        await answer(wire.rt)
    assert await told(rt) == [1]
    await assert_sums(rt)


async def test_an_answer_is_urgent_whatever_stands_ready(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(30))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, rate=0.001) as wire:
        await town.launch(wire.rt, ["sms"], code="bulk", kind="do_it_reminder")
        ticker = town.ticker(wire.rt)
        while await tick(ticker):
            pass
        waiting = len(await told(rt))
        assert waiting < 30
        await signed(wire.rt, STAY)
        await report(wire.rt, stay("a", taxpayer=30))
    rows = await rt.db.fetch("select lane, sum(n)::int as n from batch group by lane order by lane")
    assert [(row["lane"], row["n"]) for row in rows] == [(1, 1), (3, waiting)]


KINDS = (
    ("page_stay", {"seconds": 181, "session": "x"}),
    ("first_invoice", {}),
    ("refund_failed", {}),
    ("refund_done", {}),
    ("credit_changed", {"before": "A", "after": "B"}),
    ("deferral_maturing", {"matures_on": "2026-03-31"}),
)


async def test_every_kind_of_event_arrives(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(6))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        for kind, _ in KINDS:
            await signed(wire.rt, Trigger(kind), code=kind)
        events = [
            Happening(kind, taxpayer, kind, town.START, details)
            for taxpayer, (kind, details) in enumerate(KINDS, start=1)
        ]
        better = Happening("better", 1, "credit_changed", town.START, {"before": "M", "after": "A"})
        async with working(wire.rt):
            await report(wire.rt, *events, better)
            await until(lambda: all_final(rt))
        assert len(wire.simulators["aliyun_sms"].books.entries) == 6
    assert await outcomes(rt) == ["planned"] * 6
    assert await told(rt) == [1, 2, 3, 4, 5, 6]
    await assert_sums(rt)


async def test_a_day_ends_and_so_does_the_rule(rt: Runtime) -> None:
    async with ruled(rt, STAY) as wire:
        late = town.START + timedelta(days=8, hours=13)
        await town.set_clock(rt, late)
        await report(wire.rt, stay("old"), stay("night", session="s2", at=late))
        assert await outcomes(rt) == ["too_late", "planned"]
        await record(wire.rt, stay("waits", session="s3", at=late))
        await town.set_clock(rt, town.START + timedelta(days=9))
        for _ in range(2):
            await tick(town.ticker(wire.rt))
        await report(wire.rt, stay("after", session="s4", at=town.START + timedelta(days=9)))
    assert await outcomes(rt) == ["too_late", "planned", "too_late"]
    assert await town.states(rt) == {State.EXPIRED: 1}
    assert (await state_of(rt, 1))["state"] == "finished"
    await assert_sums(rt)


async def test_a_cancelled_rule_answers_no_more(rt: Runtime) -> None:
    async with ruled(rt, STAY) as wire:
        await cancel_round(wire.rt, 1, "officer")
        await report(wire.rt, stay("a"))
    assert (await outcomes(rt), await told(rt)) == ([], [])


async def test_a_lap_takes_its_ladder_down(rt: Runtime) -> None:
    people = [town.Household(1, 1, "13800000006", openid=f"o{1:027d}")]
    ladder = (SMS[0], replace(SMS[0], channel="wechat"))
    async with ruled(rt, STAY, people, steps=ladder) as wire, working(wire.rt):
        await report(wire.rt, stay("a"))
        await until(lambda: all_final(rt))
        await tick(town.ticker(wire.rt))
        await until(lambda: all_final(rt))
    assert await town.states(rt) == {State.FAILED: 1, State.DELIVERED: 1}
    await assert_sums(rt)


REFUSED = (
    (Trigger("danced"), "event", "没有事件"),
    (Trigger("refund_done", once="session"), "once", "只有页面停留"),
    (Trigger("page_stay", seconds=0), "seconds", "停留秒数"),
    (Trigger("page_stay", once="taxpayer", days=-1), "days", "间隔天数"),
    (Trigger("page_stay", page="页" * 101), "page", "页面编码"),
)


@pytest.mark.parametrize(("trigger", "part", "said"), REFUSED)
async def test_a_trigger_that_makes_no_sense_is_refused(
    rt: Runtime, trigger: Trigger, part: str, said: str
) -> None:
    await town.settle_town(rt, town.households(1))
    await town.write_templates(rt)
    with pytest.raises(InvalidInput, match=said) as caught:
        await create_campaign(rt, "maker", drafted(trigger))
    assert caught.value.details["field"] == f"rounds.1.trigger.{part}"


async def test_a_trigger_goes_with_no_other_plan(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1))
    await town.write_templates(rt)
    rule = RoundDraft("x", town.START, town.START + timedelta(days=1), SMS, canary=Canary(10), trigger=STAY)
    with pytest.raises(InvalidInput, match="不能同时"):
        await create_campaign(rt, "maker", replace(drafted(STAY), rounds=(rule,)))


async def test_a_person_who_takes_over_a_household_stands_in_the_lap_once(rt: Runtime) -> None:
    people = [*town.households(2), town.Household(3, 2, town.mobile(2))]
    async with ruled(rt, ANY_STAY, people) as wire:
        await report(wire.rt, stay("a"), stay("b", taxpayer=3))
        await rt.db.execute("update contact set person_id = 2 where taxpayer_id = 1")
        await report(wire.rt, stay("c"), stay("d", taxpayer=2))
    assert await told(rt) == [1, 2, 2]
    sets = await rt.db.fetch("select data from round_set where kind = 'planned' order by round_id")
    assert [set(BitMap.deserialize(row["data"])) for row in sets] == [{1, 3}, {1, 2}]
    await assert_sums(rt)
