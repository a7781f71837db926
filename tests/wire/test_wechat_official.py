"""The official account against its simulator: sending and tokens."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import Outcome
from channels.errors import Fault, GatewayError
from channels.gateways.base import Faults
from channels.gateways.wechat_official import Account, WechatOfficialSimulator
from channels.token_client import Answer
from channels.wechat_official import WechatOfficial
from channels.wechat_official.answers import result_of

from .clock import LONGEST, TIMEOUT, hasten, until
from .conformance import AdapterConformance, Bench, PushConformance, message_key
from .wechat_official import make_config, make_message, sim_of, wechat_bench

bench = wechat_bench


class TestWechatOfficial(AdapterConformance):
    """The common suite: sending."""


class TestWechatOfficialPushes(PushConformance):
    """The common suite: receipts and uplinks."""


# --- tokens


async def test_one_token_for_all_who_wait() -> None:
    simulator = WechatOfficialSimulator()
    adapter = WechatOfficial(make_config(await simulator.start()))
    issued = await asyncio.gather(*(adapter._client.token() for _ in range(50)))
    assert len(set(issued)) == 1
    assert simulator.tokens.asked == 1
    await adapter.close()
    await simulator.stop()


@pytest.mark.parametrize("expire", [True, False], ids=["forgotten", "still handed out"])
async def test_a_stale_token_is_replaced_once(bench: Bench, expire: bool) -> None:
    simulator = sim_of(bench)
    await bench.adapter.send([bench.one(0)])
    if expire:
        simulator.tokens.expire()
    else:
        # The desk still believes in the token, so only a forced one helps.
        [token] = simulator.tokens._known.values()
        simulator.tokens._known.clear()
        assert simulator.tokens._stable is token
    results = await bench.adapter.send([bench.one(n) for n in range(1, 40)])
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    assert len(simulator.books.entries) == 40


async def test_a_token_that_stays_bad_is_not_asked_for_again_and_again(bench: Bench) -> None:
    simulator = sim_of(bench)
    await bench.adapter.send([bench.one(0)])
    for _ in range(2):
        simulator.tokens._known.clear()
        [result] = await bench.adapter.send([bench.one(1)])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, Fault.UNAUTHORIZED, "40001")


async def test_tokens_are_renewed_before_they_end() -> None:
    now = [1000.0]
    simulator = WechatOfficialSimulator(clock=lambda: now[0])
    desk = simulator.tokens
    first, seconds = desk.stable(force=False)
    assert seconds == 7200
    now[0] += 7200 - 301
    assert desk.stable(force=False)[0] == first
    now[0] += 2
    second, _ = desk.stable(force=False)
    assert second != first
    desk.judge(first)
    now[0] += 301
    desk.judge(second)
    with pytest.raises(Exception, match="expired"):
        desk.judge(first)


async def test_platform_says_the_secret_is_wrong(bench: Bench) -> None:
    assert bench.stranger is not None
    with pytest.raises(GatewayError, match="AppSecret") as caught:
        await bench.stranger.open()
    assert caught.value.code == "40125"


async def test_address_not_on_the_list() -> None:
    simulator = WechatOfficialSimulator(account=Account(allowed=frozenset({"192.0.2.1"})))
    adapter = WechatOfficial(make_config(await simulator.start()))
    with pytest.raises(GatewayError, match="白名单") as caught:
        await adapter.check()
    assert caught.value.fault is Fault.MISCONFIGURED
    await adapter.close()
    await simulator.stop()


# --- sending


async def test_key_is_forgotten_after_ten_minutes() -> None:
    now = [0.0]
    simulator = WechatOfficialSimulator(clock=lambda: now[0])
    adapter = WechatOfficial(make_config(await simulator.start()))
    message = make_message(message_key(0), "oTaxpayer_000001", "提醒")
    refs = []
    for wait in (0, 599, 2):
        now[0] += wait
        refs.append((await adapter.send([message]))[0].ref)
    assert refs[0] == refs[1] != refs[2]
    assert len(simulator.books.entries) == 2
    await adapter.close()
    await simulator.stop()


async def test_unknown_outcomes_may_be_sent_again() -> None:
    faults = Faults(drop_before=0.2, drop_after=0.2, error_after=0.1, seed=5)
    simulator = WechatOfficialSimulator(faults)
    adapter = WechatOfficial(make_config(await simulator.start()))
    batch = [make_message(message_key(n), f"oTaxpayer_{n:06d}", "提醒") for n in range(300)]
    left, rounds = batch, 0
    while left and rounds < 12:
        results = await adapter.send(left)
        assert rounds or any(r.outcome is Outcome.UNKNOWN for r in results)
        left = [m for m, r in zip(left, results, strict=True) if r.outcome is not Outcome.ACCEPTED]
        rounds += 1
    assert not left
    assert sorted(e.key for e in simulator.books.entries) == sorted(m.key for m in batch)
    await adapter.close()
    await simulator.stop()


@pytest.mark.parametrize(
    ("change", "fault", "code"),
    [
        ({"address": "13800138000"}, Fault.INVALID_ADDRESS, "40003"),
        ({"template": "unknown"}, Fault.REJECTED, "40037"),
        ({"template": ""}, Fault.REJECTED, "47003:template_id"),
        ({"params": {"thing1": "甲"}}, Fault.REJECTED, "47003:thing2"),
        ({"params": {"thing1": "", "thing2": "乙"}}, Fault.REJECTED, "47003:thing1"),
        ({"params": {"thing1": "甲", "thing2": "乙", "thing3": "丙"}}, Fault.REJECTED, "47003:thing3"),
        ({"params": {"first": "您好", "thing1": "甲", "thing2": "乙"}}, Fault.REJECTED, "47003:first"),
        ({"params": {"thing1": "\ud800", "thing2": "乙"}}, Fault.REJECTED, "47003:json"),
    ],
)
async def test_refusals_name_what_is_wrong(
    bench: Bench, change: dict[str, Any], fault: Fault, code: str
) -> None:
    [result] = await bench.adapter.send([replace(bench.one(0), **change)])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, fault, code)
    assert not bench.simulator.books.entries


async def test_overlong_things_are_cut(bench: Bench) -> None:
    params = {"thing1": "税" * 25, "thing2": "第一行\r\n第二行"}
    [result] = await bench.adapter.send([replace(bench.one(0), params=params)])
    assert result.outcome is Outcome.ACCEPTED
    assert bench.simulator.books.entries[0].text == "税" * 19 + "…" + "第一行 第二行"


@pytest.mark.parametrize("has_token", [True, False])
async def test_a_silent_platform_holds_a_batch_no_longer_than_promised(has_token: bool) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.read(65536)):
            if has_token and b"stable_token" in head:
                body = b'{"access_token":"T","expires_in":7200}'
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            else:
                asked.append(head)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    adapter = WechatOfficial(make_config(f"http://127.0.0.1:{port}", concurrency=4))
    batch = [make_message(message_key(n), f"oTaxpayer_{n:06d}", "提醒") for n in range(100)]
    sending = asyncio.create_task(adapter.send(batch))
    await until(lambda: len(asked) == (4 if has_token else 1))
    results = await hasten(sending, 1.5 * TIMEOUT)
    told = {(r.outcome, r.fault) for r in results}
    begun = (Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN) if has_token else (Outcome.REFUSED, Fault.UNREACHABLE)
    assert told == {begun, (Outcome.REFUSED, Fault.DEFERRED)}
    assert sum((r.outcome, r.fault) == begun for r in results) == 4
    await adapter.close()
    server.close()


async def test_daily_quota_waits_for_midnight() -> None:
    simulator = WechatOfficialSimulator(account=Account(daily_quota=2))
    adapter = WechatOfficial(make_config(await simulator.start()))
    batch = [make_message(message_key(n), f"oTaxpayer_{n:06d}", "提醒") for n in range(3)]
    results = await adapter.send(batch)
    [late] = [r for r in results if r.outcome is not Outcome.ACCEPTED]
    assert (late.fault, late.code) == (Fault.THROTTLED, "45009")
    assert late.retry_after is not None
    assert timedelta() < late.retry_after <= timedelta(days=1)
    await adapter.close()
    await simulator.stop()


def test_classification() -> None:
    now = datetime(2026, 2, 28, 15, 30, tzinfo=UTC)

    def told(errcode: int, errmsg: str = "") -> Any:
        return result_of("k", Answer(errcode, errmsg, {"errcode": errcode, "msgid": 7}), now)

    assert (told(0).outcome, told(0).ref) == (Outcome.ACCEPTED, "7")
    assert told(-1).outcome is Outcome.UNKNOWN
    assert told(99999).outcome is Outcome.UNKNOWN
    assert result_of("k", Answer(0, "", {"status": "up"}), now).outcome is Outcome.UNKNOWN
    assert told(45011).retry_after == timedelta(minutes=1)
    assert told(45009).retry_after == timedelta(minutes=30)
    assert told(47003, "argument invalid! data.thing2.value invalid rid: 1-2-3").code == "47003:thing2"
    assert told(47003, "argument invalid!").code == "47003"


async def test_an_answer_that_is_not_the_platforms_is_unknown() -> None:
    def respond(status: str, body: str) -> bytes:
        return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()

    answers = [respond("200 OK", "<a/>"), respond("503 No", "")]
    first = respond("200 OK", '{"access_token":"T","expires_in":7200}')

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.read(65536)):
            writer.write(first if b"stable_token" in head else answers.pop(0))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    adapter = WechatOfficial(make_config(f"http://127.0.0.1:{port}", concurrency=1))
    batch = [make_message(message_key(n), "oTaxpayer_000001", "提醒") for n in range(2)]
    results = await adapter.send(batch)
    assert [(r.outcome, r.code) for r in results] == [
        (Outcome.UNKNOWN, "not json"),
        (Outcome.UNKNOWN, "http 503"),
    ]
    await adapter.close()
    server.close()


def test_configuration_is_checked() -> None:
    with pytest.raises(ValidationError, match="43"):
        make_config("http://127.0.0.1:9", encoding_aes_key="short")
    with pytest.raises(ValidationError):
        make_config("ftp://127.0.0.1")
    assert "simulated-secret" not in repr(make_config("http://127.0.0.1:9"))


async def test_simulator_keeps_up() -> None:
    simulator = WechatOfficialSimulator(Faults(silent=1.0), Account(daily_quota=10**6))
    adapter = WechatOfficial(make_config(await simulator.start()))
    batch = [make_message(message_key(n), f"oTaxpayer_{n:06d}", "提醒") for n in range(2000)]
    began = time.process_time()
    await adapter.send(batch)
    assert len(simulator.books.entries) == 2000
    # No measure of speed, which is for the benches: what grows with the square of the number takes minutes.
    assert time.process_time() - began < LONGEST
    await adapter.close()
    await simulator.stop()
