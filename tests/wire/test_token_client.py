"""The client that WeChat, WeCom and DingTalk share, against servers that misbehave."""

import asyncio
from collections.abc import Callable

import pytest

from channels.base import Outbound, Outcome
from channels.errors import Fault, GatewayError
from channels.gateways.wecom import WecomSimulator
from channels.tokens import LocalTokens
from channels.wecom import Wecom

from .clock import TIMEOUT, hasten, until
from .conformance import message_key
from .wecom import make_config

TOKEN = '{"errcode":0,"errmsg":"ok","access_token":"T","expires_in":7200}'


def respond(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body.encode())}\r\n\r\n{body}".encode()


async def start_server(answer: Callable[[bytes], bytes]) -> tuple[asyncio.Server, str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.read(65536)):
            writer.write(answer(head))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def make_batch(size: int) -> list[Outbound]:
    return [Outbound(message_key(n), f"Staff.{n:06d}", "提醒") for n in range(size)]


@pytest.mark.parametrize("has_token", [True, False])
async def test_a_silent_platform_holds_a_batch_no_longer_than_promised(has_token: bool) -> None:
    asked: list[bytes] = []

    def answer(head: bytes) -> bytes:
        if has_token and b"gettoken" in head:
            return respond("200 OK", TOKEN)
        asked.append(head)
        return b""

    server, url = await start_server(answer)
    adapter = Wecom(make_config(url, concurrency=4))
    sending = asyncio.create_task(adapter.send(make_batch(100)))
    await until(lambda: len(asked) == (4 if has_token else 1))
    results = await hasten(sending, 1.5 * TIMEOUT)
    told = [(r.outcome, r.fault) for r in results]
    begun = (Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN) if has_token else (Outcome.REFUSED, Fault.UNREACHABLE)
    assert set(told) == {begun, (Outcome.REFUSED, Fault.DEFERRED)}
    assert told.count(begun) == 4
    await adapter.close()
    server.close()


async def test_an_answer_that_is_not_the_platforms_is_unknown() -> None:
    answers = [respond("200 OK", "<a/>"), respond("503 No", ""), respond("200 OK", '{"status":"up"}')]
    server, url = await start_server(
        lambda head: respond("200 OK", TOKEN) if b"gettoken" in head else answers.pop(0)
    )
    adapter = Wecom(make_config(url, concurrency=1))
    results = await adapter.send(make_batch(3))
    assert {r.outcome for r in results} == {Outcome.UNKNOWN}
    assert [r.code for r in results] == ["not json", "http 503", "no errcode"]
    await adapter.close()
    server.close()


@pytest.mark.parametrize("body", ['{"errcode":0}', '{"errcode":0,"access_token":"T"}', "[]", "<a/>"])
async def test_a_token_that_is_none_is_told(body: str) -> None:
    server, url = await start_server(lambda head: respond("200 OK", body))
    adapter = Wecom(make_config(url))
    with pytest.raises(GatewayError) as caught:
        await adapter.open()
    assert caught.value.fault is Fault.UNREACHABLE
    await adapter.close()
    server.close()


async def test_an_old_token_outlives_an_outage_of_the_desk() -> None:
    simulator = WecomSimulator()
    adapter = Wecom(make_config(await simulator.start()))
    client = adapter._client
    token = await client.token()
    await simulator.stop()
    client._tokens = LocalTokens()
    client._renew_at = 0.0
    assert await client.token() == token
    client._renew_at = client._ends_at = 0.0
    with pytest.raises(GatewayError):
        await client.token()
    await adapter.close()


async def test_a_stored_token_of_another_secret_is_not_taken() -> None:
    simulator, store = WecomSimulator(), LocalTokens()
    url = await simulator.start()
    good, bad = Wecom(make_config(url), store), Wecom(make_config(url, corp_secret="wrong"), store)
    await good.open()
    with pytest.raises(GatewayError):
        await bad.open()
    assert not any("wrong" in name or "simulated-secret" in name for name in store._saved)
    for adapter in (good, bad):
        await adapter.close()
    await simulator.stop()
