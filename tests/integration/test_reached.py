"""The households that a round has reached stand in one set, folded or not, however receipts come."""

import asyncio

from outreach.ledger.audit import audit_round
from outreach.ledger.reached import reached_by_round
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.scheduler import tick_once
from tests import town
from tests.integration.ledger_stage import staged
from tests.integration.to_the_end import send_to_the_end


async def households(rt: Runtime) -> set[int]:
    async with rt.db.begin() as conn:
        return set(await reached_by_round(conn, 1))


async def test_it_grows_with_the_receipts_and_folding_changes_nothing(rt: Runtime) -> None:
    async with staged(rt, town.households(200), faults={"aliyun_sms": {"fail": 0.3}}) as stage:
        assert await households(rt) == set()
        await send_to_the_end(stage)
        rows = await rt.db.fetch("select unnest(taxpayer_ids) as id from message where state = 3")
        told = {row["id"] for row in rows}
        assert 100 < len(told) < 180
        assert await households(rt) == told
        await rt.db.execute(
            "insert into reached_delta (round_id, taxpayer_ids)"
            " select 1, array[%(one)s::int] from generate_series(1, 130)",
            {"one": min(told)},
        )
        # As the scheduler does it, under its own lock.
        await tick_once(town.ticker(stage.wire.rt), asyncio.Lock())
        assert (await rt.db.fetch_one("select count(*)::int as n from reached_delta")) == {"n": 0}
        assert await households(rt) == told
        assert (await audit_round(rt, 1)).agrees


async def test_a_late_arrival_outranks_a_failure_and_counts_once(rt: Runtime) -> None:
    async with staged(rt, town.households(1), faults={"aliyun_sms": {"fail": 1.0}}) as stage:
        await send_to_the_end(stage)
        assert (await stage.message())["state"] == State.FAILED
        assert await households(rt) == set()
        message = (await stage.message())["id"]
        for state in (3, 5, 3):
            await rt.db.execute(
                "insert into receipt_inbox (period, gateway_id, message_id, state)"
                " select max(period), %(gateway)s, %(message)s, %(state)s from receipt_inbox",
                {"gateway": stage.wire.ids[stage.adapter], "message": message, "state": state},
            )
            await stage.merge()
        assert await households(rt) == {1}
        assert (await rt.db.fetch_one("select count(*)::int as n from reached_delta")) == {"n": 1}
