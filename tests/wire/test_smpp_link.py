"""The SMPP connection at work: window, throttling, heart-beat, unbinding, long texts, uplinks."""

import asyncio
import struct

import pytest

from channels.base import Inbound, Outbound, Outcome, SendResult, WebhookReply, WebhookRequest
from channels.errors import Fault, GatewayError
from channels.gateways.smpp import Account, SmppSimulator
from channels.gateways.smpp.session import Session
from channels.gateways.smpp.wire import Command
from channels.smpp import Smpp

from .clock import TIMEOUT, leap, settle, standing_still, until
from .cmpp import magic, make_message, mobile
from .conformance import message_key
from .smpp import joined, make_config

LONG = "尊敬的纳税人，您的汇算清缴申报期将于五月底结束。" * 6
ACCEPTED = {(Outcome.ACCEPTED, None)}


def batch(count: int, text: str = "税务提醒") -> list[Outbound]:
    return [make_message(message_key(n), mobile(n), text) for n in range(count)]


def outcomes(results: list[SendResult]) -> set[tuple[Outcome, Fault | None]]:
    return {(result.outcome, result.fault) for result in results}


async def test_the_window_is_never_exceeded_and_always_filled() -> None:
    seen: list[int] = []

    class Watching(SmppSimulator):
        async def submit(self, session: Session, sequence: int, body: bytes) -> None:
            seen.append(session.waiting)
            await super().submit(session, sequence, body)

    async with joined(Watching(answer_delay=0.01)) as (_, adapter):
        assert outcomes(await adapter.send(batch(60))) == ACCEPTED
    assert max(seen) == 10


async def test_a_client_that_exceeds_the_window_is_told_so() -> None:
    simulator = SmppSimulator(answer_delay=0.05)
    async with joined(simulator, window=11) as (_, adapter):
        [session] = simulator.sessions
        with standing_still():
            sending = asyncio.create_task(adapter.send(batch(30)))
            while session.heard[Command.SUBMIT] < 11:
                await settle()
            # The others wait for the connection that rests, until their turn does not come any more.
            await leap(TIMEOUT / 2)
        results = await sending
    refused = [result for result in results if result.outcome is Outcome.REFUSED]
    assert len(refused) == 20
    told = {(result.fault, result.code): result.retry_after for result in refused}
    assert told.pop((Fault.THROTTLED, "0x14"))
    assert told.keys() <= {(Fault.THROTTLED, ""), (Fault.DEFERRED, "")}
    assert len(simulator.books.entries) == len(results) - len(refused)


async def test_throttling_slows_the_connection_and_it_recovers() -> None:
    async with joined() as (_, adapter):
        began = asyncio.get_running_loop().time()
        [result] = await adapter.send([make_message("a", magic("throttle"), "一")])
        assert (result.fault, result.code) == (Fault.THROTTLED, "0x58")
        assert result.retry_after is not None
        assert result.retry_after.total_seconds() >= 0.9
        assert outcomes(await adapter.send(batch(1))) == ACCEPTED
        # The rest of a second begins with the refusal, however late the second message comes.
        assert asyncio.get_running_loop().time() - began > 0.9


@pytest.mark.parametrize(
    ("settings", "text", "parts"),
    [
        ({}, LONG, 3),
        ({"long_texts": "payload"}, LONG, 1),
        ({"alphabet": "gsm7"}, "Tax {2025} [late] " * 20, 3),
        ({"alphabet": "gsm7", "country_code": False}, LONG, 3),
    ],
)
async def test_long_texts_arrive_whole(settings: dict[str, object], text: str, parts: int) -> None:
    messages = [Outbound(message_key(n), mobile(n), text) for n in range(20)]
    async with joined(SmppSimulator(trickle=True), connections=2, **settings) as (sim, adapter):
        results = await adapter.send(messages)
    assert outcomes(results) == ACCEPTED
    entries = {entry.address: entry for entry in sim.books.entries}
    for number, result in enumerate(results):
        entry = entries[mobile(number)]
        assert (entry.ref, entry.parts, entry.text) == (result.ref, parts, text)


async def test_the_centres_unbind_is_answered_and_another_connection_opened() -> None:
    async with joined() as (simulator, adapter):
        first = set(simulator.sessions)
        simulator.order("unbind")
        await until(lambda: not simulator.sessions & first)
        assert outcomes(await adapter.send(batch(5))) == ACCEPTED


async def test_heart_beats_go_both_ways() -> None:
    async with joined(heartbeat=0.1) as (simulator, _):
        [session] = simulator.sessions
        simulator.order("enquire")
        await until(lambda: session.heard[Command.ENQUIRE] >= 2 and session.heard[Command.ALIVE] == 1)


async def test_an_unknown_request_is_nacked_and_the_connection_lives_on() -> None:
    async with joined() as (simulator, adapter):
        [session] = simulator.sessions
        session.write(struct.pack(">IIII", 16, 0x103, 0, 5))
        await until(lambda: session.heard[Command.NACK] == 1)
        assert outcomes(await adapter.send(batch(1))) == ACCEPTED


async def test_leaving_is_by_unbind() -> None:
    async with joined() as (simulator, adapter):
        [session] = simulator.sessions
        await adapter.close()
        assert session.heard[Command.UNBIND] == 1


@pytest.mark.parametrize(
    ("account", "settings", "fault", "code"),
    [
        (Account(), {"system_id": "stranger"}, Fault.UNAUTHORIZED, "0x0F"),
        (Account(), {"password": "wrong"}, Fault.UNAUTHORIZED, "0x0E"),
        (Account(connections=0), {}, Fault.MISCONFIGURED, "0x0D"),
    ],
)
async def test_refused_binds_say_what_to_do(
    account: Account, settings: dict[str, str], fault: Fault, code: str
) -> None:
    simulator = SmppSimulator(account=account)
    where = await simulator.start()
    with pytest.raises(GatewayError) as caught:
        await Smpp(make_config(where, **settings)).check()
    await simulator.stop()
    assert (caught.value.fault, caught.value.code) == (fault, code)
    assert code in caught.value.message


async def test_nothing_is_acknowledged_before_it_is_durable() -> None:
    taken: list[bytes] = []

    async def keep(request: WebhookRequest) -> WebhookReply:
        taken.append(request.body)
        if len(taken) < 3:
            raise OSError("the database is away")
        return adapter.parse(request).reply

    async with joined(SmppSimulator(answer_timeout=TIMEOUT)) as (simulator, adapter):
        adapter.listen(keep)
        await adapter.send(batch(1))
        for times in (1, 2):
            await until(lambda times=times: len(taken) == times)
            await leap(TIMEOUT)
        await until(lambda: simulator.reports_answered == 1)
    assert len(taken) == 3


@pytest.mark.parametrize("coding", [0, 8])
async def test_the_parts_of_a_long_reply_meet(coding: int) -> None:
    heard: list[Inbound] = []

    async def keep(request: WebhookRequest) -> WebhookReply:
        parsed = adapter.parse(request)
        heard.extend(parsed.inbound)
        return parsed.reply

    text = LONG if coding else "How do I pay? " * 20
    async with joined(connections=2) as (simulator, adapter):
        adapter.listen(keep)
        await until(lambda: sum(bool(session.mode) for session in simulator.sessions) == 2)
        simulator.uplink({"address": mobile(1), "text": text, "coding": coding})
        await until(lambda: bool(heard))
    assert [inbound.text for inbound in heard] == [text]
