"""The forecast tells what the round then does: the same audience, exclusions, persons and parts."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from pyroaring import BitMap

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import RoundDraft, StepDraft, create_campaign
from campaigns.forecast import Forecast, forecast
from campaigns.rounds import tick
from campaigns.templates import save_template
from outreach.labels.cache import SetCache
from outreach.labels.keys import optout_key
from outreach.labels.sets import change_sets
from outreach.runtime import Runtime
from outreach.service.choices import choose
from tests import town
from tests.integration.test_approval import DRAFT, save_segment
from tests.integration.test_ledger import all_final, until, working

LONG = {
    "text": "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理，"
    "请登录个人所得税APP办理。咨询12366。感谢配合。"
}


async def settle(rt: Runtime) -> None:
    """A town in which every reason to be left out occurs, and people who look after several households."""
    people = [
        *(town.Household(n, n, town.mobile(n)) for n in range(1, 31)),
        *(town.Household(n, 40, town.mobile(40)) for n in range(40, 49)),
        *(town.Household(n, n, email=f"a{n}@example.com") for n in range(50, 56)),
        *(town.Household(n, n) for n in range(60, 63)),
    ]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await save_template(
        rt, "editor", code="remind", name="提醒", channel="sms", content=LONG, org_id=town.PROVINCE
    )
    await town.add_label(rt, "iit.filed", [1, 2, 41])
    await town.add_label(rt, "iit.disputed", [2, 3])
    await town.set_clock(rt, town.START)
    await save_segment(rt, "iit.must_file")
    # Of the fifth and ninth only the row knows, of the sixth the set too; the seventh refuses the campaign's
    # topic, the eighth another.
    await rt.db.execute(
        "insert into opt_out (person_id, channel, at, source) values (5, 'all', now(), 'test'),"
        " (6, 'all', now(), 'test'), (9, 'topic:reminder', now(), 'test')"
    )
    async with rt.db.begin() as conn:
        await change_sets(conn, {optout_key("all"): (BitMap([6]), BitMap())}, source="test")
        await choose(conn, 7, ["topic:reminder"])
        await choose(conn, 8, ["topic:bill"])


async def foretell(rt: Runtime) -> Forecast:
    row = await rt.db.fetch_one("select min(id) as id from round")
    assert row is not None
    async with rt.db.begin() as conn:
        return await forecast(rt, conn, SetCache(), row["id"])


async def drafted(rt: Runtime, **changes: Any) -> int:
    first = DRAFT.rounds[0]
    ladder = (StepDraft("sms", "remind"), StepDraft("email", "remind"))
    waves = (RoundDraft(first.name, first.starts_at, first.ends_at, ladder),)
    fields = {"rounds": waves, "holdout_permille": 100, "dispute_segment": "iit.disputed", **changes}
    return await create_campaign(rt, "maker", replace(DRAFT, **fields))


async def test_what_is_told_is_what_happens(rt: Runtime) -> None:
    await settle(rt)
    async with town.wired(rt) as wire:
        campaign = await drafted(wire.rt)
        told = await foretell(wire.rt)
        await submit_campaign(wire.rt, campaign, "maker")
        await approve_campaign(wire.rt, campaign, "checker")
        await tick(town.ticker(wire.rt))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    sets = await rt.db.fetch("select kind, reason, size from round_set order by ordinal")
    run = {row["reason"]: row["size"] for row in sets if row["kind"] == "exclusion"}
    assert {one.reason: len(one.members) for one in told.exclusions} == run
    assert run["opted_out"] == 2
    assert all(run[reason] for reason in ("already_done", "held_out", "no_address", "opted_out", "disputed"))
    round_row = await rt.db.fetch_one("select audience, planned from round")
    assert round_row == {"audience": told.audience, "planned": told.planned}
    assert told.audience == told.planned + sum(run.values())
    rows = await rt.db.fetch(
        "select step, count(*)::int as n, sum(parts)::int as parts, sum(cardinality(taxpayer_ids))::int as h"
        " from message group by step order by step"
    )
    assert [(r.step, r.persons, r.parts, r.households) for r in told.rungs] == [
        (row["step"], row["n"], row["parts"], row["h"]) for row in rows
    ]
    assert told.rungs[0].parts > told.rungs[0].persons
    assert all(rung.is_exact for rung in told.rungs)


async def test_samples_are_real_people(rt: Runtime) -> None:
    await settle(rt)
    async with town.wired(rt) as wire:
        await drafted(wire.rt)
        told = await foretell(wire.rt)
    assert [len(rung.samples) for rung in told.rungs] == [3, 3]
    planned = {n for rung in told.rungs for sample in rung.samples for n in sample.taxpayer_ids}
    assert not planned & {1, 2, 3, 5, 6, 7, 9, 41, 60, 61, 62}
    first = told.rungs[0].samples[0]
    assert first.values["taxpayers"] == [f"示例企业{n}" for n in first.taxpayer_ids]


@pytest.mark.parametrize("priced", [False, True])
async def test_the_cost_is_told_only_if_every_price_is_known(rt: Runtime, priced: bool) -> None:
    await settle(rt)
    async with town.wired(rt) as wire:
        await drafted(wire.rt)
        if priced:
            await rt.db.execute(
                "insert into channel_price (gateway_id, yuan, set_by)"
                " select id, case channel when 'sms' then 0.035 else 0 end, 'technician' from gateway"
            )
        told = await foretell(wire.rt)
    expected = (told.rungs[0].parts * Decimal("0.035")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert told.cost == (expected if priced else None)
    assert told.timing.late == 0


async def test_a_channel_without_an_account_is_named(rt: Runtime) -> None:
    await settle(rt)
    await drafted(rt)
    told = await foretell(rt)
    assert told.missing_channels == ("sms", "email")
    assert told.timing.late == told.persons


async def test_many_are_reckoned_from_a_part(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    await settle(rt)
    await drafted(rt)
    monkeypatch.setattr("campaigns.forecast.COUNTED", 5)
    told = await foretell(rt)
    assert not told.rungs[0].is_exact
    assert told.rungs[0].parts >= told.rungs[0].persons
