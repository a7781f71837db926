"""E-mail against the simulated relay, and against servers that misbehave in ways that a relay may."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import DeliveryState, InboundKind, Outcome
from channels.email_smtp import EmailSmtp
from channels.errors import Fault, GatewayError
from channels.gateways.base import Faults

from .clock import TIMEOUT, hasten, until
from .conformance import AdapterConformance, Bench, PushConformance
from .email_smtp import FATES, SECRET, batch_of, email_bench, greet, make_config, relay, scripted, sim_of
from .hooks import Hooks

bench = email_bench


class TestEmailSmtp(AdapterConformance):
    """The common suite: sending."""


class TestEmailSmtpReports(PushConformance):
    """The common suite: delivery reports, which this medium only sends when asked."""


# --- what a broken connection means


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("cut_at", "outcome", "fault"),
    [
        ("MAIL", Outcome.REFUSED, Fault.UNREACHABLE),
        ("DATA", Outcome.REFUSED, Fault.UNREACHABLE),
        ("body", Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN),
    ],
)
async def test_only_the_dot_makes_it_uncertain(
    pipelining: bool, cut_at: str, outcome: Outcome, fault: Fault
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, *(["PIPELINING"] if pipelining else []))
        for verb in ("MAIL", "RCPT", "DATA"):
            assert (await reader.readline()).startswith(verb.encode())
            if verb == cut_at:
                return
            writer.write(b"354 go\r\n" if verb == "DATA" else b"250 ok\r\n")
        await reader.read(20)

    async with scripted(script) as where:
        adapter = EmailSmtp(make_config(where, connections=1))
        [result] = await adapter.send(batch_of(1))
        assert (result.outcome, result.fault) == (outcome, fault)


async def test_the_next_mail_is_not_lost_with_the_one_before() -> None:
    conversations = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal conversations
        conversations += 1
        first = conversations == 1
        await greet(reader, writer, "PIPELINING")
        while True:
            for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                await reader.readuntil(b"\r\n")
                writer.write(reply)
            await reader.readuntil(b"\r\n.\r\n")
            if first:
                return
            writer.write(b"250 ok\r\n")

    async with scripted(script) as where:
        adapter = EmailSmtp(make_config(where, connections=1))
        results = await adapter.send(batch_of(4))
        assert [r.outcome for r in results] == [Outcome.UNKNOWN] + [Outcome.ACCEPTED] * 3
        assert conversations == 2
        await adapter.close()


async def test_a_server_that_always_breaks_is_left_alone() -> None:
    conversations = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal conversations
        conversations += 1
        await greet(reader, writer, "PIPELINING")
        await reader.readline()

    async with scripted(script) as where:
        adapter = EmailSmtp(make_config(where, connections=1))
        results = await adapter.send(batch_of(50))
        assert {(r.outcome, r.fault) for r in results} == {(Outcome.REFUSED, Fault.UNREACHABLE)}
        assert conversations == 3


async def test_an_idle_connection_that_the_server_closed_is_no_failure(bench: Bench) -> None:
    assert [r.outcome for r in await bench.adapter.send([bench.one(0)])] == [Outcome.ACCEPTED]
    for session in list(sim_of(bench).sessions):
        session.abort()
    # No turn of the loop in between: the adapter has not noticed yet.
    assert [r.outcome for r in await bench.adapter.send([bench.one(1)])] == [Outcome.ACCEPTED]


@pytest.mark.parametrize("answer", [b"hello?\r\n", b"999 what\r\n", b"250", b"250-a\r\n" * 300, b"x" * 9000])
async def test_an_unreadable_answer_to_the_dot_is_unknown(answer: bytes) -> None:
    answered = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, "PIPELINING")
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(answer)
        answered.set()
        await reader.read()

    async with scripted(script) as where:
        sending = asyncio.create_task(EmailSmtp(make_config(where)).send(batch_of(1)))
        await answered.wait()
        [result] = await hasten(sending, TIMEOUT + 1)
        assert (result.outcome, result.fault) == (Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN)


async def test_a_server_that_wants_the_content_of_a_refused_recipient() -> None:
    contents = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, "PIPELINING")
        for rcpt, end, dot in ((b"550 5.1.1 no", b".\r\n", b"554 no"), (b"250 ok", b"\r\n.\r\n", b"250 ok")):
            await reader.readuntil(b"DATA\r\n")
            writer.write(b"250 ok\r\n" + rcpt + b"\r\n354 go\r\n")
            contents.append(await reader.readuntil(end))
            writer.write(dot + b"\r\n")
        await reader.read()

    async with scripted(script) as where:
        adapter = EmailSmtp(make_config(where, connections=1))
        results = await adapter.send(batch_of(2))
        assert [r.fault for r in results] == [Fault.INVALID_ADDRESS, None]
        assert contents[0] == b".\r\n"
        await adapter.close()


async def test_throttled_by_the_server_as_a_whole() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 4.3.2 too busy\r\n")

    async with scripted(script) as where:
        results = await EmailSmtp(make_config(where)).send(batch_of(30))
        assert {(r.outcome, r.fault, r.code) for r in results} == {
            (Outcome.REFUSED, Fault.THROTTLED, "421 4.3.2")
        }


# --- the ordinary course


@pytest.mark.parametrize("pipelining", [True, False])
async def test_many_over_few_connections(pipelining: bool) -> None:
    async with relay(pipelining=pipelining) as (simulator, where):
        adapter = EmailSmtp(make_config(where, messages_per_connection=30))
        batch = batch_of(200)
        results = await adapter.send(batch)
        assert {r.outcome for r in results} == {Outcome.ACCEPTED}
        assert sorted(e.key for e in simulator.books.entries) == sorted(m.key for m in batch)
        assert {r.ref for r in results} == {e.ref for e in simulator.books.entries}
        assert len(simulator.sessions) <= 4
        await adapter.close()


async def test_parallel_batches_share_the_connections() -> None:
    async with relay() as (simulator, where):
        adapter = EmailSmtp(make_config(where, connections=2))
        batch = batch_of(120)
        done = await asyncio.gather(*(adapter.send(batch[at : at + 30]) for at in range(0, 120, 30)))
        assert {r.outcome for results in done for r in results} == {Outcome.ACCEPTED}
        assert len(simulator.books.entries) == 120
        assert len(simulator.sessions) <= 2
        await adapter.close()


async def test_books_agree_under_faults() -> None:
    faults = Faults(drop_before=0.03, drop_after=0.03, error_after=0.02, throttle=0.02, reject=0.05, seed=4)
    async with relay(faults=faults) as (simulator, where):
        adapter = EmailSmtp(make_config(where))
        batch = batch_of(600)
        results = await adapter.send(batch)
        booked = {entry.key for entry in simulator.books.entries}
        assert len(booked) == len(simulator.books.entries), "nothing may be sent twice"
        by_outcome = {o: {r.key for r in results if r.outcome is o} for o in Outcome}
        assert by_outcome[Outcome.ACCEPTED] <= booked
        assert not by_outcome[Outcome.REFUSED] & booked
        assert 20 < len(by_outcome[Outcome.UNKNOWN]) < 100
        assert by_outcome[Outcome.UNKNOWN] & booked
        assert by_outcome[Outcome.UNKNOWN] - booked
        await adapter.close()


async def test_greylisting_is_deferred() -> None:
    async with relay(greylist=True) as (_, where):
        adapter = EmailSmtp(make_config(where))
        [first], [second] = [await adapter.send(batch_of(1)) for _ in range(2)]
        assert (first.fault, first.code) == (Fault.DEFERRED, "450 4.2.0")
        assert second.outcome is Outcome.ACCEPTED
        await adapter.close()


@pytest.mark.parametrize(
    ("change", "fault", "code"),
    [
        ({"address": "nobody"}, Fault.INVALID_ADDRESS, "address"),
        ({"address": "a@b@example.com"}, Fault.INVALID_ADDRESS, "address"),
        ({"address": "a@example.com>\r\nRCPT TO:<b@example.com"}, Fault.INVALID_ADDRESS, "address"),
        ({"address": "a@example.com\r\nBcc: b@example.com"}, Fault.INVALID_ADDRESS, "address"),
        ({"key": "a\r\nBcc: b@c.de"}, Fault.REJECTED, "key"),
        ({"unsubscribe_url": "https://e.cn/>\r\nX: 1"}, Fault.REJECTED, "unsubscribe_url"),
        ({"unsubscribe_url": "javascript:alert(1)"}, Fault.REJECTED, "unsubscribe_url"),
        ({"text": "长" * 8000}, Fault.REJECTED, "size"),
    ],
)
async def test_refused_before_it_leaves(change: dict[str, Any], fault: Fault, code: str) -> None:
    async with relay(size=20_000) as (simulator, where):
        adapter = EmailSmtp(make_config(where))
        good, bad = batch_of(2)
        results = await adapter.send([replace(bad, **change), good])
        assert [(r.fault, r.code) for r in results] == [(fault, code), (None, "")]
        assert len(simulator.books.entries) == 1
        await adapter.close()


async def test_international_addresses() -> None:
    async with relay() as (simulator, where):
        adapter = EmailSmtp(make_config(where))
        addresses = ["张三@例子.中国", "a@例子.中国"]
        batch = [replace(m, address=a) for m, a in zip(batch_of(2), addresses, strict=True)]
        results = await adapter.send(batch)
        assert {r.outcome for r in results} == {Outcome.ACCEPTED}
        booked = {e.address for e in simulator.books.entries}
        assert booked == {"张三@xn--fsqu00a.xn--fiqs8s", "a@xn--fsqu00a.xn--fiqs8s"}
        simulator.hello.remove("SMTPUTF8")
        await adapter.close()
        [result] = await adapter.send(batch[:1])
        assert (result.fault, result.code) == (Fault.UNSUPPORTED, "smtputf8")
        await adapter.close()


async def test_one_click_unsubscription_reaches_the_link(bench: Bench) -> None:
    base = sim_of(bench).report_url.partition("/hooks")[0]
    message = replace(bench.one(0), unsubscribe_url=f"{base}/u/abc")
    await bench.adapter.send([message])
    bench.simulator.uplink({"address": message.address})
    await bench.hooks.until(lambda: any(r.path == "/u/abc" for r in bench.hooks.requests))
    request = next(r for r in bench.hooks.requests if r.path == "/u/abc")
    assert (request.method, request.body) == ("POST", b"List-Unsubscribe=One-Click")


async def test_complaint_names_message_and_person(bench: Bench) -> None:
    message = bench.doomed("silent")
    await bench.adapter.send([message])
    bench.simulator.uplink({"address": message.address, "kind": "complaint"})
    bench.simulator.uplink({"address": message.address, "kind": "absence"})
    await bench.hooks.until(lambda: len(bench.hooks.requests) == 2)
    [complaint] = bench.hooks.inbound
    assert (complaint.kind, complaint.key) == (InboundKind.COMPLAINT, message.key)
    assert (complaint.address, complaint.text) == (message.address, "abuse")
    assert message.address not in complaint.provider_id
    assert not bench.hooks.receipts
    assert not bench.hooks.rejected


async def test_silence_is_success_unless_receipts_are_asked_for() -> None:
    hooks = Hooks()
    base = await hooks.start()
    async with relay(report_url=f"{base}/hooks/7/{SECRET}") as (simulator, where):
        hooks.adapter = adapter = EmailSmtp(make_config(where))
        good, bad = batch_of(2)
        await adapter.send([good, replace(bad, address=f"x.1380000{FATES['fail']}@example.com")])
        await hooks.until(lambda: bool(hooks.receipts))
        # Longer than a report of the other mail would take.
        await asyncio.sleep(0.1)
        [receipt] = hooks.receipts
        assert (receipt.state, receipt.key, receipt.code) == (DeliveryState.FAILED, bad.key, "5.1.1")
        assert simulator.books.totals() == {"accepted": 2, "delivered": 1, "failed": 1, "read": 0}
        await adapter.close()
    await hooks.stop()


# --- time


async def test_a_slow_relay_holds_a_batch_no_longer_than_promised() -> None:
    mails = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal mails
        await greet(reader, writer, "PIPELINING")
        while True:
            await reader.readuntil(b"DATA\r\n")
            writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            mails += 1
            await asyncio.sleep(TIMEOUT / 5)
            writer.write(b"250 ok\r\n")

    async with scripted(script) as where:
        adapter = EmailSmtp(make_config(where, connections=2))
        sending = asyncio.create_task(adapter.send(batch_of(60)))
        await until(lambda: mails == 2)
        results = await hasten(sending, TIMEOUT)
        told = {(r.outcome, r.fault) for r in results}
        assert told == {(Outcome.ACCEPTED, None), (Outcome.REFUSED, Fault.DEFERRED)}
        assert 4 <= sum(r.outcome is Outcome.ACCEPTED for r in results) <= 8
        await adapter.close()


@pytest.mark.parametrize("silent_from", ["greeting", "envelope", "dot"])
async def test_a_silent_relay_holds_a_batch_no_longer_than_promised(silent_from: str) -> None:
    silent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal silent
        if silent_from != "greeting":
            await greet(reader, writer, "PIPELINING")
            await reader.readuntil(b"DATA\r\n")
        if silent_from == "dot":
            writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
            await reader.readuntil(b"\r\n.\r\n")
        silent += 1
        await reader.read()

    async with scripted(script) as where:
        adapter = EmailSmtp(make_config(where, connections=2))
        sending = asyncio.create_task(adapter.send(batch_of(60)))
        await until(lambda: silent == 2)
        results = await hasten(sending, 1.5 * TIMEOUT)
        unknowns = sum(r.outcome is Outcome.UNKNOWN for r in results)
        assert unknowns == (2 if silent_from == "dot" else 0)
        assert all(r.fault and (r.fault.retryable or r.outcome is Outcome.UNKNOWN) for r in results)


async def test_a_batch_that_gets_no_connection_is_deferred() -> None:
    async with relay() as (_, where):
        adapter = EmailSmtp(make_config(where, connections=1))
        held = await adapter._pool.acquire()
        assert held is not None
        results = await hasten(asyncio.create_task(adapter.send(batch_of(3))), TIMEOUT / 2)
        assert {(r.outcome, r.fault) for r in results} == {(Outcome.REFUSED, Fault.DEFERRED)}
        adapter._pool.release(held)
        assert {r.outcome for r in await adapter.send(batch_of(3))} == {Outcome.ACCEPTED}
        await adapter.close()


# --- the account


async def test_no_relay_speaks_no_smtp() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with scripted(script) as where:
        with pytest.raises(GatewayError, match="中断") as caught:
            await EmailSmtp(make_config(where)).check()
        assert caught.value.fault is Fault.UNREACHABLE


async def test_tls_that_the_server_does_not_offer() -> None:
    async with relay() as (_, where):
        with pytest.raises(GatewayError, match="STARTTLS") as caught:
            await EmailSmtp(make_config(where, tls="starttls")).check()
        assert caught.value.fault is Fault.MISCONFIGURED


async def test_words_before_the_handshake_are_not_believed() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, "STARTTLS")
        await reader.readline()
        writer.write(b"220 go\r\n250 injected\r\n")
        await reader.read()

    async with scripted(script) as where:
        with pytest.raises(GatewayError, match="before the TLS handshake"):
            await EmailSmtp(make_config(where, tls="starttls")).check()


def test_configuration_is_checked() -> None:
    with pytest.raises(ValidationError, match="不加密"):
        make_config("relay.example.cn:25", username="a", password="b")
    with pytest.raises(ValidationError, match="发件地址"):
        make_config("127.0.0.1:25", from_address="a@b.cn\r\nBcc: c@d.cn")
    with pytest.raises(ValidationError, match="根证书"):
        make_config("127.0.0.1:25", ca_file="missing.pem")
    with pytest.raises(ValidationError):
        make_config("127.0.0.1:25", envelope_domain="a b")
    assert SECRET not in repr(make_config("127.0.0.1:25"))
