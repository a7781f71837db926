"""What comes of a call or a visit: labels, waits, visits that somebody must approve, and sums that hold."""

from datetime import date, timedelta
from typing import Any

import pytest
from pyroaring import BitMap

from campaigns.rounds import tick
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.governance.accounts import create_account
from outreach.governance.actor import Actor
from outreach.governance.permissions import PERMISSIONS
from outreach.labels.cache import SetCache
from outreach.labels.keys import label_key, reach_key
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.service.visits import approve_visits, ask_visits, refuse_visits
from outreach.service.worklists import Report, assign_items, record_result
from tests import town
from tests.integration.doorstep import DAY, assert_sums, handed, items, settle
from tests.integration.test_ledger import all_final, until, working

PATH = "1.2.3."


def actor(name: str = "caller", path: str = PATH) -> Actor:
    """Somebody of a county who may do everything."""
    org = int(path.split(".")[-2])
    return Actor(1, name, name, frozenset(PERMISSIONS), org, path, org, path)


async def launched(rt: Runtime, channels: list[str], people: list[town.Household] | None = None) -> None:
    """A round whose recipients begin at its first rung."""
    await settle(rt, people or [town.Household(n, 1, town.mobile(1)) for n in (1, 2)])
    await town.launch(rt, channels)
    await tick(town.ticker(rt))


async def report(rt: Runtime, result: str, item: int = 1, **more: Any) -> str:
    return await record_result(rt, actor(), item, Report(result, **more))


async def members(rt: Runtime, key: str) -> BitMap:
    async with rt.db.begin() as conn:
        return BitMap((await SetCache().load(conn, [key]))[key])


async def test_a_round_goes_from_sms_to_call_to_visit(rt: Runtime) -> None:
    """One number stops working before its message leaves: failed, called on three days, visited."""
    await settle(rt, [town.Household(n, n, town.mobile(n)) for n in (1, 2)])
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms", "call", "visit"])
        ticker = town.ticker(wire.rt)
        await tick(ticker)
        await rt.db.execute("update address set usable = false where person_id = 1")
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        assert await town.states(rt) == {State.FAILED: 1, State.DELIVERED: 1}
        await tick(ticker)
        for day in (0, 1, 2):
            await town.set_clock(rt, town.START + day * DAY)
            await tick(ticker)
            (call,) = await items(rt, "call")
            assert (call["state"], call["tries"], call["households"]) == ("open", day, [1])
            await report(rt, "no_answer", call["id"])
        (visit,) = await items(rt, "visit")
        request, _ = await ask_visits(
            rt, actor("asker"), [visit["id"]], note="三次未接", visit_on=date(2026, 3, 19)
        )
        await approve_visits(rt, actor("leader"), request)
        await town.set_clock(rt, town.START + 3 * DAY)
        assert await report(rt, "told", visit["id"]) == "done"
        await tick(ticker)
    assert await handed(rt) == {(1, 2): 1, (2, 1): 1}
    await assert_sums(rt)


async def test_told_is_done(rt: Runtime) -> None:
    await launched(rt, ["call"])
    assert await report(rt, "told") == "done"
    assert await handed(rt) == {(0, 1): 2}
    with pytest.raises(Conflict, match="已经结束"):
        await report(rt, "told")
    await assert_sums(rt)


async def test_a_call_back_waits_until_its_time_and_counts_as_no_miss(rt: Runtime) -> None:
    await launched(rt, ["call"])
    until = town.START + timedelta(hours=5)
    with pytest.raises(InvalidInput, match="约定的时间"):
        await report(rt, "call_back")
    assert await report(rt, "call_back", call_back_at=until, note="下午再打") == "open"
    (item,) = await items(rt)
    assert (item["next_at"], item["tries"]) == (until, 0)
    attempt = await rt.db.fetch_one("select note_enc from work_attempt")
    assert attempt is not None and "下午".encode() not in bytes(attempt["note_enc"])


async def test_three_misses_make_a_visit(rt: Runtime) -> None:
    await launched(rt, ["call", "visit"])
    assert [await report(rt, "no_answer") for _ in range(3)] == ["open", "open", "given_up"]
    assert [(one["taxpayer_id"], one["state"]) for one in await items(rt, "visit")] == [
        (1, "open"),
        (2, "open"),
    ]
    assert await handed(rt) == {(0, 2): 2, (1, 0): 2}
    await assert_sums(rt)


async def test_a_miss_waits_a_day(rt: Runtime) -> None:
    await launched(rt, ["call"])
    await report(rt, "suspended")
    (item,) = await items(rt)
    assert (item["next_at"], item["tries"]) == (town.START + DAY, 1)


async def test_three_misses_without_a_door_are_given_up(rt: Runtime) -> None:
    await launched(rt, ["call"])
    assert [await report(rt, "no_answer") for _ in range(3)][-1] == "given_up"
    assert await handed(rt) == {(0, 2): 2}
    await assert_sums(rt)


async def test_a_wrong_number_goes_out_of_use(rt: Runtime) -> None:
    await launched(rt, ["call", "visit"])
    assert await report(rt, "wrong_number") == "given_up"
    row = await rt.db.fetch_one("select usable, unusable_reason from address")
    assert row == {"usable": False, "unusable_reason": "wrong_number"}
    assert not await members(rt, reach_key("sms"))
    assert await members(rt, label_key("phone_wrong")) == BitMap([1, 2])
    assert len(await items(rt, "visit")) == 2


async def test_the_next_count_sees_reasons_and_claims(rt: Runtime) -> None:
    people = [town.Household(n, n, town.mobile(n)) for n in (1, 2, 3)]
    await launched(rt, ["call"], people)
    for item, result in ((1, "unwilling"), (2, "acted"), (3, "disputed")):
        await report(rt, result, item)
    assert await members(rt, label_key("follow_up", "unwilling")) == BitMap([1])
    assert await members(rt, label_key("said_done")) == BitMap([2])
    assert await members(rt, label_key("iit.disputed")) == BitMap([3])
    assert await handed(rt) == {(0, 1): 1, (0, 2): 2}
    await assert_sums(rt)


async def test_nobody_is_visited_without_approval(rt: Runtime) -> None:
    await launched(rt, ["visit"], [town.Household(1, 1), town.Household(2, 2)])
    await create_account(
        rt, "system", login="grid", display_name="网格员", password="wangge yi er san si wu", org_id=5,
        roles=["grid_member"],
    )  # fmt: skip
    with pytest.raises(Conflict, match="无审批不入户"):
        await report(rt, "told")
    assert await assign_items(rt, actor(), [1], "grid") == 0
    request, n = await ask_visits(rt, actor("asker"), [1, 2], note="电话联系不上", visit_on=date(2026, 3, 18))
    assert n == 2
    with pytest.raises(NotAllowed, match="自己提交"):
        await approve_visits(rt, actor("asker"), request)
    await approve_visits(rt, actor("leader"), request)
    assert await assign_items(rt, actor(), [1, 2], "grid") == 2
    assert await report(rt, "told") == "done"
    await assert_sums(rt)


async def test_the_database_assigns_no_visit_without_approval(rt: Runtime) -> None:
    await launched(rt, ["visit"], [town.Household(1, 1)])
    with pytest.raises(Exception, match="check constraint"):
        await rt.db.execute("update work_item set assigned_to = 'grid'")


async def test_a_refused_visit_is_given_up(rt: Runtime) -> None:
    await launched(rt, ["visit"], [town.Household(1, 1)])
    request, _ = await ask_visits(rt, actor("asker"), [1], note="电话联系不上", visit_on=date(2026, 3, 18))
    await refuse_visits(rt, actor("leader"), request, "先电话联系")
    assert [(one["state"], one["outcome"]) for one in await items(rt)] == [("given_up", "visit_refused")]
    await assert_sums(rt)


async def test_nobody_reaches_beyond_her_scope(rt: Runtime) -> None:
    await launched(rt, ["call"])
    with pytest.raises(NotFound):
        await record_result(rt, actor(path="1.2.9."), 1, Report("told"))


async def test_work_goes_only_to_somebody_who_may_do_it(rt: Runtime) -> None:
    await launched(rt, ["call"])
    with pytest.raises(InvalidInput, match="没有登记外呼"):
        await assign_items(rt, actor(), [1], "nobody")
