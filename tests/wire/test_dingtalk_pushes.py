"""Events of DingTalk: acknowledged with the encrypted word, hostile ones rejected."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import WebhookReply, WebhookRequest
from channels.dingtalk import Dingtalk
from channels.dingtalk.pushes import read_envelope, read_event
from channels.errors import WebhookRejected
from channels.gateways.wechat_official.pushes import encrypt, sign
from channels.http import Response

from .conformance import Bench
from .dingtalk import ACCOUNT, dingtalk_bench, forge, make_config, sim_of
from .hostile import fuzz_pushes

bench = dingtalk_bench


def push(content: str, owner: str = ACCOUNT.app_key, **changes: str) -> WebhookRequest:
    sealed = encrypt(ACCOUNT.encoding_aes_key, owner, content)
    signature = sign(ACCOUNT.callback_token, "1714037059000", "nonce", sealed)
    query = {"msg_signature": signature, "timestamp": "1714037059000", "nonce": "nonce", **changes}
    return WebhookRequest("POST", "/hooks/7", query, {}, orjson.dumps({"encrypt": sealed}))


def response(reply: WebhookReply) -> Response:
    return Response(reply.status, reply.headers, reply.body)


async def test_the_platform_takes_our_word(bench: Bench) -> None:
    pusher = sim_of(bench).pusher
    assert await pusher.deliver({"EventType": "check_url"})
    [request] = bench.hooks.requests
    reply = bench.adapter.parse(request).reply
    assert pusher.is_acknowledged(response(reply))
    assert reply == bench.adapter.parse(request).reply
    assert not pusher.is_acknowledged(response(replace(reply, body=reply.body.replace(b"nonce", b"once"))))


async def test_repeated_until_it_is_acknowledged(bench: Bench) -> None:
    bench.hooks.refuse = 2
    assert await sim_of(bench).pusher.deliver({"EventType": "user_leave_org", "UserId": ["one"]})
    assert len(bench.hooks.requests) == 3
    assert not bench.hooks.inbound


def test_either_name_of_the_signature_and_either_owner() -> None:
    request = push('{"EventType":"check_url"}')
    renamed = {("signature" if n == "msg_signature" else n): v for n, v in request.query.items()}
    adapter = Dingtalk(make_config("http://127.0.0.1:9"))
    adapter.verify(request)
    adapter.verify(replace(request, query=renamed))
    older = push('{"EventType":"check_url"}', "dingcorp1")
    with pytest.raises(WebhookRejected, match="not for this account"):
        adapter.parse(older)
    Dingtalk(make_config("http://127.0.0.1:9", callback_id="dingcorp1")).parse(older)


@pytest.mark.parametrize(
    "wrong", [{"msg_signature": "0" * 40}, {"nonce": "1"}, {"timestamp": "\ud800"}, {"msg_signature": ""}]
)
def test_a_wrong_signature_is_rejected(wrong: dict[str, str]) -> None:
    with pytest.raises(WebhookRejected):
        Dingtalk(make_config("http://127.0.0.1:9")).verify(push('{"EventType":"x"}', **wrong))


async def test_hostile_and_forged_pushes(bench: Bench) -> None:
    await sim_of(bench).pusher.deliver({"EventType": "check_url"})
    genuine = bench.hooks.requests[-1]
    bench.adapter.verify(genuine)
    with pytest.raises(WebhookRejected):
        bench.adapter.verify(forge(genuine))
    with pytest.raises(WebhookRejected):
        bench.adapter.parse(replace(genuine, query={**genuine.query, "nonce": "\ud800"}))
    fuzz_pushes(bench.adapter, genuine)


@given(st.binary(max_size=100))
def test_no_bytes_break_the_readers(body: bytes) -> None:
    for read in (read_envelope, read_event):
        with pytest.raises(WebhookRejected):
            read(body)


@pytest.mark.parametrize("content", ["[]", '{"EventType":7}', "x", '{"a":"' + "a" * 70_000 + '"}'])
def test_hostile_events(content: str) -> None:
    with pytest.raises(WebhookRejected):
        Dingtalk(make_config("http://127.0.0.1:9")).parse(push(content))
