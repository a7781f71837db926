"""Rounds over WeCom and DingTalk end to end: over the wire to the simulators, books equal to the ledger."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from campaigns.rounds import tick
from campaigns.templates import save_template
from channels.gateways.base import Faults
from channels.gateways.dingtalk import DingtalkSimulator
from channels.gateways.wecom import WecomSimulator
from outreach.books import compare_books
from outreach.errors import InvalidInput
from outreach.ledger.ask_results import ask_results
from outreach.ledger.gateways import Fleet, GatewayDraft, save_gateway
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.every_channel import WORK_CREDENTIALS
from tests.integration.test_ledger import assert_sums, until, working

SIMULATORS = {"wecom": WecomSimulator, "dingtalk": DingtalkSimulator}


@asynccontextmanager
async def work_town(
    rt: Runtime, channel: str, count: int, faults: Faults | None = None
) -> AsyncIterator[WecomSimulator | DingtalkSimulator]:
    """`count` households whose contacts have an account of the platform, and one application there."""
    people = [town.Household(n, n, **{channel: f"clerk{n}"}) for n in range(1, count + 1)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    simulator = SIMULATORS[channel](faults)
    config = {"api_base": await simulator.start(), "timeout": 20.0, **WORK_CREDENTIALS[channel]}
    draft = GatewayDraft(f"演练·{channel}", channel, config, 100_000, 1000, quiet_seconds=0.5)
    async with rt.db.begin() as conn:
        await save_gateway(conn, rt.settings, draft)
    try:
        yield simulator
    finally:
        await simulator.stop()


async def at_rest(rt: Runtime) -> bool:
    found = await town.states(rt)
    return bool(found) and State.PLANNED not in found


@pytest.mark.parametrize("channel", SIMULATORS)
async def test_a_round_is_accepted_once_and_no_delivery_is_claimed(rt: Runtime, channel: str) -> None:
    async with work_town(rt, channel, 120) as simulator:
        await town.launch(rt, [channel])
        async with working(rt):
            assert await tick(town.ticker(rt)) == 120
            await until(lambda: at_rest(rt))
        (books,) = await compare_books(rt, {channel: simulator.control_url})
        texts = {entry.address: entry.text for entry in simulator.books.entries}
    assert await town.states(rt) == {State.ACCEPTED: 120}
    assert (books.booked, books.held, books.equal) == (120, 120, True)
    assert "示例企业7：2025年度汇算尚未办理" in texts["clerk7"]
    await assert_sums(rt)


@pytest.mark.parametrize("channel", SIMULATORS)
async def test_what_may_have_arrived_stays_unknown_and_goes_to_nobody_twice(
    rt: Runtime, channel: str
) -> None:
    faults = Faults(reject=0.1, drop_before=0.1, drop_after=0.2, error_after=0.1, seed=3)
    async with work_town(rt, channel, 100, faults) as simulator:
        await town.launch(rt, [channel])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: at_rest(rt))
        (books,) = await compare_books(rt, {channel: simulator.control_url})
    found = await town.states(rt)
    assert books.equal, books
    assert found[State.UNKNOWN] >= books.unknown_booked > 10
    assert sum(found.values()) == 100
    await assert_sums(rt)


async def test_results_are_asked_for_where_nothing_is_pushed(rt: Runtime) -> None:
    async with work_town(rt, "dingtalk", 120, Faults(fail=0.1, read=0.3, seed=2)) as simulator:
        await town.launch(rt, ["dingtalk"])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: at_rest(rt))
        fleet = Fleet(rt)
        assert await ask_results(rt, fleet) == 0, "not before its time"
        await rt.db.execute("update result_ask set next_at = now()")
        assert await ask_results(rt, fleet) == 1
        books = simulator.books.totals()
        assert books["failed"] > 3 and books["read"] > 10
        wanted = {
            State.FAILED: books["failed"],
            State.READ: books["read"],
            State.DELIVERED: books["delivered"],
        }

        async def all_told() -> bool:
            # What the platform has not answered in time is asked about at the batch's next turn.
            if await town.states(rt) == wanted:
                return True
            await rt.db.execute("update result_ask set next_at = now()")
            await ask_results(rt, fleet)
            return False

        await until(all_told)
        codes = await rt.db.fetch("select distinct code from message where state = 4")
        assert [row["code"] for row in codes] == ["failed"]
        await assert_sums(rt)
        # What is said once more changes nothing, and once the platform has forgotten nobody asks.
        await rt.db.execute("update result_ask set next_at = now()")
        assert await ask_results(rt, fleet) == 1
        assert await town.states(rt) == wanted
        await rt.db.execute("update batch set opened_at = opened_at - interval '25 hours'")
        await rt.db.execute("update result_ask set next_at = now()")
        assert await ask_results(rt, fleet) == 0
        await fleet.close()
    assert await rt.db.fetch("select 1 as one from result_ask") == []


async def test_an_account_that_does_not_answer_is_asked_again_later(rt: Runtime) -> None:
    async with work_town(rt, "dingtalk", 5) as simulator:
        await town.launch(rt, ["dingtalk"])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: at_rest(rt))
        fleet = Fleet(rt)
        await ask_results(rt, fleet)
        await simulator.stop()
        await rt.db.execute("update result_ask set next_at = now()")
        assert await ask_results(rt, fleet) == 0
        await fleet.close()
    (row,) = await rt.db.fetch("select asks, next_at > now() + interval '1 minute' as later from result_ask")
    assert row == {"asks": 0, "later": True}
    assert await town.states(rt) == {State.ACCEPTED: 5}


BAD = [
    ("wecom", {"text": ""}, "text"),
    ("wecom", {"text": "请办理", "title": "提醒"}, "url"),
    ("wecom", {"text": "字" * 154, "title": "提醒", "url": "https://example.com"}, "text"),
    ("wecom", {"text": "请办理", "title": "题" * 43, "url": "https://example.com"}, "title"),
    ("wecom", {"text": "{{ name }}" + "字" * 661}, "text"),
    ("dingtalk", {"text": "字" * 601}, "text"),
    ("dingtalk", {"text": "请办理", "html": "<p></p>"}, "html"),
]


@pytest.mark.parametrize(("channel", "content", "field"), BAD)
async def test_what_the_platform_would_cut_is_refused_when_it_is_saved(
    rt: Runtime, channel: str, content: dict[str, str], field: str
) -> None:
    await town.settle_town(rt, [])
    with pytest.raises(InvalidInput) as caught:
        await save_template(
            rt, "editor", code="x", name="x", channel=channel, content=content, org_id=town.PROVINCE
        )
    assert caught.value.details["field"] == field
