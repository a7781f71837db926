"""Callbacks of the official account: the sheet's vectors, samples, hostile XML, followers."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import DeliveryState, InboundKind, Outcome, WebhookRequest
from channels.errors import Fault, WebhookRejected
from channels.gateways.wechat_official.pushes import encrypt
from channels.wechat_official import WechatOfficial
from channels.wechat_official.crypto import decrypt, is_signed, read_key, sign
from channels.wechat_official.pushes import read_push, read_xml

from .conformance import Bench
from .wechat_official import AES_KEY, SAMPLES, make_config, sim_of, wechat_bench

bench = wechat_bench

# --- vectors of the protocol sheet


def test_signature_vector() -> None:
    assert sign("AAAAA", "1714037059", "486452656") == "899cf89e464efb63f54ddac96b0a0a235f53aa78"


def test_encryption_vector() -> None:
    sample = json.loads((SAMPLES / "safe_mode_vector.json").read_text("utf-8"))
    key = read_key(sample["encoding_aes_key"])
    assert key.hex() == sample["key"]
    assert decrypt(key, sample["app_id"], sample["encrypt"]) == sample["message"].encode()
    assert is_signed(sample["msg_signature"], *sample["signed"], sample["encrypt"])
    account = sample["encoding_aes_key"], sample["app_id"]
    assert encrypt(*account, sample["message"], sample["random"].encode()) == sample["encrypt"]


def test_vector_for_another_account_is_rejected() -> None:
    sample = json.loads((SAMPLES / "safe_mode_vector.json").read_text("utf-8"))
    with pytest.raises(WebhookRejected, match="not for this account"):
        decrypt(read_key(sample["encoding_aes_key"]), "wxOTHER", sample["encrypt"])


@given(st.binary(max_size=200))
def test_no_cipher_text_breaks_the_reader(noise: bytes) -> None:
    with pytest.raises(WebhookRejected):
        decrypt(read_key(AES_KEY), "wxTESTAPPID00001", noise.decode("latin-1"))


# --- callbacks


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.xml")), ids=lambda path: path.stem)
def test_samples(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    parsed = read_push(read_xml(path.read_bytes()))
    receipts = [[r.state, r.ref, r.address, r.code, r.at and r.at.isoformat()] for r in parsed.receipts]
    inbound = [[i.kind, i.address, i.text, i.at and i.at.isoformat()] for i in parsed.inbound]
    assert {"receipts": receipts, "inbound": inbound} == expected
    assert parsed.reply.body == b"success"


def callback(adapter: WechatOfficial, **query: str) -> bytes:
    request = WebhookRequest("GET", "/hooks/7", query, {}, b"")
    adapter.verify(request)
    return adapter.parse(request).reply.body


async def test_the_address_proves_itself(bench: Bench) -> None:
    simulator = sim_of(bench)
    assert await simulator.pusher.introduce("5927782489442352469")
    stamp = {"timestamp": "1714037059", "nonce": "486452656"}
    adapter = WechatOfficial(make_config("http://127.0.0.1:9", callback_token="AAAAA"))
    signature = "899cf89e464efb63f54ddac96b0a0a235f53aa78"
    assert callback(adapter, signature=signature, echostr="<b>", **stamp) == b"<b>"
    wrongs: list[dict[str, str]] = [
        {"signature": "0" * 40},
        {"signature": signature, "nonce": "1"},
        {"signature": "é\ud800"},
        {},
    ]
    for wrong in wrongs:
        with pytest.raises(WebhookRejected):
            callback(adapter, **{**stamp, "echostr": "x", **wrong})


def test_an_echo_is_never_a_page() -> None:
    adapter = WechatOfficial(make_config("http://127.0.0.1:9"))
    request = WebhookRequest("GET", "/hooks/7", {"echostr": "<script>"}, {}, b"")
    headers = adapter.parse(request).reply.headers
    assert headers["content-type"].startswith("text/plain")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>',
        b'<!DOCTYPE x SYSTEM "file:///etc/hostname"><xml><Encrypt>x</Encrypt></xml>',
        b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
        b"<xml><Encrypt>" + b"a" * 70_000 + b"</Encrypt></xml>",
        b"<xml>" + b"".join(b"<a%d/>" % n for n in range(300)) + b"</xml>",
        b"<xml><Encrypt>",
        b"",
        b'{"Encrypt": "x"}',
    ],
    ids=["bomb", "external", "doubled", "long", "many", "cut", "empty", "json"],
)
def test_hostile_xml(body: bytes) -> None:
    with pytest.raises(WebhookRejected):
        read_xml(body)


NAMES = ["MsgType", "Event", "MsgID", "Status", "FromUserName", "CreateTime"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_no_content_breaks_the_reader(fields: dict[str, str]) -> None:
    for kind in ({"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH"}, {"MsgType": "text"}, {}):
        try:
            read_push({**fields, **kind})
        except WebhookRejected:
            continue


async def test_unsigned_content_is_rejected(bench: Bench) -> None:
    simulator = sim_of(bench)
    simulator.uplink({"address": "oTaxpayer_000001", "text": "1"})
    await bench.hooks.until(lambda: bool(bench.hooks.requests))
    genuine = bench.hooks.requests[0]
    plain = b"<xml><FromUserName>oTaxpayer_000001</FromUserName><MsgType>text</MsgType></xml>"
    with pytest.raises(WebhookRejected):
        bench.adapter.verify(replace(genuine, body=plain))


async def test_followers_come_and_go(bench: Bench) -> None:
    simulator, openid = sim_of(bench), bench.address(1)
    simulator.uplink({"address": openid, "kind": "unsubscribe"})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 1)
    [result] = await bench.adapter.send([bench.one(1)])
    assert (result.fault, result.code) == (Fault.OPTED_OUT, "43004")
    simulator.uplink({"address": openid, "kind": "subscribe", "scene": "bind-7"})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 2)
    [result] = await bench.adapter.send([bench.one(1)])
    assert result.outcome is Outcome.ACCEPTED
    left, came = bench.hooks.inbound
    assert (left.kind, came.kind, came.text) == (InboundKind.UNFOLLOW, InboundKind.FOLLOW, "bind-7")
    assert openid not in left.provider_id + came.provider_id
    assert left.provider_id != came.provider_id


async def test_three_tries_bear_one_id(bench: Bench) -> None:
    bench.hooks.refuse = 1
    sim_of(bench).uplink({"address": bench.address(3), "text": "您好"})
    await bench.hooks.until(lambda: bool(bench.hooks.inbound))
    first = bench.adapter.parse(bench.hooks.requests[0]).inbound
    assert first == tuple(bench.hooks.inbound)
    bench.hooks.refuse = 5
    sim_of(bench).uplink({"address": bench.address(3), "text": "在吗"})
    await bench.hooks.until(lambda: len(bench.hooks.requests) == 5)
    await asyncio.sleep(0.1)
    assert (len(bench.hooks.requests), len(bench.hooks.inbound)) == (5, 1)


async def test_failure_names_its_reason(bench: Bench) -> None:
    await bench.adapter.send([bench.doomed("fail")])
    await bench.hooks.until(lambda: bool(bench.hooks.receipts))
    [receipt] = bench.hooks.receipts
    assert (receipt.state, receipt.code) == (DeliveryState.FAILED, "failed:user block")
    assert receipt.ref == bench.simulator.books.entries[0].ref
