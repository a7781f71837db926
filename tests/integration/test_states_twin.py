"""The SQL that moves messages and the Python that explains it are twins."""

import random
from functools import reduce

import pytest

from campaigns.rounds import tick
from outreach.ledger.merge import Arrival, merge_matches
from outreach.ledger.protocol import Verdict, settle
from outreach.ledger.states import SENT, State, merge, rank
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import FIRST_ID
from tests.integration.test_ledger import assert_sums

COUNT, LONGEST, PERIOD = 400, 7, 202603


async def test_the_ranks_are_the_same(rt: Runtime) -> None:
    rows = await rt.db.fetch(
        "select s::smallint as state, state_rank(s::smallint) as rank from unnest(%(states)s::int[]) s",
        {"states": [int(state) for state in State]},
    )
    assert {row["state"]: row["rank"] for row in rows} == {state: rank(state) for state in State}


async def settle_some(rt: Runtime, told: dict[int, State]) -> None:
    """Outcomes of windows, whoever held them."""
    async with rt.db.begin() as conn:
        await settle(conn, PERIOD, 0, [Verdict(key, state, rest=5.0) for key, state in told.items()])


async def report_some(rt: Runtime, told: dict[int, State]) -> None:
    """Receipts, each of them twice."""
    matches = [(key, arrival(state)) for key, state in told.items()]
    async with rt.db.begin() as conn:
        await merge_matches(conn, PERIOD, 0, [*matches, *matches])


def arrival(state: State) -> Arrival:
    """A receipt that says so."""
    return Arrival(1, None, False, None, None, int(state), None, False, None, town.START, 0, "0", 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_settles_and_receipts_in_any_order_end_where_python_says(rt: Runtime, seed: int) -> None:
    chance = random.Random(seed)
    await town.settle_town(rt, town.households(COUNT))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        assert await tick(town.ticker(wire.rt)) == COUNT
    told = {FIRST_ID + n: chance.choices(SENT, k=chance.randrange(LONGEST)) for n in range(COUNT)}
    for place in range(LONGEST):
        turn = {key: states[place] for key, states in told.items() if place < len(states)}
        await chance.choice((settle_some, report_some))(rt, turn)
    rows = await rt.db.fetch("select id, state, not_before from message")
    assert {row["id"]: row["state"] for row in rows} == {
        key: reduce(merge, states, State.PLANNED) for key, states in told.items()
    }
    assert {row["state"] for row in rows if row["not_before"] is not None} <= {State.UNKNOWN}
    await assert_sums(rt)
