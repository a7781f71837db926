"""What waits for a rule while its campaign needs a new signature ends in one way, whatever becomes of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from campaigns.approval import approve_campaign, send_back, submit_campaign
from campaigns.campaigns import edit_campaign
from campaigns.control import cancel_campaign
from campaigns.rounds import tick
from campaigns.trigger_rules import Trigger
from outreach.governance.actor import Actor
from outreach.governance.permissions import PERMISSIONS
from outreach.runtime import Runtime
from outreach.web.reads.triggers import Today, triggers_today
from tests import town
from tests.integration.test_approval import state_of
from tests.integration.test_ledger import assert_sums
from tests.integration.trigger_stage import STAY, answer, drafted, outcomes, record, report, ruled, stay, told

OFFICER = Actor(1, "officer", "经办人", frozenset(PERMISSIONS), town.PROVINCE, "1.", town.PROVINCE, "1.")
LATER = town.START + timedelta(days=4)


@asynccontextmanager
async def voided(rt: Runtime, *, answered: bool = False) -> AsyncIterator[town.Wire]:
    """A rule whose signature no longer fits: two events wait, one that came before anybody knew and one that
    came during the review. `answered`: an event of a third household was answered before."""
    async with ruled(rt, STAY) as wire:
        if answered:
            await report(wire.rt, stay("early", taxpayer=3, session="s3"))
        await rt.db.execute("update campaign set purpose = '换了目的'")
        await report(wire.rt, stay("a", 200))
        assert (await state_of(rt, 1))["state"] == "in_review"
        await report(wire.rt, stay("b", 400, taxpayer=2, session="s2"))
        yield wire


async def at(wire: town.Wire, moment: datetime) -> None:
    """The scheduler at that moment: it ticks, and answers."""
    await town.set_clock(wire.rt, moment)
    await answer(wire.rt)
    await tick(town.ticker(wire.rt))


async def shown(rt: Runtime) -> Today:
    """What staff see of the rule."""
    async with rt.db.begin() as conn:
        rule = await (await conn.execute("select id, trigger from round where lap is null")).fetchone()
        assert rule is not None
        (today,) = (await triggers_today(conn, OFFICER, [rule])).values()
    return today


@pytest.mark.parametrize("answered", [False, True])
async def test_approved_again_on_the_same_day_all_are_answered(rt: Runtime, answered: bool) -> None:
    async with voided(rt, answered=answered) as wire:
        before = ["planned"] if answered else []
        assert await outcomes(rt) == [*before, None, None]
        await approve_campaign(wire.rt, 1, "checker")
        await answer(wire.rt)
        assert await outcomes(rt) == [*before, "planned", "planned"]
    assert sorted(await told(rt)) == ([1, 2, 3] if answered else [1, 2])
    await assert_sums(rt)


async def test_approved_again_after_four_days_it_is_too_late_for_them(rt: Runtime) -> None:
    async with voided(rt) as wire:
        await town.set_clock(rt, LATER)
        await approve_campaign(wire.rt, 1, "checker")
        await report(wire.rt, stay("fresh", session="s3", at=LATER))
    assert await outcomes(rt) == ["too_late", "too_late", "planned"]


async def test_a_review_without_end_gives_them_up_after_three_days(rt: Runtime) -> None:
    async with voided(rt) as wire:
        await at(wire, town.START + timedelta(days=3))
        assert await outcomes(rt) == [None, None]
        await at(wire, town.START + timedelta(days=3, seconds=1))
        assert await outcomes(rt) == ["too_late", "too_late"]
        await approve_campaign(wire.rt, 1, "checker")
        await at(wire, town.START + timedelta(days=3, seconds=2))
    assert (await outcomes(rt), await told(rt)) == (["too_late", "too_late"], [])


async def test_cancelled_in_review_they_are_given_up(rt: Runtime) -> None:
    async with voided(rt) as wire:
        await cancel_campaign(wire.rt, 1, "officer")
        await at(wire, town.START)
        assert await report(wire.rt, stay("c", session="s3")) == 1
    assert (await outcomes(rt), await told(rt)) == (["too_late", "too_late"], [])


async def test_a_window_that_ends_in_review_gives_them_up(rt: Runtime) -> None:
    late = town.START + timedelta(days=9)
    async with voided(rt) as wire:
        await record(wire.rt, stay("late", session="s3", at=late - timedelta(hours=1)))
        await at(wire, late)
    assert await outcomes(rt) == ["too_late"] * 3


async def test_sent_back_and_submitted_unchanged_they_are_answered(rt: Runtime) -> None:
    async with voided(rt) as wire:
        await send_back(wire.rt, 1, "checker", "请核对目的")
        await report(wire.rt, stay("draft", taxpayer=3, session="s3"))
        await submit_campaign(wire.rt, 1, "maker")
        await report(wire.rt, stay("unsigned", taxpayer=3, session="s4"))
        await approve_campaign(wire.rt, 1, "checker")
        await answer(wire.rt)
    assert await outcomes(rt) == ["planned", "planned"]
    assert sorted(await told(rt)) == [1, 2]


async def test_sent_back_and_edited_the_new_rule_takes_what_meets_its_condition(rt: Runtime) -> None:
    longer = replace(STAY, seconds=300)
    async with voided(rt) as wire:
        await send_back(wire.rt, 1, "checker", "门槛太低")
        await edit_campaign(wire.rt, 1, "maker", drafted(longer))
        assert await outcomes(rt) == [None]
        await submit_campaign(wire.rt, 1, "maker")
        await approve_campaign(wire.rt, 1, "checker")
        await answer(wire.rt)
    assert (await outcomes(rt), await told(rt)) == (["planned"], [2])
    row = await rt.db.fetch_one("select detail from audit_event where action = 'campaign.edit'")
    assert row is not None and row["detail"]["events_given_up"] == 1


async def test_edited_to_another_kind_of_event_all_are_given_up(rt: Runtime) -> None:
    async with voided(rt) as wire:
        await send_back(wire.rt, 1, "checker", "换一种事件")
        await edit_campaign(wire.rt, 1, "maker", drafted(Trigger("first_invoice")))
        await report(wire.rt)
    assert await outcomes(rt) == []
    row = await rt.db.fetch_one("select detail from audit_event where action = 'campaign.edit'")
    assert row is not None and row["detail"]["events_given_up"] == 2


async def test_staff_see_how_many_wait_also_since_earlier_days(rt: Runtime) -> None:
    async with voided(rt, answered=True) as wire:
        today = await shown(rt)
        assert (today.total, today.planned, today.waiting, today.earlier) == (3, 1, 2, 0)
        tomorrow = town.START + timedelta(days=1)
        await town.set_clock(rt, tomorrow)
        await record(wire.rt, stay("c", session="s5", at=tomorrow))
        today = await shown(rt)
        assert (today.total, today.planned, today.waiting, today.earlier) == (1, 0, 1, 2)
