"""What is unknown for good goes out once more only if two persons decide it, and never a third time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.ledger.second_sends import ask_second_send, decide_second_send, second_sends
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town as towns
from tests.integration.api_town import CITY, COUNTY, GRID, Town
from tests.integration.ledger_stage import Stage, staged

UNHEARD = {"fiveg_bot": {"drop_after": 1.0, "silent": 1.0}}
"""The gateway takes everything, and neither answers nor reports."""


def hear(stage: Stage, *, drop_after: float) -> None:
    """From now on the gateway cuts so many of the connections after it has accepted."""
    simulator = stage.wire.simulators[stage.adapter]
    simulator.faults = replace(simulator.faults, drop_after=drop_after)


@asynccontextmanager
async def unknown_for_good(rt: Runtime, count: int = 3) -> AsyncIterator[Stage]:
    people = [towns.Household(n, n, towns.mobile(n), rcs=True) for n in range(1, count + 1)]
    async with staged(rt, people, "rcs", faults=UNHEARD, capable=1.0) as stage:
        await stage.drain()
        await stage.end_rest()
        await stage.reconcile()
        assert await stage.states(count) == [State.UNKNOWN] * count
        assert (await stage.message())["not_before"] is None
        hear(stage, drop_after=0.0)
        yield stage


async def ask(rt: Runtime, by: str = "maker", **more) -> tuple[int, int]:
    keys = {"round_id": 1, "path": "1.", "gateway_id": None, "note": "网关升级丢失了应答"} | more
    async with rt.db.begin() as conn:
        return await ask_second_send(conn, by=by, **keys)


async def decide(rt: Runtime, asked: int, *, approve: bool = True, by: str = "checker") -> None:
    async with rt.db.begin() as conn:
        await decide_second_send(conn, asked, round_id=1, approve=approve, by=by)


async def test_what_two_persons_decide_goes_out_once_more_and_never_again(rt: Runtime) -> None:
    async with unknown_for_good(rt) as stage:
        taken = len(stage.books.entries)
        asked, n = await ask(rt)
        assert n == 3
        await stage.end_rest()
        assert await stage.reconcile() == 0, "a question sends nothing"
        await decide(rt, asked)
        assert await stage.reconcile() == 3
        assert await stage.states(3) == [State.ACCEPTED] * 3
        assert len(stage.books.entries) == taken + 3
        async with rt.db.begin() as conn:
            (told,) = await second_sends(conn, 1)
        assert (told["state"], told["n"], told["begun"]) == ("approved", 3, 3)
        await stage.end_rest()
        assert await stage.reconcile() == 0
        with pytest.raises(Conflict, match="没有可以再次发送的消息"):
            await ask(rt)


async def test_nobody_decides_what_she_asked_for(rt: Runtime) -> None:
    async with unknown_for_good(rt):
        asked, _ = await ask(rt)
        with pytest.raises(NotAllowed, match="自己提出"):
            await decide(rt, asked, by="maker")
        with pytest.raises(Conflict, match="等待审批"):
            await ask(rt, by="other")
        await decide(rt, asked, approve=False)
        with pytest.raises(NotFound):
            await decide(rt, asked)
        _, again = await ask(rt, by="other")
        assert again == 3, "what was declined may be asked for again"


async def test_what_is_answered_meanwhile_is_not_repeated(rt: Runtime) -> None:
    async with unknown_for_good(rt) as stage:
        asked, _ = await ask(rt)
        await stage.put(0, State.DELIVERED)
        await decide(rt, asked)
        assert await stage.reconcile() == 2
        assert await stage.states(3) == [State.DELIVERED, State.ACCEPTED, State.ACCEPTED]


async def test_a_repetition_that_gets_no_answer_is_not_repeated(rt: Runtime) -> None:
    async with unknown_for_good(rt) as stage:
        hear(stage, drop_after=1.0)
        asked, _ = await ask(rt)
        await decide(rt, asked)
        taken = len(stage.books.entries)
        assert await stage.reconcile() == 3
        assert len(stage.books.entries) == taken + 3
        await stage.end_rest()
        await stage.reconcile()
        assert len(stage.books.entries) == taken + 3
        assert await stage.states(3) == [State.UNKNOWN] * 3


async def test_a_paused_round_keeps_it_waiting(rt: Runtime) -> None:
    async with unknown_for_good(rt) as stage:
        asked, _ = await ask(rt)
        await rt.db.execute("update round set state = 'paused'")
        await decide(rt, asked)
        stage.sender.gate._rounds_at = float("-inf")
        taken = len(stage.books.entries)
        await stage.reconcile()
        assert len(stage.books.entries) == taken
        await rt.db.execute("update round set state = 'running'")
        stage.sender.gate._rounds_at = float("-inf")
        await stage.end_rest()
        assert await stage.reconcile() == 3
        assert len(stage.books.entries) == taken + 3


async def test_it_reaches_only_the_subtree_and_wants_a_reason(rt: Runtime) -> None:
    async with unknown_for_good(rt):
        with pytest.raises(Conflict, match="没有可以再次发送的消息"):
            await ask(rt, path="1.999.")
        with pytest.raises(InvalidInput):
            await ask(rt, note="  ")


async def test_a_key_may_ask_within_its_scope_and_never_decide(town: Town) -> None:
    _, number = await town.running_round(CITY)
    for table in ("message", "message_count"):
        await town.rt.db.execute(f"update {table} set state = 1 where org_id = %(org)s", {"org": GRID})
    await town.rt.db.execute("update message set tried_at = now() where state = 1")
    path, asked = f"/rounds/{number}/second-sends", {"note": "运营商确认未收到"}
    assert (await town.post(path, asked, unit=COUNTY)).status_code == 403
    made = await town.post(path, asked, unit=CITY)
    assert made.status_code == 201
    assert made.json()["messages"] == len(town.in_county)
    assert (await town.post(path, asked, unit=CITY)).status_code == 409
    (shown,) = (await town.get(path, unit=COUNTY)).json()
    assert (shown["state"], shown["begun"], shown["note"]) == ("asked", 0, asked["note"])
    assert (await town.post(f"{path}/{shown['id']}", {"approve": True}, unit=CITY)).status_code in (404, 405)
