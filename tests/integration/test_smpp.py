"""A round over SMPP end to end: texts out, receipts and replies in on the same connections, sums agree."""

import pytest

from campaigns.rounds import tick
from channels.gateways.base import Faults
from channels.gateways.smpp import Account
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.line_stage import LONG, SHORT, counts, line_town
from tests.integration.test_ledger import all_final, assert_sums, until, working


@pytest.mark.parametrize("text", [SHORT, LONG], ids=["short", "long"])
async def test_a_round_reaches_everybody_once_and_a_reply_stops_publicity(rt: Runtime, text: str) -> None:
    account = Account(receipts="text", decimal=True)
    config = {"id_in_answer": "hex", "id_in_report": "decimal"}
    faults = Faults(fail=0.1, shuffle=True, twice=0.2, seed=3)
    async with line_town(
        rt, 120, adapter="smpp", text=text, faults=faults, config=config, account=account
    ) as stage:
        await town.launch(rt, ["sms"])
        async with working(rt):
            assert await tick(town.ticker(rt)) == 120
            await until(lambda: all_final(rt))
            stage.simulator.uplink({"address": f"86{town.mobile(7)}", "text": "TD", "coding": 0})
            await until(lambda: refused(rt))
        assert len(set(stage.booked())) == len(stage.booked()) == 120
        books = stage.simulator.books.totals()
    assert books["failed"] > 3
    assert await counts(rt) == {State.DELIVERED: books["delivered"], State.FAILED: books["failed"]}
    rows = await rt.db.fetch("select person_id from inbound where action = 'opt_out'")
    assert [row["person_id"] for row in rows] == [7]
    await assert_sums(rt)


async def refused(rt: Runtime) -> bool:
    return bool(await rt.db.fetch("select 1 as one from inbound where action = 'opt_out'"))
