"""The acceptance cases of the domain requirements (section 7) that are about who is told and how often, each
end to end in its own words. The other cases: `test_acceptance_cases_records`, `tests/e2e`."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign
from campaigns.rounds import tick
from outreach.analytics.fallen_back import count_fallen_back
from outreach.analytics.report import campaign_report
from outreach.clock import BEIJING
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.service.worklists_scripts import purposes_of
from tests import town
from tests.integration.doorstep import items, settle
from tests.integration.ledger_stage import staged
from tests.integration.test_approval import signed
from tests.integration.test_ledger import all_final, assert_sums, until, working
from tests.integration.test_ledger_rules import exclusions
from tests.turnstile import Turnstile

PEOPLE = 900
REFUSALS = ("R", "TD", "退订", "Ｒ")


async def at_the_start(rt: Runtime, people: Sequence[town.Household], moment: datetime = town.START) -> None:
    """The town with its templates at a moment."""
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, moment)


async def told(rt: Runtime, campaign: int) -> set[int]:
    """The households that a campaign's messages name."""
    rows = await rt.db.fetch(
        "select distinct t.id from message m join round r on r.id = m.round_id,"
        " unnest(m.taxpayer_ids) as t (id) where r.campaign_id = %(id)s",
        {"id": campaign},
    )
    return {row["id"] for row in rows}


async def test_case_01_restarted_in_the_middle_nobody_is_told_twice_and_nobody_is_lost(rt: Runtime) -> None:
    async with staged(rt, town.households(PEOPLE), quiet_seconds=1.0) as stage:
        books = stage.books.entries
        turnstile = Turnstile(stage.wire.simulators[stage.adapter], 300)
        sending = asyncio.create_task(stage.drain())
        # Of the five requests of a window three have arrived, and two are on their way.
        await turnstile.crowd(2)
        # Dropped, not asked to stop: what it holds stays held until its lease is over.
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        turnstile.turn_away()
        assert len(books) == 300
        await stage.end_lease()
        assert await tick(town.ticker(stage.rt)) == 0, "a scheduler that starts again plans nothing twice"
        async with working(stage.rt):
            await until(lambda: all_final(rt))
        assert len({entry.address for entry in books}) == len(books) == PEOPLE
    assert await town.states(rt) == {State.DELIVERED: PEOPLE}
    await assert_sums(rt)


async def test_case_02_round_two_has_none_of_those_done_and_those_who_are_new(rt: Runtime) -> None:
    february, march = (datetime(2026, *day, tzinfo=BEIJING) for day in ((2, 24, 9), (3, 15, 9)))
    await at_the_start(rt, town.households(6), february)
    ladder = (StepDraft("sms", "remind"),)
    draft = CampaignDraft(
        "two-rounds",
        "汇算提醒",
        "提醒未办理的纳税人",
        "statutory_deadline",
        "国家税务总局令第57号",
        town.CITY,
        "iit.refund_expected",
        (
            RoundDraft("2月28日前第一轮", february, datetime(2026, 3, 1, tzinfo=BEIJING), ladder),
            RoundDraft("3月15日第二轮", march, march + timedelta(days=9), ladder),
        ),
        done_segment="iit.filed",
        variables={"tax_year": "2025"},
    )
    await town.add_label(rt, "iit.refund_expected", [1, 2, 3, 4])
    async with town.wired(rt) as wire:
        campaign = await create_campaign(wire.rt, "maker", draft)
        await signed(wire.rt, campaign)
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            assert await tick(ticker) == 4
            await until(lambda: all_final(rt))
            await town.add_label(rt, "iit.filed", [1, 2])
            await town.add_label(rt, "iit.refund_expected", [5])
            await town.set_clock(rt, march - timedelta(minutes=1))
            assert await tick(ticker) == 0
            await town.set_clock(rt, march)
            assert await tick(ticker) == 3
            await until(lambda: all_final(rt))
    rows = await rt.db.fetch("select person_id from message where round_id = (select max(id) from round)")
    assert {row["person_id"] for row in rows} == {3, 4, 5}
    assert await exclusions(rt) == {"already_done": 2}
    await assert_sums(rt)


async def test_case_05_of_three_bureaus_the_third_is_over_the_quota_and_the_law_never_is(rt: Runtime) -> None:
    await at_the_start(rt, town.households(3))
    twice_a_week = {"kind": "do_it_reminder", "quota_messages": 2, "quota_days": 7}
    async with town.wired(rt) as wire:
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            for bureau in ("a", "b"):
                await town.launch(wire.rt, ["sms"], code=bureau, **twice_a_week)
                assert await tick(ticker) == 3
                await until(lambda: all_final(rt))
            third = await town.launch(wire.rt, ["sms"], code="c", **twice_a_week)
            assert await tick(ticker) == 0
            assert await exclusions(rt) == {"contacted_recently": 3}
            law = await town.launch(wire.rt, ["sms"], code="law", quota_messages=2, quota_days=7)
            assert await tick(ticker) == 3
            await town.set_clock(rt, town.START + timedelta(days=8))
            await town.launch(
                wire.rt, ["sms"], code="d", starts_at=town.START + timedelta(days=8), **twice_a_week
            )
            assert await tick(ticker) == 3, "a week later there is room again"
    assert (await told(rt, third), await told(rt, law)) == (set(), {1, 2, 3})
    await assert_sums(rt)


async def test_case_05_holds_for_three_bureaus_at_the_same_moment(rt: Runtime) -> None:
    await at_the_start(rt, town.households(3))
    async with town.wired(rt) as wire:
        made = [
            await town.launch(
                wire.rt, ["sms"], code=bureau, kind="do_it_reminder", quota_messages=2, quota_days=7
            )
            for bureau in ("a", "b", "c")
        ]
        law = await town.launch(wire.rt, ["sms"], code="law", quota_messages=2, quota_days=7)
        await tick(town.ticker(wire.rt))
    named = [await told(rt, campaign) for campaign in made]
    assert sorted(len(households) for households in named) == [0, 3, 3], "nothing has been sent yet"
    assert await told(rt, law) == {1, 2, 3}
    await assert_sums(rt)


async def test_case_06_a_refusal_stops_publicity_and_not_the_law(rt: Runtime) -> None:
    await at_the_start(rt, town.households(6))
    async with town.wired(rt) as wire:
        phone = wire.simulators["aliyun_sms"]
        for number, word in enumerate(REFUSALS, start=1):
            phone.uplink({"address": town.mobile(number), "text": word})
        phone.uplink({"address": town.mobile(5), "text": "好的"})

        async def all_read() -> bool:
            rows = await rt.db.fetch("select action from inbound")
            return len(rows) == len(REFUSALS) + 1

        await until(all_read)
        ticker = town.ticker(wire.rt)
        publicity = await town.launch(wire.rt, ["sms"], code="news", kind="policy_push")
        assert await tick(ticker) == 2
        assert await exclusions(rt) == {"opted_out": 4}
        law = await town.launch(wire.rt, ["sms"], code="law", kind="statutory_deadline")
        assert await tick(ticker) == 6
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    assert (await told(rt, publicity), await told(rt, law)) == ({5, 6}, {1, 2, 3, 4, 5, 6})
    assert await town.states(rt) == {State.DELIVERED: 8}
    await assert_sums(rt)


async def test_case_07_one_person_with_three_companies_gets_one_call_that_names_all(rt: Runtime) -> None:
    await settle(rt, [town.Household(n, 1, town.mobile(1)) for n in (1, 2, 3)])
    await town.launch(rt, ["call"])
    await tick(town.ticker(rt))
    (item,) = await items(rt)
    async with rt.db.begin() as conn:
        (purpose,) = await purposes_of(conn, open_vault(rt.settings), SetCache(), item["id"])
    assert purpose.names == ["示例企业1", "示例企业2", "示例企业3"]
    assert "示例企业1、示例企业2、示例企业3" in purpose.script
    await assert_sums(rt)


async def test_case_13_a_phone_without_5g_gets_the_sms_and_cost_and_status_say_so(rt: Runtime) -> None:
    await at_the_start(rt, town.households(3, rcs=None))
    async with town.wired(rt, capable=0.0) as wire:
        campaign = await town.launch(wire.rt, ["rcs", "sms"])
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            for _ in range(2):
                await tick(ticker)
                await until(lambda: all_final(rt))
        assert len(wire.simulators["aliyun_sms"].books.entries) == 3
    await count_fallen_back(rt)
    report = await campaign_report(rt, SetCache(), campaign, town.PROVINCE)
    fallen = report.rounds[0].fell_back
    billed = await rt.db.fetch_one("select sum(parts)::int as n from message where step = 1")
    assert billed is not None
    assert (fallen.total, fallen.parts) == (3, billed["n"])
    assert report.rounds[0].outcomes == {State.FAILED: 3, State.DELIVERED: 3}
    await assert_sums(rt)
