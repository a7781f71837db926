"""The 5G bot adapter on a strict platform: conformance, tokens, fallback, statuses, what taxpayers send."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.base import Card, Channel, DeliveryState, InboundKind, Outcome, Query
from channels.errors import Fault, GatewayError
from channels.fiveg_bot import FivegBot
from channels.gateways.base import BookEntry
from channels.gateways.fiveg_bot.accounts import Account
from channels.tokens import LocalTokens

from .clock import TIMEOUT, hasten, leap, until
from .conformance import AdapterConformance, Bench, PushConformance
from .fiveg_bot import CARD, FAST, PNG, Stage, address, batch, config, magic, run_bench, run_stage

ACCEPTED, DELIVERED, FAILED, READ = DeliveryState


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with run_bench() as bench:
        yield bench


class TestFivegBot(AdapterConformance):
    pass


class TestFivegBotPushes(PushConformance):
    pass


async def states(stage: Stage, count: int) -> list[tuple[DeliveryState, str, Channel | None]]:
    receipts = await stage.receipts(lambda all_of_them: len(all_of_them) >= count)
    return [(r.state, r.code, r.fallback) for r in receipts]


async def test_statuses_become_receipts_with_our_key() -> None:
    async with run_stage(faults=replace(FAST, read=1.0)) as stage:
        [message] = batch(1, card=CARD)
        [result] = await stage.adapter.send([message])
        assert sorted(await states(stage, 3)) == sorted(
            [(ACCEPTED, "", None), (DELIVERED, "", None), (READ, "", None)]
        )
        assert {r.key for r in stage.hooks.receipts} == {message.key}
        assert {r.ref for r in stage.hooks.receipts} == {result.ref}
        assert {r.address for r in stage.hooks.receipts} == {message.address}
        assert stage.simulator.books.entries[0].text == "示例标题\n示例说明"
        await until(lambda: stage.simulator.books.totals()["read"] == 1)


@pytest.mark.parametrize(
    ("fallback", "expected"),
    [(True, (DELIVERED, "", Channel.SMS)), (False, (FAILED, "2", None))],
)
async def test_phone_without_5g_messages(fallback: bool, expected: Any) -> None:
    async with run_stage({"sms_fallback": fallback}, capable=0.0) as stage:
        [result] = await stage.adapter.send(batch(1, card=CARD))
        assert result.outcome is Outcome.ACCEPTED
        assert await states(stage, 1) == [expected]


async def test_share_of_capable_phones_is_drawn_from_the_address() -> None:
    async with run_stage({"report_sent": False}, capable=0.6) as stage:
        await stage.adapter.send(batch(200))
        fallen = sum(fallback is Channel.SMS for _, _, fallback in await states(stage, 200))
        assert 50 < fallen < 110


async def test_offline_phone_gets_it_when_it_comes_back() -> None:
    async with run_stage() as stage:
        stage.simulator.phones.change({address(0): "offline"}, 0.0)
        await stage.adapter.send(batch(1))
        assert await states(stage, 1) == [(ACCEPTED, "", None)]
        stage.simulator.phones.change({address(0): "5g"}, 0.0)
        assert await states(stage, 2) == [(ACCEPTED, "", None), (DELIVERED, "", None)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(ACCEPTED, "", None), (DELIVERED, "", Channel.SMS)]),
        ({"sms_fallback": False}, [(ACCEPTED, "", None), (FAILED, "4", None)]),
        ({"store_offline": False}, [(DELIVERED, "", Channel.SMS)]),
        ({"store_offline": False, "sms_fallback": False}, [(FAILED, "4", None)]),
    ],
)
async def test_phone_that_stays_offline(settings: dict[str, bool], expected: Any) -> None:
    stored = 3600.0
    async with run_stage(settings, store_seconds=stored) as stage:
        stage.simulator.phones.change({address(0): "offline"}, 0.0)
        await stage.adapter.send(batch(1))
        assert await states(stage, 1) == expected[:1]
        await leap(stored)
        assert await states(stage, len(expected)) == expected


async def test_token_expires_in_the_middle_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_stage({"concurrency": 8}) as stage:
        books = stage.simulator.books
        record = books.record

        def expire_in_the_middle(**told: Any) -> BookEntry:
            if len(books.entries) == 50:
                stage.simulator.tokens.expire()
            return record(**told)

        monkeypatch.setattr(books, "record", expire_in_the_middle)
        results = await stage.adapter.send(batch(200))
        assert {r.outcome for r in results} == {Outcome.ACCEPTED}
        assert [r.key for r in results] == [m.key for m in batch(200)]
        assert sorted(e.address for e in stage.simulator.books.entries) == [address(n) for n in range(200)]
        assert stage.simulator.tokens.issued == 2, "one refresh for everybody"


async def test_token_taken_away_by_another_client() -> None:
    async with run_stage() as stage:
        await stage.token()
        assert [r.outcome for r in await stage.adapter.send(batch(20))] == [Outcome.ACCEPTED] * 20
        assert stage.simulator.tokens.issued == 3


async def test_token_is_renewed_before_it_ends() -> None:
    now = [1_714_037_059.0]
    async with run_stage() as stage:
        adapter = FivegBot(config(stage.url), now=lambda: now[0])
        await adapter.open()
        issued = stage.simulator.tokens.issued
        for passed, more in ((5759.0, 0), (2.0, 1)):
            now[0] += passed
            assert (await adapter.send(batch(1)))[0].outcome is Outcome.ACCEPTED
            assert stage.simulator.tokens.issued == issued + more
        await adapter.close()


async def test_adapters_of_several_processes_share_a_token() -> None:
    shared = LocalTokens()
    async with run_stage(tokens=shared) as stage:
        second = FivegBot(config(stage.url), shared)
        await second.open()
        for adapter in (stage.adapter, second) * 3:
            stage.simulator.tokens.expire()
            assert (await adapter.send(batch(1)))[0].outcome is Outcome.ACCEPTED
            assert (await adapter.send(batch(1)))[0].outcome is Outcome.ACCEPTED
        assert stage.simulator.tokens.issued == 1 + 6
        await second.close()


async def test_a_token_that_never_lasts_does_not_burn_the_quota() -> None:
    now = [1_714_037_059.0]
    async with run_stage() as stage:
        adapter, before = FivegBot(config(stage.url), now=lambda: now[0]), stage.simulator.tokens.issued
        for n in range(60):
            stage.simulator.tokens.expire()
            [result] = await adapter.send(batch(1, n))
        assert stage.simulator.tokens.issued - before <= 30
        assert (result.outcome, result.fault, result.code) == (
            Outcome.REFUSED,
            Fault.UNAUTHORIZED,
            "token_quota",
        )
        assert result.retry_after is not None
        assert timedelta() < result.retry_after <= timedelta(seconds=45)
        now[0] += 46
        [result] = await adapter.send(batch(1))
        assert result.outcome is Outcome.ACCEPTED
        await adapter.close()


async def test_platform_out_of_tokens_for_the_day() -> None:
    async with run_stage(account=Account(tokens_a_day=1)) as stage:
        stage.simulator.tokens.expire()
        results = await stage.adapter.send(batch(30))
        assert {(r.outcome, r.fault, r.code) for r in results} == {
            (Outcome.REFUSED, Fault.THROTTLED, "45001")
        }


@pytest.mark.parametrize(
    ("account", "settings"),
    [
        (Account(prefixed_token=True), {}),
        (Account(codes_as_text=True, encode_paths=True), {}),
        (Account(tell_url=False), {"encode_chatbot_id": False}),
        (Account(needs_accept_and_date=False), {"follow_token_url": False, "traffic_type": "payment"}),
    ],
)
async def test_quirks_of_deployed_platforms(account: Account, settings: dict[str, Any]) -> None:
    async with run_stage({"report_sent": False, **settings}, account=account) as stage:
        await stage.adapter.check()
        assert {r.outcome for r in await stage.adapter.send(batch(3, card=CARD))} == {Outcome.ACCEPTED}
        assert await states(stage, 3) == [(DELIVERED, "", None)] * 3
        assert not stage.hooks.rejected


async def test_check_tells_of_a_suspended_bot() -> None:
    async with run_stage(account=Account(status=2)) as stage:
        with pytest.raises(GatewayError, match="暂停") as caught:
            await stage.adapter.check()
        assert caught.value.fault is Fault.MISCONFIGURED


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
        assert [(r.outcome, r.fault) for r in results[:4:2]] == [
            (Outcome.REFUSED, Fault.INVALID_ADDRESS),
            (Outcome.REFUSED, Fault.THROTTLED),
        ]
        assert [r.outcome for r in results[4::2]] == [Outcome.UNKNOWN] * 4


async def test_a_slow_platform_does_not_hold_the_batch() -> None:
    """A lease is behind every batch: what cannot start in time comes back as certainly unsent."""
    slow = replace(FAST, slow=1.0, slow_seconds=TIMEOUT / 5)
    async with run_stage({"concurrency": 2}, faults=slow) as stage:
        sending = asyncio.create_task(stage.adapter.send(batch(20)))
        await until(lambda: len(stage.simulator.books.entries) == 2)
        results = await hasten(sending, 1.5 * TIMEOUT)
        late = [r for r in results if r.code == "not_started"]
        assert late
        assert {(r.outcome, r.fault) for r in late} == {(Outcome.REFUSED, Fault.DEFERRED)}
        assert len(stage.simulator.books.entries) == len(results) - len(late)


async def test_limits_of_the_account() -> None:
    async with run_stage(day_limit=2) as stage:
        results = await stage.adapter.send(batch(4))
        over = [r for r in results if r.outcome is Outcome.REFUSED]
        assert [(r.fault, r.code) for r in over] == [(Fault.THROTTLED, "30001")] * 2
        assert all(r.retry_after and r.retry_after <= timedelta(days=1) for r in over)
    async with run_stage(rate=1) as stage:
        results = await stage.adapter.send(batch(10))
        assert {(r.fault, r.code) for r in results if r.fault} == {(Fault.THROTTLED, "30003")}
        assert len(stage.simulator.books.entries) == sum(r.outcome is Outcome.ACCEPTED for r in results)


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
        stage.simulator.uplink({"address": message.address, "text": "怎么办理😀"})
        stage.simulator.uplink({"address": message.address, "spam": "骚扰"})
        await stage.hooks.until(lambda: len(stage.hooks.inbound) == 2)
        by_kind = {i.kind: i for i in stage.hooks.inbound}
        assert {i.key for i in stage.hooks.inbound} == {message.key}
        assert by_kind[InboundKind.TEXT].text == "怎么办理😀"
        assert by_kind[InboundKind.COMPLAINT].text == "骚扰"


async def test_statuses_come_in_batches() -> None:
    late = replace(FAST, receipt_delay=3600.0)
    async with run_stage({"report_sent": False}, status_batch=100, faults=late) as stage:
        await stage.adapter.send(batch(200))
        await leap(late.receipt_delay)
        await states(stage, 200)
        # All are due in one moment: a `sent`, that nobody wants, and a `delivered` of each.
        assert len(stage.hooks.requests) <= 4
        await until(lambda: stage.simulator.books.totals()["delivered"] == 200)


async def test_revoking_what_waits_and_what_has_arrived() -> None:
    async with run_stage({"report_sent": False}) as stage:
        waiting, arrived = batch(2)
        stage.simulator.phones.change({waiting.address: "offline"}, 0.0)
        await stage.adapter.send([waiting, arrived])
        await states(stage, 1)
        for message in (waiting, arrived):
            result = await stage.adapter.revoke(Query(message.key, message.address, datetime.now(UTC)))
            assert result.outcome is Outcome.ACCEPTED
        receipts = await stage.receipts(lambda all_of_them: len(all_of_them) == 2)
        assert [(r.key, r.state, r.code) for r in receipts] == [
            (arrived.key, DELIVERED, ""),
            (waiting.key, FAILED, "revokeOk"),
        ]
        stage.simulator.phones.change({waiting.address: "5g"}, 0.0)
        await asyncio.sleep(0.05)
        assert stage.simulator.books.totals()["delivered"] == 1


async def test_revoke_races_delivery() -> None:
    async with run_stage({"report_sent": False, "revoke_with_chatbot_id": True}) as stage:
        messages = batch(40)

        async def send_and_revoke(position: int) -> None:
            message = messages[position]
            await stage.adapter.send([message])
            await asyncio.sleep(position / 2000)
            await stage.adapter.revoke(Query(message.key, message.address, datetime.now(UTC)))

        await asyncio.gather(*(send_and_revoke(n) for n in range(len(messages))))
        receipts = await stage.receipts(lambda all_of_them: len(all_of_them) == len(messages))
        assert {r.key for r in receipts} == {m.key for m in messages}, (
            "each one either arrived or was revoked"
        )
        delivered = sum(r.state is DELIVERED for r in receipts)
        await until(lambda: stage.simulator.books.totals()["delivered"] == delivered)


async def test_revoking_what_the_platform_never_had() -> None:
    async with run_stage() as stage:
        result = await stage.adapter.revoke(Query("0nothere", address(0), datetime.now(UTC)))
        assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, Fault.REJECTED, "20002")


async def test_picture_is_uploaded_described_and_sent() -> None:
    async with run_stage() as stage:
        media = await stage.adapter.upload("海报.png", PNG)
        card = replace(CARD, image_url=media.url)
        fresh = FivegBot(config(stage.url), None)
        results = await stage.adapter.send(batch(1, 0, card)) + await fresh.send(batch(1, 1, card))
        assert [r.outcome for r in results] == [Outcome.ACCEPTED] * 2
        await fresh.close()


@pytest.mark.parametrize("settings", [{"keep_media_seconds": 0.0}, {}])
async def test_picture_that_the_platform_does_not_have(settings: dict[str, Any]) -> None:
    async with run_stage(**settings) as stage:
        media = await stage.adapter.upload("a.png", PNG, permanent=False)
        url = media.url if settings else f"{stage.url}/s/0"
        fresh = FivegBot(config(stage.url))
        [result] = await fresh.send(batch(1, 0, Card("标题", "", image_url=url)))
        expected = "40022" if settings else "40007"
        assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, Fault.REJECTED, expected)
        await fresh.close()


@pytest.mark.parametrize("data", [b"", b"GIF89a", PNG + bytes(2 * 1024 * 1024)])
async def test_unusable_picture(data: bytes) -> None:
    async with run_stage() as stage:
        with pytest.raises(GatewayError, match="图片"):
            await stage.adapter.upload("a.png", data)
