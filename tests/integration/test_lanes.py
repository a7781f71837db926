"""Lanes: who is urgent does not wait for who is many; campaigns take turns; a slow account slows itself."""

import asyncio

from campaigns.rounds import tick
from outreach.ledger.duties import ring_due_batches
from outreach.ledger.keys import decode_key
from outreach.ledger.protocol import SQL as PROTOCOL
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.worker import build_sender
from tests import town
from tests.integration.ledger_stage import staged
from tests.integration.test_ledger import until, working
from tests.lanes import plan_one


async def order(rt: Runtime, gateway_id: int) -> list[int]:
    """The rounds in the order in which their batches are taken."""
    rounds = [row["id"] for row in await rt.db.fetch("select id from round")]
    keys = {"gateway_id": gateway_id, "rounds": rounds, "limit": 64}
    await asyncio.sleep(0.02)
    return [
        (await rt.db.fetch_one("select round_id from batch where id = %(id)s", {"id": row["id"]}) or {})[
            "round_id"
        ]
        for row in await rt.db.fetch(PROTOCOL["due_batches"], keys)
    ]


async def weigh(rt: Runtime, code: str, weight: int) -> None:
    await rt.db.execute("update campaign set weight = %(w)s where code = %(c)s", {"w": weight, "c": code})


async def test_a_second_campaign_takes_its_turns_from_where_the_first_stands(rt: Runtime) -> None:
    async with staged(rt, town.households(6000)) as stage:
        gateway = stage.wire.ids["aliyun_sms"]
        for row in await rt.db.fetch("select shard, id from batch order by id limit 2"):
            await rt.db.execute("update batch set state = 1 where id = %(id)s", {"id": row["id"]})
        await town.launch(stage.rt, ["sms"], code="second")
        await tick(town.ticker(stage.rt))
        found = await order(rt, gateway)
        assert sorted(found) == [1] * 4 + [2] * 6
        assert found == [1, 1, 2, 1, 2, 1, 2, 2, 2, 2]


async def test_a_campaign_of_three_times_the_weight_gets_three_times_the_turns(rt: Runtime) -> None:
    async with staged(rt, town.households(6000)) as stage:
        gateway = stage.wire.ids["aliyun_sms"]
        await rt.db.execute("update campaign set weight = 100")
        await town.launch(stage.rt, ["sms"], code="heavy")
        await weigh(rt, "heavy", 300)
        await tick(town.ticker(stage.rt))
        found = await order(rt, gateway)
        assert found == [1, 2, 2, 1, 2, 2, 2, 1, 2, 1, 1, 1]


async def test_what_is_cut_later_stands_behind_what_the_round_has_waiting(rt: Runtime) -> None:
    async with staged(rt, town.households(2000)) as stage:
        before = await rt.db.fetch_one("select max(next_at) as at from batch")
        people = await rt.db.fetch_one("select max(position) as n from recipient")
        assert before is not None
        assert people is not None
        await rt.db.execute(
            "insert into recipient"
            " (period, round_id, position, person_id, taxpayer_ids, org_id, reach, first_step)"
            " select period, round_id, position + 5000, person_id + 5000, taxpayer_ids, org_id, reach,"
            " first_step from recipient limit 1000"
        )
        await tick(town.ticker(stage.rt))
        rows = await rt.db.fetch("select next_at from batch order by id")
        assert len(rows) == 3
        assert rows[-1]["next_at"] > before["at"]


async def test_a_slow_account_leaves_senders_to_the_others(rt: Runtime) -> None:
    people = [town.Household(n, n, town.mobile(n)) for n in range(1, 4001)]
    people += [town.Household(n, n, openid=f"o{n:027d}") for n in range(4001, 6001)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        slow, quick = wire.ids["aliyun_sms"], wire.ids["wechat_official"]
        # A hundred messages a second or so: it is at it for forty seconds at the least.
        await rt.db.execute("update gateway set rate = 1, burst = 1 where id = %(id)s", {"id": slow})
        await town.launch(wire.rt, ["sms"], code="slow", kind="policy_push")
        assert await tick(town.ticker(wire.rt)) == 4000
        async with working(wire.rt):
            await until(lambda: _in_hand(rt, slow, 1))
            await asyncio.sleep(1.0)
            await town.launch(wire.rt, ["wechat"], code="quick", kind="policy_push")
            assert await tick(town.ticker(wire.rt)) == 2000
            await until(lambda: _none_waits(rt, quick))
            left = await rt.db.fetch_one(
                "select sum(n - settled)::int as n from batch where gateway_id = %(id)s", {"id": slow}
            )
        assert left is not None
        assert left["n"] > 500, "the slow account was still at it"


async def test_an_account_gets_no_more_senders_than_it_can_feed(rt: Runtime) -> None:
    async with staged(rt, town.households(5000), launch={"kind": "policy_push"}, rate=0.9) as stage:
        sender = build_sender(stage.rt)
        rung: set[str] = set()
        await ring_due_batches(sender, rung)
        assert len(rung) == 2
        await sender.fleet.close()


async def test_urgent_messages_do_not_wait_for_a_backlog(rt: Runtime) -> None:
    people = [town.Household(n, n, openid=f"o{n:027d}") for n in range(1, 8001)]
    async with staged(rt, people, "wechat", launch={"kind": "policy_push"}, rate=200) as stage:
        await rt.db.execute("update gateway set burst = 200")
        urgent = await _emergency(stage.rt)
        books = stage.books.entries
        planned: dict[int, int] = {}
        async with working(stage.rt):
            await until(lambda: _sending(rt))
            for number in range(20):
                batch = await plan_one(stage.rt, urgent, stage.wire.ids["wechat_official"], number)
                planned[batch] = len(books)
                await asyncio.sleep(0.15)
            await until(lambda: _is_sent(rt, urgent))
            left = (await town.states(rt)).get(State.PLANNED, 0)
        assert left > 0, "there was a backlog all the time"
        keys = [(decode_key(entry.key) or 0) // 1000 for entry in books]
        passed = [place - planned[batch] for place, batch in enumerate(keys) if batch in planned]
        assert len(passed) == 20
        # Eight thousand stood before them; how long they wait on a quiet machine, bench_lanes tells.
        assert max(passed) < 3000, sorted(passed)


async def _is_sent(rt: Runtime, round_id: int) -> bool:
    keys = {"id": round_id}
    return await rt.db.fetch("select 1 as one from batch where round_id = %(id)s and state = 0", keys) == []


async def _emergency(rt: Runtime) -> int:
    """A round of the most urgent lane that has begun with nobody in it; returns its id."""
    await town.launch(rt, ["wechat"], code="urgent", kind="emergency", segment="nobody")
    await tick(town.ticker(rt))
    row = await rt.db.fetch_one("select max(id) as id from round")
    assert row is not None
    return int(row["id"])


async def _sending(rt: Runtime) -> bool:
    return (await town.states(rt)).get(State.ACCEPTED, 0) > 100


async def _in_hand(rt: Runtime, gateway_id: int, count: int) -> bool:
    row = await rt.db.fetch_one(
        "select count(*)::int as n from batch where gateway_id = %(id)s and lease_until > now()",
        {"id": gateway_id},
    )
    return row is not None and row["n"] >= count


async def _none_waits(rt: Runtime, gateway_id: int) -> bool:
    row = await rt.db.fetch_one(
        "select count(*)::int as n from batch where gateway_id = %(id)s and state = 0", {"id": gateway_id}
    )
    return row == {"n": 0}
