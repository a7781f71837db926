"""The China Mobile 5G adapter on a strict platform: conformance, fallback, reports, what taxpayers send."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.base import Card, Channel, DeliveryState, InboundKind, Outcome, Query
from channels.errors import Fault, GatewayError
from channels.fiveg_maap import FivegMaap
from channels.gateways.fiveg_maap import Account

from .clock import TIMEOUT, hasten, leap, until
from .conformance import AdapterConformance, Bench, PushConformance
from .fiveg_maap import CARD, FAST, PNG, Stage, address, batch, config, magic, run_bench, run_stage

ACCEPTED, DELIVERED, FAILED, READ = DeliveryState
CHATBOT = Account(account="1001", secret="123456", hashed=True)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with run_bench() as bench:
        yield bench


class TestFivegMaap(AdapterConformance):
    pass


class TestFivegMaapPushes(PushConformance):
    pass


async def states(stage: Stage, count: int) -> list[tuple[DeliveryState, str, Channel | None]]:
    receipts = await stage.receipts(lambda all_of_them: len(all_of_them) >= count)
    return [(r.state, r.code, r.fallback) for r in receipts]


async def test_reports_become_receipts_with_our_key() -> None:
    async with run_stage(faults=replace(FAST, read=1.0)) as stage:
        [message] = batch(1, card=CARD)
        [result] = await stage.adapter.send([message])
        assert sorted(await states(stage, 3)) == sorted(
            [(ACCEPTED, "", None), (DELIVERED, "", None), (READ, "", None)]
        )
        assert {(r.key, r.ref, r.address) for r in stage.hooks.receipts} == {
            (message.key, result.ref, message.address)
        }
        assert stage.simulator.books.entries[0].text == "示例标题\n示例说明"
        await until(lambda: stage.simulator.books.totals()["read"] == 1)


@pytest.mark.parametrize(
    ("fallback", "expected"),
    [(True, (DELIVERED, "", Channel.SMS)), (False, (FAILED, "SVC5001", None))],
)
async def test_phone_without_5g_messages(fallback: bool, expected: Any) -> None:
    async with run_stage({"sms_fallback": fallback}, capable=0.0) as stage:
        [result] = await stage.adapter.send(batch(1, card=CARD))
        assert result.outcome is Outcome.ACCEPTED
        assert await states(stage, 1) == [expected]


async def test_offline_phone_gets_it_when_it_comes_back() -> None:
    async with run_stage() as stage:
        stage.simulator.change({address(0): "offline"})
        await stage.adapter.send(batch(1))
        assert await states(stage, 1) == [(ACCEPTED, "", None)]
        stage.simulator.change({address(0): "5g"})
        assert await states(stage, 2) == [(ACCEPTED, "", None), (DELIVERED, "", None)]


@pytest.mark.parametrize(
    ("account", "settings"),
    [
        (CHATBOT, {"profile": "chatbot"}),
        (CHATBOT, {"profile": "direct", "encode_chatbot_id": False}),
        (Account(needs_user_type=True), {"profile": "csp_v243", "traffic_type": "payment"}),
        (Account(misspelt=True, revoke_method="POST", encoded=True), {"profile": "csp_smbody"}),
        (Account(push_signed=False), {"callbacks_signed": False, "callback_sources": "127.0.0.0/8"}),
    ],
)
async def test_variants_of_platforms(account: Account, settings: dict[str, Any]) -> None:
    told = {"account": account.account, "account_secret": account.secret, "report_sent": False}
    async with run_stage({**told, **settings}, account=account) as stage:
        await stage.adapter.check()
        assert {r.outcome for r in await stage.adapter.send(batch(3, card=CARD))} == {Outcome.ACCEPTED}
        assert await states(stage, 3) == [(DELIVERED, "", None)] * 3
        stage.simulator.change({address(7): "sms"})
        await stage.adapter.send(batch(1, 7))
        assert (await states(stage, 4))[3] == (DELIVERED, "", Channel.SMS)
        assert not stage.hooks.rejected


@pytest.mark.parametrize(
    "settings", [{"profile": "chatbot"}, {"chatbot_id": "sip:1@botplatform.rcs.chinamobile.com"}]
)
async def test_check_tells_of_a_wrong_setting(settings: dict[str, Any]) -> None:
    async with run_stage() as stage:
        adapter = FivegMaap(config(stage.url, **settings))
        with pytest.raises(GatewayError, match="请核对") as caught:
            await adapter.check()
        assert caught.value.fault in {Fault.UNAUTHORIZED, Fault.MISCONFIGURED}
        await adapter.close()


async def test_a_clock_that_is_wrong_is_refused() -> None:
    async with run_stage() as stage:
        late = FivegMaap(config(stage.url), now=lambda: datetime.now(UTC).timestamp() - 3600)
        [result] = await late.send(batch(1))
        assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, Fault.UNAUTHORIZED, "SVC0001")
        await late.close()


async def test_a_message_that_breaks_a_limit_fails_alone() -> None:
    async with run_stage() as stage:
        messages = batch(3, card=CARD)
        messages[1] = replace(messages[1], card=replace(CARD, title="题" * 201))
        results = await stage.adapter.send(messages)
        assert [r.outcome for r in results] == [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED]
        assert (results[1].fault, results[1].code) == (Fault.REJECTED, "title_too_long")


async def test_every_outcome_in_one_batch_keeps_its_place() -> None:
    fates = ["reject", "throttle", "drop_before", "drop_after", "error_after", "slow"]
    async with run_stage() as stage:
        messages = batch(len(fates) * 2)
        messages[::2] = [replace(m, address=magic(f)) for m, f in zip(messages[::2], fates, strict=True)]
        sending = asyncio.create_task(stage.adapter.send(messages))
        # Three of the unlucky ones are taken all the same, the last of them without an answer.
        await until(lambda: len(stage.simulator.books.entries) == len(fates) + 3)
        results = await hasten(sending, 1.5 * TIMEOUT)
        assert [r.key for r in results] == [m.key for m in messages]
        assert [r.outcome for r in results[1::2]] == [Outcome.ACCEPTED] * len(fates)
        assert [(r.outcome, r.fault, r.code) for r in results[:4:2]] == [
            (Outcome.REFUSED, Fault.REJECTED, "POL0001"),
            (Outcome.REFUSED, Fault.THROTTLED, "POL0009"),
        ]
        assert [r.outcome for r in results[4::2]] == [Outcome.UNKNOWN] * 4


async def test_a_slow_platform_does_not_hold_the_batch() -> None:
    slow = replace(FAST, slow=1.0, slow_seconds=TIMEOUT / 5)
    async with run_stage({"concurrency": 2}, faults=slow) as stage:
        sending = asyncio.create_task(stage.adapter.send(batch(20)))
        await until(lambda: len(stage.simulator.books.entries) == 2)
        results = await hasten(sending, 1.5 * TIMEOUT)
        late = [r for r in results if r.code == "not_started"]
        assert late
        assert {(r.outcome, r.fault) for r in late} == {(Outcome.REFUSED, Fault.DEFERRED)}
        assert len(stage.simulator.books.entries) == len(results) - len(late)


async def test_pressed_button_brings_back_key_and_postback() -> None:
    async with run_stage() as stage:
        [message] = batch(1, card=CARD)
        await stage.adapter.send([message])
        for label in ("已知晓", "退订"):
            stage.simulator.uplink({"address": message.address, "press": label})
        await stage.hooks.until(lambda: len(stage.hooks.inbound) == 2)
        told = {(i.kind, i.address, i.text, i.key) for i in stage.hooks.inbound}
        assert told == {(InboundKind.SUGGESTION, message.address, p, message.key) for p in ("p2", "p3")}


async def test_answers_and_complaints_know_their_message() -> None:
    async with run_stage() as stage:
        [message] = batch(1)
        await stage.adapter.send([message])
        stage.simulator.uplink({"address": message.address, "text": "怎么办理]]>😀"})
        stage.simulator.uplink({"address": message.address, "spam": "骚扰"})
        await stage.hooks.until(lambda: len(stage.hooks.inbound) == 2)
        assert {(i.kind, i.text) for i in stage.hooks.inbound} == {
            (InboundKind.TEXT, "怎么办理]]>😀"),
            (InboundKind.COMPLAINT, ""),
        }
        assert {(i.key, i.address) for i in stage.hooks.inbound} == {(message.key, message.address)}


async def test_revoking_what_waits_and_what_has_arrived() -> None:
    async with run_stage({"report_sent": False}) as stage:
        waiting, arrived = batch(2)
        stage.simulator.change({waiting.address: "offline"})
        await stage.adapter.send([waiting, arrived])
        await states(stage, 1)
        for message in (waiting, arrived):
            result = await stage.adapter.revoke(Query(message.key, message.address, datetime.now(UTC)))
            assert result.outcome is Outcome.ACCEPTED
        await stage.hooks.until(lambda: len(stage.hooks.requests) == 3)
        receipts = await stage.receipts(lambda all_of_them: len(all_of_them) == 2)
        assert [(r.key, r.state, r.code) for r in receipts] == [
            (arrived.key, DELIVERED, ""),
            (waiting.key, FAILED, "Revoked"),
        ]
        result = await stage.adapter.revoke(Query("0nothere", address(0), datetime.now(UTC)))
        assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, Fault.REJECTED, "SVC0002")


async def test_picture_is_uploaded_described_and_sent() -> None:
    async with run_stage() as stage:
        media = await stage.adapter.upload("海报.png", PNG)
        card = replace(CARD, image_url=media.url, height="tall", more=(Card("第二张", "", media.url),))
        fresh = FivegMaap(config(stage.url))
        results = await stage.adapter.send(batch(1, 0, card=card)) + await fresh.send(batch(1, 1, card=card))
        assert [r.outcome for r in results] == [Outcome.ACCEPTED] * 2
        assert media.size == len(PNG)
        assert media.until
        await fresh.close()


@pytest.mark.parametrize(("path", "code"), [("/Content/none", "image_unreadable"), ("x", "image_elsewhere")])
async def test_picture_that_the_platform_does_not_have(path: str, code: str) -> None:
    async with run_stage() as stage:
        url = f"{stage.url}{path}" if path[0] == "/" else "https://elsewhere.example.cn/a.png"
        [result] = await stage.adapter.send(batch(1, card=Card("标题", "", url)))
        assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, Fault.REJECTED, code)


@pytest.mark.parametrize("data", [b"", b"GIF89a", PNG + bytes(2 * 1024 * 1024)])
async def test_unusable_picture(data: bytes) -> None:
    async with run_stage() as stage:
        with pytest.raises(GatewayError, match="图片"):
            await stage.adapter.upload("a.png", data)


async def test_reports_come_in_batches_until_they_are_taken() -> None:
    late = replace(FAST, receipt_delay=3600.0)
    async with run_stage({"report_sent": False}, faults=late) as stage:
        stage.hooks.refuse = 2
        await stage.adapter.send(batch(100))
        await leap(late.receipt_delay)
        await states(stage, 100)
        # All are due in one moment, twenty in each notification: a `Sent`, that nobody wants, and a
        # `Delivered` of each message; and two were refused.
        assert len(stage.hooks.requests) <= 12
        await until(lambda: stage.simulator.books.totals()["delivered"] == 100)


async def test_two_processes_need_nothing_in_common() -> None:
    async with run_stage() as stage:
        second = FivegMaap(config(stage.url))
        results = await asyncio.gather(stage.adapter.send(batch(5)), second.send(batch(5, 5)))
        assert {r.outcome for some in results for r in some} == {Outcome.ACCEPTED}
        await second.close()
