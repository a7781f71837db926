"""Where messages go, and how what comes back finds them: numbers that change, are shared, refuse."""

import orjson
import pytest

from channels.base import Inbound, InboundKind, WebhookRequest
from outreach.ledger.direct import send_direct
from outreach.ledger.inbound import record_inbound
from outreach.ledger.keys import encode_key
from outreach.ledger.receipts import accept_push
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import FIRST_ID, Stage, staged
from tests.integration.test_ledger import assert_sums

NEW_NUMBER = "13922222222"


async def test_a_number_that_changed_before_sending_gets_the_message_and_its_receipt(rt: Runtime) -> None:
    async with staged(rt, town.households(3)) as stage:
        await stage.change_mobile(2, NEW_NUMBER)
        await stage.drain()
        await stage.merge()
        assert {entry.address for entry in stage.books.entries} == {
            town.mobile(1),
            NEW_NUMBER,
            town.mobile(3),
        }
        assert await stage.states(3) == [State.DELIVERED] * 3
    await assert_sums(rt)


@pytest.mark.parametrize("channel", ["sms", "wechat"])
async def test_an_unknown_message_is_not_sent_to_another_address(rt: Runtime, channel: str) -> None:
    people = [town.Household(1, 1, town.mobile(1), openid="o" + "0" * 27)]
    async with staged(rt, people, channel) as stage:
        await stage.put_away()
        await stage.put(0, State.UNKNOWN, not_before="now()", tried_at="now()")
        await rt.db.execute("update address set dest = dest + 1")
        await stage.reconcile()
        row = await stage.message()
        assert stage.books.entries == []
    assert (row["state"], row["not_before"], row["code"]) == (State.UNKNOWN, None, "address_changed")
    await assert_sums(rt)


async def test_a_message_does_not_move_to_a_number_whose_receipts_it_would_take(rt: Runtime) -> None:
    async with staged(rt, town.households(2)) as stage:
        await rt.db.execute("update batch set watermark = 0")
        await stage.put(1, State.ACCEPTED)
        await stage.change_mobile(1, town.mobile(2))
        await stage.drain()
        row = await stage.message(0)
    assert (row["state"], row["code"]) == (State.FAILED, "address_changed")
    await assert_sums(rt)


async def test_an_address_that_vanished_fails_and_one_that_came_back_is_used(rt: Runtime) -> None:
    async with staged(rt, town.households(2)) as stage:
        await rt.db.execute("delete from address where person_id = 1")
        await rt.db.execute("update message set dest = 0 where person_id = 2")
        await stage.drain()
        await stage.merge()
        assert await stage.states(2) == [State.FAILED, State.DELIVERED]
        assert (await stage.message(0))["code"] == "no_address"
    await assert_sums(rt)


def couple() -> list[town.Household]:
    """Three persons; the second and the third share a telephone."""
    return [
        town.Household(1, 1, town.mobile(1)),
        town.Household(2, 2, town.mobile(2)),
        town.Household(3, 3, town.mobile(2)),
    ]


async def test_a_receipt_of_a_shared_number_finds_the_one_that_was_sent(rt: Runtime) -> None:
    async with staged(rt, couple()) as stage:
        await town.add_label(rt, "iit.filed", [2])
        await stage.drain()
        await stage.merge()
        assert await stage.states(3) == [State.DELIVERED, State.WITHHELD, State.DELIVERED]
    await assert_sums(rt)


async def test_a_shared_number_is_told_apart_at_the_second_try_too(rt: Runtime) -> None:
    async with staged(rt, couple()) as stage:
        await stage.put_away()
        await stage.put(1, State.FAILED)
        for position in (0, 2):
            await stage.put(position, State.PLANNED, not_before="now()")
        await stage.reconcile()
        await stage.merge()
        assert await stage.states(3) == [State.DELIVERED, State.FAILED, State.DELIVERED]
    await assert_sums(rt)


async def test_a_question_about_a_shared_number_finds_the_one_that_was_sent(rt: Runtime) -> None:
    async with staged(rt, couple(), faults={"aliyun_sms": {"drop_after": 1.0}}) as stage:
        await town.add_label(rt, "iit.filed", [2])
        await stage.drain()
        assert await stage.states(3) == [State.UNKNOWN, State.WITHHELD, State.UNKNOWN]
        for _ in range(2):
            await stage.end_rest()
            await stage.reconcile()
        assert len(stage.books.entries) == 2
    await assert_sums(rt)


async def test_a_number_that_refuses_refuses_for_everybody_behind_it(rt: Runtime) -> None:
    async with staged(rt, couple(), launch={"kind": "policy_push"}) as stage:
        refusal = Inbound(InboundKind.TEXT, town.mobile(2), "退订", provider_id="7")
        for _ in range(2):
            await record_inbound(stage.rt, await stage.gateway(), refusal)
        await stage.drain()
        await stage.merge()
        assert await stage.states(3) == [State.DELIVERED, State.WITHHELD, State.WITHHELD]
    row = await rt.db.fetch_one("select count(*)::int as n from inbound")
    assert row == {"n": 1}


async def test_a_complaint_without_an_address_is_told_by_its_key(rt: Runtime) -> None:
    people = [town.Household(n, n, email=f"p{n}@example.com") for n in (1, 2)]
    async with staged(rt, people, "email") as stage:
        complaint = Inbound(InboundKind.COMPLAINT, "", key=encode_key(FIRST_ID + 1), provider_id="f1")
        await record_inbound(stage.rt, await stage.gateway(), complaint)
    rows = await rt.db.fetch("select person_id, channel from opt_out")
    assert rows == [{"person_id": 2, "channel": "email"}]


async def test_a_complaint_about_a_direct_message_is_told_by_its_key(rt: Runtime) -> None:
    async with staged(rt, [town.Household(1, 1, email="p1@example.com")], "email") as stage:
        values = {"taxpayers": ["甲"], "tax_year": "2025"}
        assert await send_direct(
            stage.rt,
            stage.sender.fleet,
            person_id=1,
            channel="email",
            template="remind",
            values=values,
            purpose="test",
        )
        row = await rt.db.fetch_one("select id from direct_message")
        assert row is not None
        complaint = Inbound(InboundKind.COMPLAINT, "", key=encode_key(row["id"]))
        await record_inbound(stage.rt, await stage.gateway(), complaint)
    assert await rt.db.fetch("select person_id from opt_out") == [{"person_id": 1}]


async def push(stage: Stage, report: dict[str, object]) -> int:
    """A report as the provider would push it; the status of the answer."""
    gateway = await stage.gateway()
    path = f"/hooks/{gateway.id}/{gateway.secret}/report"
    request = WebhookRequest("POST", path, {}, {}, orjson.dumps([report]), "127.0.0.1")
    return (await accept_push(stage.wire.desk, gateway.id, gateway.secret, request)).status


@pytest.mark.parametrize("code", ["MK\0:0001", "x" * 5000])
async def test_a_hostile_code_in_a_push_stops_neither_the_push_nor_the_merge(rt: Runtime, code: str) -> None:
    async with staged(rt, town.households(2)) as stage:
        await stage.drain()
        report = {
            "phone_number": town.mobile(1),
            "success": False,
            "report_time": "2026-03-16 09:00:01",
            "err_code": code,
            "biz_id": "b\0b",
            "out_id": encode_key(FIRST_ID),
        }
        assert await push(stage, report) == 200
        await stage.merge()
        assert (await stage.message(1))["state"] == State.DELIVERED
    await assert_sums(rt)


async def test_a_receipt_before_the_settle_is_not_lowered_by_it(rt: Runtime) -> None:
    faults = {"aliyun_sms": {"receipts_before_answer": True, "receipt_delay": 0.0}}
    async with staged(rt, town.households(50), faults=faults) as stage:
        await stage.drain()
        await stage.merge()
        assert set(await stage.states(50)) == {State.DELIVERED}
    await assert_sums(rt)
