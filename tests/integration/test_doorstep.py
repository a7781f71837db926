"""The ladder that ends at a doorstep: who is called, who is visited, and that the sums hold."""

import pytest

from campaigns.campaigns import check_ladder
from campaigns.rounds import cancel_round, tick
from outreach.analytics.report import campaign_report
from outreach.analytics.tables import reach_table
from outreach.errors import InvalidInput
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from tests import town
from tests.integration.doorstep import DAY, assert_sums, handed, items, set_person, settle
from tests.integration.test_ledger import all_final, until, working


async def test_one_person_with_three_companies_gets_one_call_with_three_names(rt: Runtime) -> None:
    """Domain requirements, section 7, case 7."""
    people = [town.Household(n, 1, town.mobile(1)) for n in (1, 2, 3)] + [
        town.Household(4, 2, town.mobile(2))
    ]
    await settle(rt, people)
    await town.launch(rt, ["call"])
    await tick(town.ticker(rt))
    assert [(one["person_id"], one["households"]) for one in await items(rt)] == [(1, [1, 2, 3]), (2, [4])]
    await assert_sums(rt)


async def test_two_campaigns_share_one_call(rt: Runtime) -> None:
    await settle(rt, [town.Household(1, 1, town.mobile(1)), town.Household(2, 1, town.mobile(1))])
    await town.launch(rt, ["call"], code="a", segment="iit.refund_expected")
    await town.launch(rt, ["call"], code="b")
    await town.add_label(rt, "iit.refund_expected", [1])
    await tick(town.ticker(rt))
    assert [one["households"] for one in await items(rt)] == [[1, 2]]
    assert await handed(rt) == {(0, 0): 3}
    await assert_sums(rt)


async def test_visits_of_several_offices_to_one_household_are_one(rt: Runtime) -> None:
    await settle(rt, [town.Household(1, 1), town.Household(2, 1)])
    await town.launch(rt, ["visit"], code="a")
    await town.launch(rt, ["visit"], code="b")
    await tick(town.ticker(rt))
    assert [(one["kind"], one["taxpayer_id"]) for one in await items(rt)] == [("visit", 1), ("visit", 2)]
    assert await handed(rt) == {(0, 0): 4}
    await assert_sums(rt)


async def test_a_round_goes_from_sms_to_call_over_days(rt: Runtime) -> None:
    # Even numbers fail at the simulated gateway; person 9 has no address at all.
    people = [*town.households(8), town.Household(9, 9)]
    await settle(rt, people)
    async with town.wired(rt) as wire:
        await rt.db.execute("update address set rcs = false")
        await town.launch(wire.rt, ["sms", "call", "visit"])
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            await tick(ticker)
            await until(lambda: all_final(rt))
        assert [one["taxpayer_id"] for one in await items(rt)] == [9]
        await rt.db.execute("update message set state = 2 where person_id in (1, 2)")
        await rt.db.execute("update message set state = 4 where person_id = 3")
        await rt.db.execute(
            "insert into message_count (round_id, step, org_id, state, n, households)"
            " select distinct round_id, step, org_id, s.state, s.n, s.n"
            " from message, (values (3, -3), (2, 2), (4, 1)) s (state, n)"
        )
        await rt.db.execute("update round_reached set data = data")
        await tick(ticker)
        assert [one["person_id"] for one in await items(rt, "call")] == [3]
        await town.set_clock(rt, town.START + 2 * DAY)
        await tick(ticker)
        assert [one["person_id"] for one in await items(rt, "call")] == [3, 1, 2]
        await tick(ticker)
        assert await handed(rt) == {(1, 0): 3, (2, 0): 1}


async def test_whoever_has_acted_is_not_called(rt: Runtime) -> None:
    await settle(rt, town.households(3))
    await town.launch(rt, ["call"])
    await tick(town.ticker(rt))
    await town.add_label(rt, "iit.filed", [2])
    await tick(town.ticker(rt))
    assert [(one["person_id"], one["state"]) for one in await items(rt)] == [
        (1, "open"),
        (2, "done"),
        (3, "open"),
    ]
    await assert_sums(rt)


async def test_what_is_open_at_the_end_of_a_round_is_given_up(rt: Runtime) -> None:
    await settle(rt, town.households(2))
    await town.launch(rt, ["call"])
    await tick(town.ticker(rt))
    await town.set_clock(rt, town.START + 10 * DAY)
    await tick(town.ticker(rt))
    assert {one["state"] for one in await items(rt)} == {"given_up"}
    assert await handed(rt) == {(0, 2): 2}
    await assert_sums(rt)


async def test_a_cancelled_round_calls_nobody_more(rt: Runtime) -> None:
    await settle(rt, town.households(2))
    await town.launch(rt, ["call"])
    await tick(town.ticker(rt))
    row = await rt.db.fetch_one("select id from round")
    assert row is not None
    await cancel_round(rt, row["id"], "tester")
    await tick(town.ticker(rt))
    assert await handed(rt) == {(0, 2): 2}
    await assert_sums(rt)


@pytest.mark.parametrize(("path", "expected"), [("call_first", [1]), ("as_others", [])])
async def test_special_care_is_called_instead_of_written_to(
    rt: Runtime, path: str, expected: list[int]
) -> None:
    await settle(rt, town.households(3))
    await set_person(rt, 1, special_care=True)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms", "call"], care_path=path)
        assert await tick(town.ticker(wire.rt)) == 3 - len(expected)
    assert [one["person_id"] for one in await items(rt)] == expected
    detours = await rt.db.fetch("select reason, size from round_set where kind = 'detour'")
    assert detours == [{"reason": "in_care", "size": 1}] * len(expected)
    await assert_sums(rt)


async def test_an_old_person_by_label_is_called_and_her_company_is_not_old(rt: Runtime) -> None:
    await settle(rt, town.households(2))
    await rt.db.execute("update taxpayer set kind = 'individual_business' where id = 1")
    await town.add_label(rt, "elderly", [1, 2])
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms", "call"])
        await tick(town.ticker(wire.rt))
    assert [one["person_id"] for one in await items(rt)] == [1]


async def test_readers_of_mongolian_get_no_sms(rt: Runtime) -> None:
    await settle(rt, [*town.households(3), town.Household(4, 4, town.mobile(4), email="a@example.com")])
    for person in (1, 4):
        await set_person(rt, person, language="mn")
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms", "email", "call"], code="able")
        await town.launch(wire.rt, ["sms"], code="unable")
        assert await tick(town.ticker(wire.rt)) == 2 + 1 + 2
    sent = await rt.db.fetch(
        "select distinct person_id from message m join round_step s using (round_id, step)"
        " where channel = 'sms' order by 1"
    )
    assert [row["person_id"] for row in sent] == [2, 3]
    assert [one["person_id"] for one in await items(rt)] == [1]
    left_out = await rt.db.fetch("select size from round_set where reason = 'other_way' order by round_id")
    assert [row["size"] for row in left_out] == [0, 2]
    await assert_sums(rt)


async def test_the_report_tells_what_was_handed_over_and_who_took_another_way(rt: Runtime) -> None:
    await settle(rt, town.households(3))
    await set_person(rt, 1, special_care=True)
    async with town.wired(rt) as wire:
        campaign = await town.launch(wire.rt, ["sms", "call"])
        await tick(town.ticker(wire.rt))
    told = await campaign_report(rt, SetCache(), campaign, town.PROVINCE)
    (part,) = told.rounds
    assert [(rung.channel, rung.total, rung.open) for rung in part.handed] == [("call", 1, 1)]
    assert (part.detours, part.gap) == ({"in_care": 1}, 0)
    assert [table.title for table in reach_table(told)][2] == "交给电话和上门的户次"


@pytest.mark.parametrize("channels", [["call", "sms"], ["visit", "call"], ["sms", "call", "call"]])
def test_calls_and_visits_stand_at_the_end_of_a_ladder(channels: list[str]) -> None:
    with pytest.raises(InvalidInput, match="先电话后上门"):
        check_ladder(channels, 1)
