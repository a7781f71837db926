"""The CMPP connection at work: window, flow control, heart-beat, silence, breaks, uplinks."""

import asyncio
from datetime import UTC, datetime

import pytest

from channels.base import Inbound, Outcome, SendResult, WebhookReply, WebhookRequest
from channels.cmpp import Cmpp
from channels.cmpp.codec import LAYOUTS
from channels.cmpp.dialect import CmppDialect
from channels.errors import Fault, GatewayError
from channels.gateways.base import Faults
from channels.gateways.cmpp import Account, CmppSimulator
from channels.gateways.cmpp.session import Command, Session
from channels.lines.line import Peer
from channels.lines.pool import Pool

from .clock import TIMEOUT, hasten, leap, pass_until, settle, standing_still, until
from .cmpp import gateway, joined, magic, make_config, make_message, mobile
from .conformance import message_key

LONG = "尊敬的纳税人，您的汇算清缴申报期将于五月底结束。" * 6


def batch(count: int, text: str = "税务提醒"):
    return [make_message(message_key(n), mobile(n), text) for n in range(count)]


def outcomes(results: list[SendResult]) -> set[tuple[Outcome, Fault | None]]:
    return {(result.outcome, result.fault) for result in results}


ACCEPTED = {(Outcome.ACCEPTED, None)}


async def test_the_window_is_never_exceeded_and_always_filled() -> None:
    seen: list[int] = []

    class Watching(CmppSimulator):
        async def submit(self, session: Session, sequence: int, body: bytes) -> None:
            seen.append(session.waiting)
            await super().submit(session, sequence, body)

    async with joined(Watching(answer_delay=0.01)) as (_, adapter):
        assert outcomes(await adapter.send(batch(100))) == ACCEPTED
    assert max(seen) == 16


async def test_a_client_that_exceeds_the_window_is_told_so() -> None:
    async with joined(CmppSimulator(answer_delay=0.05), window=17) as (simulator, adapter):
        [session] = simulator.sessions
        with standing_still():
            sending = asyncio.create_task(adapter.send(batch(40)))
            while session.heard[Command.SUBMIT] < 17:
                await settle()
            # The others wait for the connection that rests, until their turn does not come any more.
            await leap(TIMEOUT / 2)
        results = await sending
    refused = [result for result in results if result.outcome is Outcome.REFUSED]
    assert len(refused) == 24
    told = {(result.fault, result.code): result.retry_after for result in refused}
    assert told.pop((Fault.THROTTLED, "8"))
    assert told.keys() <= {(Fault.THROTTLED, ""), (Fault.DEFERRED, "")}
    assert len(simulator.books.entries) == len(results) - len(refused)


async def test_flow_control_slows_the_connection_and_it_recovers() -> None:
    async with joined() as (_, adapter):
        began = asyncio.get_running_loop().time()
        [result] = await adapter.send([make_message("a", magic("throttle"), "一")])
        assert (result.fault, result.code) == (Fault.THROTTLED, "8")
        assert result.retry_after is not None
        assert outcomes(await adapter.send(batch(1))) == ACCEPTED
        # The rest of a second begins with the refusal, however late the second message comes.
        assert asyncio.get_running_loop().time() - began > 0.9


@pytest.mark.parametrize("version", ["2.0", "3.0"])
async def test_long_texts_arrive_whole_with_a_number_for_each_part(version: str) -> None:
    async with joined(CmppSimulator(trickle=True), version=version, connections=2) as (
        simulator,
        adapter,
    ):
        results = await adapter.send(batch(30, LONG))
    assert outcomes(results) == ACCEPTED
    entries = {entry.address: entry for entry in simulator.books.entries}
    for number, result in enumerate(results):
        entry = entries[mobile(number)]
        assert (entry.ref, entry.parts, LONG in entry.text) == (result.ref, 3, True)


async def test_a_text_that_is_half_out_is_completed_after_flow_control() -> None:
    class Choking(CmppSimulator):
        def _suffer_before(self, numbers: list[str]) -> None:
            if self.submits == 2:
                self.faults = Faults(throttle=1.0)
            super()._suffer_before(numbers)

        async def submit(self, session: Session, sequence: int, body: bytes) -> None:
            await super().submit(session, sequence, body)
            self.faults = Faults()

    async with joined(Choking()) as (simulator, adapter):
        results = await adapter.send(batch(1, LONG))
    assert outcomes(results) == ACCEPTED
    assert (simulator.submits, len(simulator.books.entries)) == (4, 1)


async def test_one_text_goes_to_many_numbers_at_once() -> None:
    numbers = [mobile(n) for n in range(250)] + [mobile(0)]
    messages = [make_message(message_key(n), number, LONG) for n, number in enumerate(numbers)]
    async with joined(numbers_per_submit=100) as (simulator, adapter):
        results = await adapter.send(messages)
    assert outcomes(results) == ACCEPTED
    assert simulator.submits == 3 * 3
    refs = {entry.ref: entry.address for entry in simulator.books.entries}
    assert [refs[result.ref] for result in results] == numbers


async def test_one_bad_number_of_many_costs_only_itself() -> None:
    messages = batch(9)
    messages[5] = make_message(message_key(5), magic("reject"), "税务提醒")
    async with joined(numbers_per_submit=100) as (simulator, adapter):
        results = await adapter.send(messages)
    assert [result.outcome is Outcome.ACCEPTED for result in results] == [n != 5 for n in range(9)]
    assert (results[5].fault, results[5].code) == (Fault.INVALID_ADDRESS, "13")
    assert len(simulator.books.entries) == 8


async def test_what_got_no_answer_is_unknown_and_never_repeated() -> None:
    async with joined(CmppSimulator(faults=Faults(slow_seconds=100 * TIMEOUT))) as (simulator, adapter):
        sending = asyncio.create_task(adapter.send([make_message("a", magic("slow"), "一"), *batch(3)]))
        await until(lambda: len(simulator.books.entries) == 4)
        results = await hasten(sending, 1.5 * TIMEOUT)
        assert results[0].outcome is Outcome.UNKNOWN
        assert outcomes(results[1:]) == ACCEPTED
        await leap(5 * TIMEOUT)
        assert simulator.submits == 4


async def test_a_break_leaves_what_was_out_unknown_and_the_rest_goes_on() -> None:
    async with joined() as (_, adapter):
        messages = [*batch(3), make_message("x", magic("drop_after"), "税务提醒")]
        assert (await adapter.send(messages))[3].outcome is Outcome.UNKNOWN
        assert outcomes(await adapter.send(batch(20))) == ACCEPTED


async def test_the_gateways_leave_is_answered_and_another_connection_opened() -> None:
    async with joined() as (simulator, adapter):
        first = set(simulator.sessions)
        simulator.order("terminate")
        await until(lambda: not simulator.sessions & first)
        assert outcomes(await adapter.send(batch(5))) == ACCEPTED


async def test_heart_beats_go_both_ways() -> None:
    async with joined(heartbeat=0.1) as (simulator, _):
        [session] = simulator.sessions
        simulator.order("active_test")
        await until(lambda: session.heard[Command.ACTIVE_TEST] >= 2 and session.heard[Command.ALIVE] == 1)


async def test_a_silent_gateway_is_left_and_tried_again() -> None:
    accepted: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await reader.readexactly(39)
        writer.write(bytes.fromhex("0000002180000001000000010000000000000000") + bytes(12) + b"\x30")
        # From now on it reads and says nothing: the other end of a line that is cut.
        await reader.read(-1)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    where = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    adapter = Cmpp(make_config(where, heartbeat=TIMEOUT))
    await adapter.open()
    adapter.listen(nobody)
    # A beat of silence, three questions that each get their patience of two time-outs, a look around.
    await pass_until(lambda: len(accepted) >= 2, 8 * TIMEOUT, 5.0)
    await hasten(asyncio.create_task(adapter.close()), TIMEOUT)
    server.close()


async def test_a_connection_that_nobody_listens_on_is_left_when_it_idles() -> None:
    async with gateway() as (simulator, where):
        host, _, port = where.partition(":")
        peer = Peer(host, int(port), 16, 0.1, TIMEOUT, idle=0.2)
        dialect = CmppDialect("900001", "888888", LAYOUTS["3.0"], False, lambda: datetime.now(UTC))
        pool = Pool(peer, dialect, 1, lambda line, frame: None, TIMEOUT)
        await pool.open()
        [session] = simulator.sessions
        await until(lambda: session.heard[Command.TERMINATE] == 1)
        await until(lambda: not simulator.sessions)
        pool.keep()
        await until(lambda: len(simulator.sessions) == 1)
        await asyncio.sleep(0.5)
        assert [session.heard[Command.TERMINATE] for session in simulator.sessions] == [0]
        await pool.close()


async def nobody(request: WebhookRequest) -> WebhookReply:
    return WebhookReply(503)


@pytest.mark.parametrize(
    ("account", "settings", "fault", "code"),
    [
        (Account(), {"sp_id": "900009"}, Fault.UNAUTHORIZED, "2"),
        (Account(), {"secret": "wrong"}, Fault.UNAUTHORIZED, "3"),
        (Account(highest=0x20), {"version": "3.0"}, Fault.MISCONFIGURED, "4"),
        (Account(connections=0), {}, Fault.MISCONFIGURED, "5"),
    ],
)
async def test_refused_connections_say_what_to_do(
    account: Account, settings: dict[str, str], fault: Fault, code: str
) -> None:
    async with gateway(account=account) as (_, where):
        with pytest.raises(GatewayError) as caught:
            await Cmpp(make_config(where, **settings)).check()
    assert (caught.value.fault, caught.value.code) == (fault, code)
    assert "网关" in caught.value.message


async def test_a_clock_that_is_far_off_is_refused() -> None:
    late = datetime(2026, 1, 1, tzinfo=UTC)
    async with gateway() as (_, where):
        with pytest.raises(GatewayError) as caught:
            await Cmpp(make_config(where), now=lambda: late).check()
    assert caught.value.fault is Fault.UNAUTHORIZED
    assert "本机时间" in caught.value.message


async def test_the_gateways_proof_is_checked_where_wanted() -> None:
    async with gateway() as (simulator, where):
        await Cmpp(make_config(where, verify_gateway=True)).check()
        simulator.account = Account(secret="other")
        with pytest.raises(GatewayError):
            await Cmpp(make_config(where, verify_gateway=True)).check()


async def test_the_days_totals_are_the_gateways_own() -> None:
    async with joined(connections=2) as (simulator, adapter):
        await adapter.send(batch(7))
        await until(lambda: simulator.reports_answered == 0 and len(simulator.books.entries) == 7)
        totals = await adapter.day_totals(datetime.now(UTC))
    assert (totals.messages, totals.users, totals.failed) == (7, 7, 0)


async def test_nothing_is_acknowledged_before_it_is_durable() -> None:
    taken: list[bytes] = []

    async def keep(request: WebhookRequest) -> WebhookReply:
        taken.append(request.body)
        if len(taken) < 3:
            raise OSError("the database is away")
        return adapter.parse(request).reply

    async with joined(CmppSimulator(answer_timeout=TIMEOUT)) as (simulator, adapter):
        adapter.listen(keep)
        await adapter.send(batch(1))
        for times in (1, 2):
            await until(lambda times=times: len(taken) == times)
            await leap(TIMEOUT)
        await until(lambda: simulator.reports_answered == 1)
        assert len(taken) == 3
        assert len(set(taken)) == 1


async def test_the_parts_of_a_long_reply_meet_from_two_connections() -> None:
    heard: list[Inbound] = []

    async def keep(request: WebhookRequest) -> WebhookReply:
        parsed = adapter.parse(request)
        heard.extend(parsed.inbound)
        return parsed.reply

    async with joined(connections=2) as (simulator, adapter):
        adapter.listen(keep)
        await until(lambda: sum(bool(session.version) for session in simulator.sessions) == 2)
        simulator.uplink({"address": mobile(1), "text": LONG})
        await until(lambda: bool(heard))
        await until(lambda: not any(session.unanswered for session in simulator.sessions))
    assert [inbound.text for inbound in heard] == [LONG]


async def test_a_reply_whose_end_never_comes_is_handed_on_in_time() -> None:
    heard: list[Inbound] = []

    async def keep(request: WebhookRequest) -> WebhookReply:
        parsed = adapter.parse(request)
        heard.extend(parsed.inbound)
        return parsed.reply

    class Forgetful(CmppSimulator):
        def send_later(self, delivery) -> None:
            if not delivery.fields["udhi"] or delivery.content(True)[5] == 1:
                super().send_later(delivery)

    async with joined(Forgetful()) as (simulator, adapter):
        adapter.listen(keep)
        simulator.uplink({"address": mobile(1), "text": "退订" + "。" * 100})
        await pass_until(lambda: bool(heard), TIMEOUT + 1)
    assert heard[0].text.startswith("退订")
