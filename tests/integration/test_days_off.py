"""Whoever falls to the next rung of a round that keeps to working days waits for one, and staff see it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import RoundDraft, StepDraft, create_campaign
from campaigns.rounds import Ticker, tick
from campaigns.staggering import Stagger
from outreach.analytics.stall_causes import Stall
from outreach.analytics.stalls import round_progress
from outreach.clock import BEIJING
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_approval import DRAFT

FRIDAY = datetime(2026, 3, 20, 10, 0, tzinfo=BEIJING)
SATURDAY, SUNDAY, MONDAY = (FRIDAY + timedelta(days=days) for days in (1, 2, 3))
LADDER = tuple(StepDraft(channel, "remind", timedelta(days=5)) for channel in ("rcs", "sms"))


@asynccontextmanager
async def failed_over_night(
    rt: Runtime, stagger: Stagger | None, *, ends_at: datetime = FRIDAY + timedelta(days=20)
) -> AsyncIterator[Ticker]:
    """Three people got a 5G message on Friday; on Saturday the gateway reports that none arrived."""
    await town.settle_town(rt, town.households(3, rcs=True))
    await town.write_templates(rt)
    await town.set_clock(rt, FRIDAY)
    part = RoundDraft("第一轮", FRIDAY, ends_at, LADDER, stagger=stagger)
    async with town.wired(rt) as wire:
        campaign = await create_campaign(rt, "maker", replace(DRAFT, segment="iit.must_file", rounds=(part,)))
        await submit_campaign(rt, campaign, "maker")
        await approve_campaign(rt, campaign, "checker")
        ticker = town.ticker(wire.rt)
        assert await tick(ticker) == 3
        await rt.db.execute("update batch set state = 1, watermark = n, settled = n")
        await rt.db.execute("update message set state = %(failed)s", {"failed": State.FAILED})
        await rt.db.execute(
            "insert into message_count (round_id, step, org_id, state, n, households)"
            " select round_id, step, org_id, s.state, s.sign, s.sign"
            " from message, (values (0, -1), (4, 1)) s (state, sign)"
        )
        yield ticker


async def at(ticker: Ticker, moment: datetime) -> int:
    """Messages that a tick cuts at that moment."""
    await town.set_clock(ticker.rt, moment)
    return await tick(ticker)


async def day_off(rt: Runtime) -> Stall | None:
    """What staff are told of waiting for a working day."""
    async with rt.db.begin() as conn:
        found = await round_progress(conn, 1)
    return next((stall for stall in found.stalls if stall.cause == "day_off"), None)


async def set_day(rt: Runtime, moment: datetime, org_id: int, *, works: bool, opens: time | None) -> None:
    keys = {"org": org_id, "day": moment.date(), "works": works, "opens": opens}
    await rt.db.execute(
        "insert into calendar_day (org_id, day, is_workday, opens, closes, note, set_by)"
        " values (%(org)s, %(day)s, %(works)s, %(opens)s, %(opens)s::time + interval '6 hours', '', 'admin')",
        keys,
    )


async def test_fallers_of_a_round_over_working_days_wait_for_the_next_one_and_its_hour(rt: Runtime) -> None:
    async with failed_over_night(rt, Stagger(working_days=True, opens=time(9, 30))) as ticker:
        assert await at(ticker, SATURDAY) == 0
        assert await at(ticker, SUNDAY) == 0
        stall = await day_off(rt)
        assert stall is not None and stall.is_calm
        assert stall.until == MONDAY.replace(hour=9, minute=30)
        assert "等工作日" in stall.text and "2026-03-23 09:30" in stall.text
        assert await at(ticker, MONDAY.replace(hour=9, minute=29)) == 0
        assert await at(ticker, MONDAY.replace(hour=9, minute=30)) == 3
        assert await day_off(rt) is None
        assert await at(ticker, MONDAY) == 0


@pytest.mark.parametrize("stagger", [None, Stagger(shares=1)])
async def test_other_rounds_go_on_at_once(rt: Runtime, stagger: Stagger | None) -> None:
    async with failed_over_night(rt, stagger) as ticker:
        assert await at(ticker, SATURDAY) == 3
        assert await day_off(rt) is None


async def test_a_day_that_the_bureau_or_one_above_works_is_no_day_off(rt: Runtime) -> None:
    async with failed_over_night(rt, Stagger(working_days=True, opens=None)) as ticker:
        await set_day(rt, SATURDAY, town.PROVINCE, works=True, opens=time(10, 30))
        await set_day(rt, SATURDAY, town.COUNTY, works=False, opens=None)
        assert await at(ticker, SATURDAY) == 0
        assert await at(ticker, SATURDAY.replace(minute=30)) == 3


async def test_a_working_day_that_the_bureau_rests_is_one(rt: Runtime) -> None:
    async with failed_over_night(rt, Stagger(working_days=True)) as ticker:
        await set_day(rt, MONDAY, town.CITY, works=False, opens=None)
        assert await at(ticker, MONDAY) == 0
        assert await at(ticker, MONDAY + timedelta(days=1)) == 3


async def test_a_round_that_ends_on_the_day_off_says_that_nobody_will_fall(rt: Runtime) -> None:
    async with failed_over_night(rt, Stagger(working_days=True), ends_at=SUNDAY) as ticker:
        assert await at(ticker, SATURDAY) == 0
        stall = await day_off(rt)
        assert stall is not None and stall.until is None
        assert "不再转入" in stall.text
