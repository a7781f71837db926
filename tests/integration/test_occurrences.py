"""Rounds that follow a taxpayer's own date, and rounds for whoever matches since a policy has changed."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import Anchor, RoundDraft, StepDraft, create_campaign
from campaigns.extension import approve_extension, ask_extension
from campaigns.occurrences import approve_re_evaluation, ask_re_evaluation
from campaigns.rounds import tick
from outreach.clock import BEIJING
from outreach.errors import Conflict, InvalidInput, NotAllowed
from outreach.labels.slices import write_values
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_approval import DRAFT, state_of
from tests.integration.test_ledger import all_final, assert_sums, until, working
from tests.integration.test_slices import drafted, settle, signed

MATURITY = "deferral_maturity"
SEASON = datetime(2026, 12, 20, 9, tzinfo=BEIJING), datetime(2027, 1, 10, 18, tzinfo=BEIJING)


async def mature(rt: Runtime, dates: dict[int, date]) -> None:
    """Households whose deferral matures on these days."""
    await rt.db.execute(
        "insert into attribute (code, name, type, is_local) values (%(code)s, '缓缴到期日', 'date', true)"
        " on conflict do nothing",
        {"code": MATURITY},
    )
    async with rt.db.begin() as conn:
        ids = np.array(list(dates), dtype=np.int64)
        values = np.array([day.toordinal() for day in dates.values()], dtype=np.int64)
        await write_values(conn, MATURITY, ids, values, source="test")


async def ruled(rt: Runtime, anchor: Anchor, starts_at: datetime, ends_at: datetime) -> int:
    part = RoundDraft("到期前提醒", starts_at, ends_at, (StepDraft("sms", "remind"),), anchor=anchor)
    campaign = await create_campaign(rt, "maker", replace(DRAFT, segment="iit.must_file", rounds=(part,)))
    await submit_campaign(rt, campaign, "maker")
    await approve_campaign(rt, campaign, "checker")
    return campaign


async def told(rt: Runtime) -> list[tuple[date | None, int]]:
    """The day of each occurrence and the person who has a message in it."""
    rows = await rt.db.fetch(
        "select r.occurs_on, m.person_id from message m join round r on r.id = m.round_id"
        " order by m.round_id, m.person_id"
    )
    return [(row["occurs_on"], row["person_id"]) for row in rows]


async def test_a_rule_tells_each_on_her_own_day_across_the_year(rt: Runtime) -> None:
    await settle(rt, 6)
    days = {1: date(2026, 12, 27), 2: date(2027, 1, 5), 3: date(2027, 1, 5), 4: date(2027, 3, 1)}
    await mature(rt, days)
    async with town.wired(rt) as wire:
        campaign = await ruled(wire.rt, Anchor(MATURITY, -7), *SEASON)
        ticker = town.ticker(wire.rt)
        for day in range(24):
            await town.set_clock(rt, SEASON[0] + timedelta(days=day, minutes=1))
            await tick(ticker)
            await tick(ticker)
    assert await told(rt) == [(date(2026, 12, 20), 1), (date(2026, 12, 29), 2), (date(2026, 12, 29), 3)]
    rows = await rt.db.fetch("select day, members from round_day order by day")
    assert len(rows) == 22 and rows[-1]["day"] == date(2027, 1, 10)
    assert (await state_of(rt, campaign))["state"] == "finished"


async def test_a_day_is_evaluated_once_and_a_missed_one_afterwards(rt: Runtime) -> None:
    await settle(rt, 6)
    await mature(rt, {1: town.START.date(), 2: town.START.date() + timedelta(days=1)})
    async with town.wired(rt) as wire:
        await ruled(wire.rt, Anchor(MATURITY, 0), town.START, town.START + timedelta(days=9))
        await town.set_clock(rt, town.START + timedelta(days=2))
        await tick(town.ticker(wire.rt))
        first = await told(rt)
        assert [person for _, person in first] == [1, 2]
        for _ in range(2):
            assert await tick(town.ticker(wire.rt)) == 0
        assert await told(rt) == first
    rows = await rt.db.fetch("select day, members from round_day order by day")
    assert [row["members"] for row in rows] == [1, 1, 0]


async def test_the_hour_of_the_rule_is_waited_for(rt: Runtime) -> None:
    await settle(rt, 2)
    await mature(rt, {1: town.START.date() + timedelta(days=1)})
    async with town.wired(rt) as wire:
        await ruled(wire.rt, Anchor(MATURITY, 0), town.START, town.START + timedelta(days=9))
        await town.set_clock(rt, town.START + timedelta(days=1, hours=-1))
        assert await tick(town.ticker(wire.rt)) == 0
        await town.set_clock(rt, town.START + timedelta(days=1))
        assert await tick(town.ticker(wire.rt)) == 1


async def test_a_rule_needs_a_date(rt: Runtime) -> None:
    await settle(rt, 1)
    with pytest.raises(InvalidInput, match="没有日期属性 amount_due"):
        await ruled(rt, Anchor("amount_due", -7), *SEASON)


async def test_an_occurrence_stops_with_the_signature_of_its_rule(rt: Runtime) -> None:
    await settle(rt, 2)
    await mature(rt, {1: town.START.date()})
    campaign = await ruled(rt, Anchor(MATURITY, 0), town.START, town.START + timedelta(days=9))
    await rt.db.execute("update round set anchor_days = 3")
    await mature(rt, {1: town.START.date() - timedelta(days=3)})
    await tick(town.ticker(rt))
    assert (await state_of(rt, campaign))["state"] == "in_review"
    assert await told(rt) == []


async def test_a_policy_that_changes_reaches_only_whom_it_adds_001_11(rt: Runtime) -> None:
    await settle(rt, 6)
    await town.add_label(rt, "iit.exempt", [1, 2, 3])
    async with town.wired(rt) as wire:
        part = replace(drafted(None), segment="iit.exempt")
        campaign = await signed(wire.rt, part)
        ticker = town.ticker(wire.rt)
        assert await tick(ticker) == 3
        await town.add_label(rt, "iit.exempt", [4, 5])
        await town.add_label(rt, "iit.filed", [5])
        row = await rt.db.fetch_one("select id from round")
        assert row is not None
        with pytest.raises(InvalidInput, match="政策"):
            await ask_re_evaluation(wire.rt, campaign, row["id"], "officer", note=" ")
        await ask_re_evaluation(wire.rt, campaign, row["id"], "officer", note="政策提前到 5 月")
        for maker in ("maker", "officer"):
            with pytest.raises(NotAllowed):
                await approve_re_evaluation(wire.rt, campaign, maker)
        await approve_re_evaluation(wire.rt, campaign, "checker")
        with pytest.raises(Conflict):
            await approve_re_evaluation(wire.rt, campaign, "checker")
        assert await tick(ticker) == 1
        await town.add_label(rt, "iit.exempt", [6])
        await ask_re_evaluation(wire.rt, campaign, row["id"], "officer", note="再放宽一次")
        await approve_re_evaluation(wire.rt, campaign, "checker")
        assert await tick(ticker) == 1
        assert await tick(ticker) == 0
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    people = [person for _, person in await told(rt)]
    assert people == [1, 2, 3, 4, 6]
    rows = await rt.db.fetch("select audience, planned from round order by id")
    assert [(one["audience"], one["planned"]) for one in rows] == [(3, 3), (2, 1), (2, 1)]
    await assert_sums(rt)


async def test_an_extension_touches_nobody_who_is_done_001_09(rt: Runtime) -> None:
    await settle(rt, 5)
    async with town.wired(rt) as wire:
        campaign = await signed(wire.rt, drafted(None))
        ticker = town.ticker(wire.rt)
        assert await tick(ticker) == 5
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        row = await rt.db.fetch_one("select id, ends_at from round")
        assert row is not None
        later = row["ends_at"] + timedelta(days=31)
        await ask_extension(wire.rt, campaign, row["id"], later, "officer", note="宣传月延长至5月底")
        await approve_extension(wire.rt, campaign, "checker")
        before = await rt.db.fetch("select * from message order by id")
        await town.add_label(rt, "iit.filed", [1, 2])
        await town.set_clock(rt, row["ends_at"] + timedelta(days=1))
        assert await tick(ticker) == 0
        async with working(wire.rt):
            await wire.quiesce()
    assert await rt.db.fetch("select * from message order by id") == before
    assert (await state_of(rt, campaign))["state"] == "running"
    await assert_sums(rt)
