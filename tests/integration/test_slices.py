"""Slices: days, caps and axes of a round, as they are planned, foretold, signed and opened."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.approval_text import cover, differences
from campaigns.campaigns import RoundDraft, StepDraft, create_campaign
from campaigns.forecast import forecast
from campaigns.rounds import tick
from campaigns.staggering import Part, Stagger
from outreach.analytics.stalls import round_progress
from outreach.errors import InvalidInput
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_approval import DRAFT

MONDAY = town.START.date()
BY_CATEGORY = Stagger(
    {"category": (Part("甲类", "iit.must_file and iit.exempt"), Part("乙类", "kind = 企业"))}, cap_day=10
)


async def settle(rt: Runtime, count: int = 25, *, first: Sequence[int] = ()) -> None:
    """A town of one person each; `first` are of the first category."""
    await town.settle_town(rt, town.households(count))
    await town.write_templates(rt)
    await town.add_label(rt, "iit.exempt", list(first))
    await town.set_clock(rt, town.START)


def drafted(stagger: Stagger | None, *, days: float = 9, **changes: Any) -> RoundDraft:
    """One round of an SMS."""
    ends_at = town.START + timedelta(days=days)
    return RoundDraft(
        "第一轮", town.START, ends_at, (StepDraft("sms", "remind"),), stagger=stagger, **changes
    )


async def created(rt: Runtime, part: RoundDraft) -> int:
    return await create_campaign(rt, "maker", replace(DRAFT, segment="iit.must_file", rounds=(part,)))


async def signed(rt: Runtime, part: RoundDraft) -> int:
    campaign = await created(rt, part)
    await submit_campaign(rt, campaign, "maker")
    await approve_campaign(rt, campaign, "checker")
    return campaign


async def slices_of(rt: Runtime) -> list[tuple[date, str, int]]:
    rows = await rt.db.fetch("select opens_on, label, persons from round_slice order by round_id, ordinal")
    return [(row["opens_on"], row["label"], row["persons"]) for row in rows]


async def cut(rt: Runtime, moment: datetime) -> list[int]:
    """Whoever has a message after a tick at that moment."""
    await town.set_clock(rt, moment)
    await tick(town.ticker(rt))
    rows = await rt.db.fetch("select person_id from message order by person_id")
    return [row["person_id"] for row in rows]


async def test_a_slice_opens_on_its_day_and_not_before(rt: Runtime) -> None:
    await settle(rt, first=range(20, 26))
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(BY_CATEGORY))
        first = await cut(wire.rt, town.START)
        assert len(first) == 10 and set(range(20, 26)) <= set(first)
        assert await cut(wire.rt, town.START + timedelta(hours=14)) == first
        second = await cut(wire.rt, town.START + timedelta(days=1))
        assert len(second) == 20 and set(first) < set(second)
        assert await cut(wire.rt, town.START + timedelta(days=2)) == list(range(1, 26))
    assert await slices_of(rt) == [
        (MONDAY, "甲类", 6),
        (MONDAY, "乙类", 4),
        (MONDAY + timedelta(days=1), "乙类", 10),
        (MONDAY + timedelta(days=2), "乙类", 5),
    ]


async def test_a_person_of_two_groups_is_told_with_the_first(rt: Runtime) -> None:
    people = [*town.households(6), town.Household(7, 1, town.mobile(1)), town.Household(8, 2, town.mobile(2))]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.add_label(rt, "iit.exempt", [7])
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(replace(BY_CATEGORY, cap_day=1)))
        assert await cut(wire.rt, town.START) == [1]
    rows = await rt.db.fetch("select households from round_slice order by ordinal")
    assert sum(row["households"] for row in rows) == 8
    assert rows[0]["households"] == 2


async def test_the_load_that_is_foretold_is_the_load_that_comes(rt: Runtime) -> None:
    await settle(rt, 40, first=range(1, 12))
    rule = replace(BY_CATEGORY, shares=3, cap_day=12, cap_hall=7, hall_level=4)
    async with town.wired(rt) as wire:
        campaign = await created(wire.rt, drafted(rule))
        row = await rt.db.fetch_one("select min(id) as id from round")
        assert row is not None
        async with wire.rt.db.begin() as conn:
            told = await forecast(wire.rt, conn, SetCache(), row["id"])
        await submit_campaign(wire.rt, campaign, "maker")
        await approve_campaign(wire.rt, campaign, "checker")
        await tick(town.ticker(wire.rt))
    assert told.slices is not None
    rows = await rt.db.fetch("select opens_on, org_id, persons from round_slice order by ordinal")
    cells = [(cell.day, cell.hall, cell.persons) for cell in told.slices.layout.cells]
    assert [(one["opens_on"], one["org_id"], one["persons"]) for one in rows] == cells
    assert {one["org_id"] for one in rows} == {town.BRANCH}
    assert sum(taken for _, channels in told.timing.days for taken in channels.values()) == 40
    by_day: dict[date, int] = {}
    for one in rows:
        by_day[one["opens_on"]] = by_day.get(one["opens_on"], 0) + one["persons"]
    assert list(by_day.values()) == [7, 7, 7, 7, 7, 5]


async def test_what_does_not_fit_is_refused_with_the_number_and_the_day(rt: Runtime) -> None:
    await settle(rt)
    campaign = await created(rt, drafted(replace(BY_CATEGORY, cap_day=5), days=3))
    with pytest.raises(InvalidInput, match="还有 10 人没有日子，窗口至少要到 2026-03-20"):
        await submit_campaign(rt, campaign, "maker")
    row = await rt.db.fetch_one("select state from campaign")
    assert row == {"state": "draft"}


async def test_a_round_that_no_longer_fits_when_it_is_due_says_so(rt: Runtime) -> None:
    await settle(rt)
    await signed(rt, drafted(replace(BY_CATEGORY, cap_day=5), days=6))
    await town.set_clock(rt, town.START + timedelta(days=4))
    assert await tick(town.ticker(rt)) == 0
    row = await rt.db.fetch_one("select id, state from round")
    assert row is not None and row["state"] == "scheduled"
    async with rt.db.begin() as conn:
        progress = await round_progress(conn, row["id"])
    assert "没有日子" in progress.stalls[0].text


async def test_slices_skip_days_off_and_open_with_the_office(rt: Runtime) -> None:
    await settle(rt, 3)
    await signed(rt, drafted(Stagger(shares=0, working_days=True, opens=None, cap_day=1), days=9))
    await town.set_clock(rt, town.START + timedelta(days=3, hours=1))
    await tick(town.ticker(rt))
    rows = await rt.db.fetch(
        "select opens_on, opens_at at time zone 'Asia/Shanghai' as at from round_slice order by ordinal"
    )
    assert [row["opens_on"].day for row in rows] == [19, 20, 23]
    assert [row["at"].hour for row in rows] == [10, 9, 9]


async def test_an_approval_covers_the_plan_and_its_segments(rt: Runtime) -> None:
    await settle(rt)
    campaign = await signed(rt, drafted(BY_CATEGORY))
    async with rt.db.begin() as conn:
        before = await cover(conn, campaign)
    await rt.db.execute("update round set stagger = jsonb_set(stagger, '{cap_day}', '500')")
    async with rt.db.begin() as conn:
        after = await cover(conn, campaign)
    assert [one.name for one in differences(before.parts, after.parts)] == ["第 1 轮错峰"]
    await tick(town.ticker(rt))
    row = await rt.db.fetch_one("select state from campaign")
    assert row == {"state": "in_review"}


async def test_a_signature_from_before_slices_still_fits(rt: Runtime) -> None:
    await settle(rt)
    campaign = await signed(rt, drafted(None))
    async with rt.db.begin() as conn:
        covered = await cover(conn, campaign)
    assert not any("stagger" in place or "canary" in place or "anchor" in place for place in covered.parts)
