"""A small part goes first: the rest waits for the hold, and stops at failures, complaints or refusals."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns.approval_text import cover, differences
from campaigns.campaigns import Canary
from campaigns.rounds import resume_round, tick
from campaigns.staggering import Stagger
from outreach.analytics.stalls import round_progress
from outreach.errors import InvalidInput
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_ledger import all_final, assert_sums, until, working
from tests.integration.test_slices import created, drafted, settle, signed

MINUTES = timedelta(minutes=30)


async def canary_round(rt: Runtime) -> dict[str, Any]:
    row = await rt.db.fetch_one("select id, state, canary_position, canary_verdict, pause_reason from round")
    assert row is not None
    return row


async def messages(rt: Runtime) -> int:
    row = await rt.db.fetch_one("select count(*)::int as n from message")
    assert row is not None
    return int(row["n"])


async def sent(rt: Runtime, wire: town.Wire) -> int:
    """The canary, sent; how many it is."""
    assert await tick(town.ticker(wire.rt)) > 0
    async with working(wire.rt):
        await until(lambda: all_final(rt))
    assert await tick(town.ticker(wire.rt)) == 0
    return await messages(rt)


async def test_the_rest_follows_when_the_hold_has_passed(rt: Runtime) -> None:
    await settle(rt, 60)
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(None, canary=Canary(100, MINUTES)))
        first = await sent(rt, wire)
        row = await canary_round(rt)
        assert 1 <= first == row["canary_position"] <= 15
        ticker = town.ticker(wire.rt)
        assert await tick(ticker) == 0
        await town.set_clock(rt, town.START + timedelta(minutes=29))
        assert await tick(ticker) == 0
        async with rt.db.begin() as conn:
            progress = await round_progress(conn, row["id"])
        assert [stall.cause.value for stall in progress.stalls] == ["canary"]
        await town.set_clock(rt, town.START + timedelta(minutes=31))
        assert await tick(ticker) == 60 - first
        assert await tick(ticker) == 0
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    assert (await canary_round(rt))["canary_verdict"] == "passed"
    await assert_sums(rt)


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("update message_count set state = 4 where state <> 4", "发送失败"),
        (
            "insert into inbound (gateway_id, person_id, kind, action, at) select g.id, m.person_id,"
            " 'complaint', 'opt_out', now() from message m, gateway g limit 1",
            "投诉",
        ),
        (
            "insert into inbound (gateway_id, person_id, kind, action, at) select g.id, m.person_id,"
            " 'text', 'opt_out', now() from message m, gateway g limit 1",
            "退订",
        ),
    ],
)
async def test_it_stops_there_with_the_cause(rt: Runtime, sql: str, word: str) -> None:
    await settle(rt, 60)
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(None, canary=Canary(100, MINUTES)))
        first = await sent(rt, wire)
        await rt.db.execute(sql)
        await town.set_clock(rt, town.START + timedelta(hours=2))
        ticker = town.ticker(wire.rt)
        assert await tick(ticker) == 0
        row = await canary_round(rt)
        assert (row["state"], row["canary_verdict"]) == ("paused", "stopped")
        assert word in row["pause_reason"] and f"{first} 条" in row["pause_reason"]
        async with rt.db.begin() as conn:
            progress = await round_progress(conn, row["id"])
        assert "自动暂停" in progress.stalls[0].text and word in progress.stalls[0].text
        await resume_round(wire.rt, row["id"], "officer")
        assert await tick(ticker) == 60 - first
    assert (await canary_round(rt))["canary_verdict"] == "overruled"


async def test_a_refusal_from_before_does_not_count(rt: Runtime) -> None:
    await settle(rt, 60)
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(None, canary=Canary(100, MINUTES)))
        await sent(rt, wire)
        await rt.db.execute(
            "insert into inbound (gateway_id, person_id, kind, action, at, arrived_at)"
            " select g.id, m.person_id, 'complaint', 'opt_out', now(), now() - interval '1 hour'"
            " from message m, gateway g limit 1"
        )
        await town.set_clock(rt, town.START + timedelta(hours=2))
        assert await tick(town.ticker(wire.rt)) > 0


async def test_few_people_still_have_a_canary_and_it_counts_into_its_day(rt: Runtime) -> None:
    await settle(rt, 9)
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(Stagger(cap_day=4), canary=Canary(1, MINUTES)))
        assert await sent(rt, wire) == 1
        await town.set_clock(rt, town.START + timedelta(hours=1))
        ticker = town.ticker(wire.rt)
        await tick(ticker)
        assert await messages(rt) == 4
    rows = await rt.db.fetch("select label, persons from round_slice order by ordinal")
    assert [(row["label"], row["persons"]) for row in rows][:2] == [("灰度", 1), ("全部", 3)]


async def test_the_canary_is_the_same_whoever_plans(rt: Runtime) -> None:
    await settle(rt, 60)
    await signed(rt, drafted(None, canary=Canary(100)))
    await tick(town.ticker(rt))
    before = await rt.db.fetch("select person_id, position from recipient order by position")
    await rt.db.execute("delete from recipient")
    await rt.db.execute("delete from round_set")
    await rt.db.execute("delete from round_slice")
    await rt.db.execute("update round set state = 'scheduled'")
    await tick(town.ticker(rt))
    assert await rt.db.fetch("select person_id, position from recipient order by position") == before


async def test_an_approval_covers_the_canary(rt: Runtime) -> None:
    await settle(rt, 3)
    campaign = await signed(rt, drafted(None, canary=Canary(100)))
    async with rt.db.begin() as conn:
        before = await cover(conn, campaign)
    await rt.db.execute("update round set canary_failed_permille = 900")
    async with rt.db.begin() as conn:
        after = await cover(conn, campaign)
    assert [one.name for one in differences(before.parts, after.parts)] == ["第 1 轮灰度"]


async def test_a_canary_that_is_none_is_refused(rt: Runtime) -> None:
    await settle(rt, 1)
    with pytest.raises(InvalidInput, match="灰度比例"):
        await created(rt, drafted(None, canary=Canary(501)))
