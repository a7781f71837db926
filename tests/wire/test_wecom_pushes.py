"""Callbacks of WeCom: samples, the question whether the address is ours, hostile pushes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import InboundKind, WebhookRequest
from channels.errors import WebhookRejected
from channels.gateways.wechat_official.pushes import encrypt, sign
from channels.wechat_official.pushes import read_xml
from channels.wecom import Wecom
from channels.wecom.pushes import read_push

from .conformance import Bench, message_key
from .hostile import fuzz_pushes
from .wecom import ACCOUNT, SAMPLES, forge, make_config, sim_of, wecom_bench

bench = wecom_bench


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.xml")), ids=lambda path: path.stem)
def test_samples(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    parsed = read_push(read_xml(path.read_bytes()))
    inbound = [[i.kind, i.address, i.text, i.key, i.at and i.at.isoformat()] for i in parsed.inbound]
    assert {"inbound": inbound} == expected
    assert not parsed.receipts
    assert (parsed.reply.status, parsed.reply.body) == (200, b"")


async def test_a_text_and_a_pressed_button_come_in(bench: Bench) -> None:
    simulator, key = sim_of(bench), message_key(3)
    simulator.uplink({"address": "Staff.1", "text": "退订]]>&<b>"})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 1)
    simulator.uplink({"address": "Staff.2", "kind": "card", "key": "join", "task_id": key})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 2)
    text, pressed = bench.hooks.inbound
    assert (text.kind, text.address, text.text, text.key) == (InboundKind.TEXT, "Staff.1", "退订]]>&<b>", "")
    assert (pressed.kind, pressed.text, pressed.key) == (InboundKind.SUGGESTION, "join", key)
    assert text.provider_id != pressed.provider_id
    assert "Staff" not in text.provider_id
    assert not bench.hooks.rejected


async def test_repeated_until_it_is_durable(bench: Bench) -> None:
    bench.hooks.refuse = 2
    sim_of(bench).uplink({"address": "Staff.1", "text": "您好"})
    await bench.hooks.until(lambda: bool(bench.hooks.inbound))
    assert len(bench.hooks.requests) == 3
    ids = {bench.adapter.parse(request).inbound[0].provider_id for request in bench.hooks.requests}
    assert len(ids) == 1


async def test_the_address_proves_itself(bench: Bench) -> None:
    assert await sim_of(bench).pusher.introduce("5927782489442352469")


def question(echo: str, **changes: str) -> WebhookRequest:
    sealed = encrypt(ACCOUNT.encoding_aes_key, ACCOUNT.corp_id, echo)
    signature = sign(ACCOUNT.callback_token, "1714037059", "486452656", sealed)
    query = {"msg_signature": signature, "timestamp": "1714037059", "nonce": "486452656", "echostr": sealed}
    return WebhookRequest("GET", "/hooks/7", {**query, **changes}, {}, b"")


def test_an_echo_is_never_a_page() -> None:
    adapter = Wecom(make_config("http://127.0.0.1:9"))
    request = question("<script>")
    adapter.verify(request)
    reply = adapter.parse(request).reply
    assert reply.body == b"<script>"
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "wrong",
    [
        {"msg_signature": "0" * 40},
        {"nonce": "1"},
        {"echostr": "x"},
        {"echostr": ""},
        {"msg_signature": "é\ud800"},
    ],
    ids=["signature", "nonce", "echo", "no echo", "not text"],
)
def test_a_wrong_question_is_rejected(wrong: dict[str, str]) -> None:
    with pytest.raises(WebhookRejected):
        Wecom(make_config("http://127.0.0.1:9")).verify(question("1", **wrong))


async def test_hostile_and_forged_pushes(bench: Bench) -> None:
    sim_of(bench).uplink({"address": "Staff.1", "text": "您好"})
    await bench.hooks.until(lambda: bool(bench.hooks.inbound))
    genuine = bench.hooks.requests[-1]
    bench.adapter.verify(genuine)
    for wrong in (forge(genuine), replace(genuine, body=b"<xml><MsgType>text</MsgType></xml>")):
        with pytest.raises(WebhookRejected):
            bench.adapter.verify(wrong)
    fuzz_pushes(bench.adapter, genuine)
    fuzz_pushes(bench.adapter, question("1"))


NAMES = ["MsgType", "Event", "EventKey", "TaskId", "FromUserName", "CreateTime", "Content"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_no_content_breaks_the_reader(fields: dict[str, str]) -> None:
    for kind in ({"MsgType": "event", "Event": "template_card_event"}, {"MsgType": "text"}, {}):
        try:
            parsed = read_push({**fields, **kind})
        except WebhookRejected:
            continue
        assert all(len(inbound.key) <= 16 for inbound in parsed.inbound)


@pytest.mark.parametrize(
    ("task", "key"), [("a" * 17, ""), ("任务", ""), ("a_b", ""), ("0000000003v5800", "0000000003v5800")]
)
def test_only_a_key_of_ours_names_a_message(task: str, key: str) -> None:
    fields = {"MsgType": "event", "Event": "template_card_event", "TaskId": task, "EventKey": "join"}
    [inbound] = read_push({**fields, "FromUserName": "one", "CreateTime": "1714037059"}).inbound
    assert (inbound.text, inbound.key) == ("join", key)
