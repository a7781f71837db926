"""A unit's quota: one ceiling over the campaigns of its whole subtree, whatever each says itself."""

import pytest

from campaigns.quota import MOST_DAYS, Quota, drop_quota, set_quota, standing_quotas
from campaigns.rounds import tick
from outreach.errors import InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_acceptance_cases import at_the_start, told
from tests.integration.test_ledger import assert_sums
from tests.integration.test_ledger_rules import exclusions

_PATHS = {town.PROVINCE: "1.", town.CITY: "1.2.", town.COUNTY: "1.2.3."}


def chief(org_id: int) -> Actor:
    """Somebody who may set the quota of a unit."""
    return Actor(1, "chief", "chief", frozenset(), org_id, _PATHS[org_id], org_id, _PATHS[org_id])


async def quotas(rt: Runtime, org_id: int) -> list[Quota]:
    async with rt.db.begin() as conn:
        return [one.quota for one in await standing_quotas(conn, org_id)]


async def test_what_the_province_sets_holds_for_a_campaign_that_says_nothing(rt: Runtime) -> None:
    await at_the_start(rt, town.households(3))
    async with town.wired(rt) as wire:
        ticker = town.ticker(wire.rt)
        await set_quota(wire.rt, chief(town.PROVINCE), Quota(1, 7))
        await town.launch(wire.rt, ["sms"], code="a", kind="do_it_reminder")
        assert await tick(ticker) == 3
        second = await town.launch(wire.rt, ["sms"], code="b", kind="do_it_reminder")
        assert await tick(ticker) == 0
        assert await exclusions(rt) == {"contacted_recently": 3}
        law = await town.launch(wire.rt, ["sms"], code="law")
        assert await tick(ticker) == 3
    assert (await told(rt, second), await told(rt, law)) == (set(), {1, 2, 3})
    await assert_sums(rt)


async def test_a_campaign_cannot_allow_itself_more_but_keeps_to_less(rt: Runtime) -> None:
    await at_the_start(rt, town.households(3))
    async with town.wired(rt) as wire:
        ticker = town.ticker(wire.rt)
        await set_quota(wire.rt, chief(town.CITY), Quota(2, 7))
        once = {"kind": "do_it_reminder", "quota_messages": 1, "quota_days": 7}
        often = {"kind": "do_it_reminder", "quota_messages": 9, "quota_days": 7}
        await town.launch(wire.rt, ["sms"], code="a", **often)
        assert await tick(ticker) == 3
        await town.launch(wire.rt, ["sms"], code="strict", **once)
        assert await tick(ticker) == 0
        await town.launch(wire.rt, ["sms"], code="b", **often)
        assert await tick(ticker) == 3
        await town.launch(wire.rt, ["sms"], code="c", **often)
        assert await tick(ticker) == 0, "the city's two are used up"
    await assert_sums(rt)


async def test_a_quota_holds_for_its_subtree_and_is_dropped_where_it_was_set(rt: Runtime) -> None:
    await at_the_start(rt, town.households(1))
    await set_quota(rt, chief(town.COUNTY), Quota(1, 7))
    await set_quota(rt, chief(town.PROVINCE), Quota(4, 30))
    await set_quota(rt, chief(town.PROVINCE), Quota(3, 28))
    assert await quotas(rt, town.GRID) == [Quota(3, 28), Quota(1, 7)]
    assert await quotas(rt, town.CITY) == [Quota(3, 28)]
    await drop_quota(rt, chief(town.PROVINCE))
    assert await quotas(rt, town.GRID) == [Quota(1, 7)]
    with pytest.raises(NotFound):
        await drop_quota(rt, chief(town.CITY))
    noted = await rt.db.fetch("select action from audit_event where action like 'quota.%' order by id")
    assert [row["action"] for row in noted] == ["quota.set"] * 3 + ["quota.drop"]


@pytest.mark.parametrize(
    ("quota", "field"),
    [(Quota(0, 7), "messages"), (Quota(101, 7), "messages"), (Quota(2, 0), "days"), (Quota(2, 57), "days")],
)
async def test_what_cannot_be_is_refused_at_its_field(rt: Runtime, quota: Quota, field: str) -> None:
    await at_the_start(rt, town.households(1))
    with pytest.raises(InvalidInput) as caught:
        await set_quota(rt, chief(town.CITY), quota)
    assert caught.value.details["field"] == field
    assert MOST_DAYS == 56
