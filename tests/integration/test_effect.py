"""The effect that is built into a town is the effect that the report finds, within its interval."""

import random
from collections.abc import Sequence
from datetime import timedelta

from pyroaring import BitMap

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign
from campaigns.rounds import tick
from outreach.analytics.effect import CampaignEffect, campaign_effect
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from tests import town
from tests.integration.api_town import CITY, SISTER, Town

PEOPLE = 2_000
BY_ITSELF, LIFT = 0.30, 0.12


async def planned(rt: Runtime, people: Sequence[town.Household], **launch: int) -> None:
    """A round whose audience is frozen; nothing is sent."""
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], kind="do_it_reminder", **launch)
        await tick(town.ticker(wire.rt))


async def effect_of(rt: Runtime, **strata: str) -> CampaignEffect:
    found = await campaign_effect(rt, SetCache(), 1, town.PROVINCE, strata)
    assert found is not None
    return found


async def sets_of(rt: Runtime) -> dict[str, set[int]]:
    rows = await rt.db.fetch("select kind, reason, data from round_set")
    return {row["reason"] or row["kind"]: set(BitMap.deserialize(bytes(row["data"]))) for row in rows}


async def let_them_act(rt: Runtime, seed: int) -> None:
    """Whoever was told acts more often than whoever was not, by what is built in."""
    chance, sets = random.Random(seed), await sets_of(rt)
    acted = [
        one
        for one in sorted(sets["audience"])
        if chance.random() < BY_ITSELF + (0.0 if one in sets["held_out"] else LIFT)
    ]
    await town.add_label(rt, "iit.filed", acted)


async def test_the_effect_that_is_built_in_is_found(rt: Runtime) -> None:
    await planned(rt, town.households(PEOPLE), holdout_permille=300, holdout_seed=5)
    await let_them_act(rt, 3)
    await town.add_label(rt, "iit.booked", range(1, 500))
    found = await effect_of(rt, 已预约="iit.booked")
    whole = found.whole
    assert whole.treated.households + whole.control.households == PEOPLE
    assert 500 < whole.control.households < 700
    assert whole.low is not None and whole.high is not None
    assert whole.low <= LIFT <= whole.high
    assert whole.is_certain
    assert set(found.strata) == {"已预约", "其余"}
    assert sum(one.treated.households for one in found.strata.values()) == whole.treated.households


async def test_without_a_control_group_nothing_is_claimed(rt: Runtime) -> None:
    await planned(rt, town.households(3))
    assert await campaign_effect(rt, SetCache(), 1, town.PROVINCE) is None


async def test_whoever_could_not_be_reached_counts_with_those_who_were_told(rt: Runtime) -> None:
    people = [*town.households(50), *[town.Household(n, n, None) for n in range(51, 101)]]
    await planned(rt, people, holdout_permille=300, holdout_seed=5)
    sets = await sets_of(rt)
    assert sets["no_address"]
    whole = (await effect_of(rt)).whole
    assert whole.treated.households == len(sets["planned"] | sets["no_address"])
    assert whole.control.households == len(sets["held_out"])


async def test_two_texts_are_compared_by_chance(rt: Runtime) -> None:
    """The second text works better, by what is built in; nobody got both."""
    await town.settle_town(rt, town.households(PEOPLE))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    ladder, until = (StepDraft("sms", "remind"),), town.START + timedelta(days=9)
    halves = ("sample 0 to 500 seed 9", "sample 500 to 1000 seed 9")
    draft = CampaignDraft(
        "texts",
        "两种文字",
        "比较两种提醒文字",
        "statutory_deadline",
        "国家税务总局令第57号",
        town.CITY,
        "iit.must_file",
        tuple(RoundDraft(text, town.START, until, ladder, text) for text in halves),
        done_segment="iit.filed",
        variables={"tax_year": "2025"},
    )
    async with town.wired(rt) as wire:
        number = await create_campaign(wire.rt, "maker", draft)
        await submit_campaign(wire.rt, number, "maker")
        await approve_campaign(wire.rt, number, "checker")
        await tick(town.ticker(wire.rt))
    sets = await rt.db.fetch("select round_id, data from round_set where kind = 'planned' order by round_id")
    first, second = [set(BitMap.deserialize(bytes(row["data"]))) for row in sets]
    assert not first & second
    assert len(first | second) == PEOPLE
    chance = random.Random(4)
    acted = [n for n in range(1, PEOPLE + 1) if chance.random() < BY_ITSELF + (LIFT if n in second else 0.0)]
    await town.add_label(rt, "iit.filed", acted)
    numbers = tuple(row["round_id"] for row in sets)
    found = await campaign_effect(rt, SetCache(), 1, town.PROVINCE, rounds=(numbers[1], numbers[0]))
    assert found is not None
    assert found.whole.low is not None and found.whole.high is not None
    assert found.whole.low <= LIFT <= found.whole.high
    assert found.whole.is_certain


async def test_the_api_cuts_it_to_the_scope(town: Town) -> None:
    number, _ = await town.running_round(CITY)
    answer = await town.get(f"/campaigns/{number}/effect")
    assert answer.json() == {"whole": None, "strata": {}}
    wrong = await town.get(f"/campaigns/{number}/effect?stratum=no.such.label")
    assert wrong.status_code == 422
    assert (await town.get(f"/campaigns/{number}/effect", unit=SISTER)).status_code in (200, 404)
