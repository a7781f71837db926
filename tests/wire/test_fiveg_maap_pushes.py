"""What the China Mobile platform pushes: reports, replies, forgeries; and the simulator started alone."""

import asyncio
import base64
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import orjson
import pytest

from channels.base import Channel, DeliveryState, Inbound, InboundKind, Receipt, WebhookReply, WebhookRequest
from channels.cards import pack_postback
from channels.errors import WebhookRejected
from channels.fiveg_maap import FivegMaap
from channels.fiveg_maap.keys import authorize, message_id
from channels.fiveg_maap.pushes import FILE_TYPE, RESPONSE_TYPE, SPAM_TYPE
from channels.http import Http
from outreach.rehearsal import run_alone

from .clock import LONGEST, TIMEOUT
from .fiveg_maap import ACCOUNT, KEY, NOW, SAMPLES, address, batch, config, offline, push

REF = message_id(KEY)
SPACE = 'xmlns:msg="urn:oma:xml:rest:netapi:messaging:1"'


def wrap(root: str, inner: str) -> bytes:
    return f"<msg:{root} {SPACE}>{inner}</msg:{root}>".encode()


def report(status: str, description: str = "", ref: str = REF, user: str = "tel:+8613800138000") -> bytes:
    told = f"<description>{description}</description>" if description else ""
    inner = f"<address>{user}</address><messageId>{ref}</messageId><deliveryStatus>{status}</deliveryStatus>"
    return wrap("deliveryInfoNotification", f"<deliveryInfo>{inner}{told}</deliveryInfo>")


def said(content_type: str, body: str, extra: str = "") -> bytes:
    inner = (
        "<senderAddress>sip:+8613800138000@bj.ims.mnc000.mcc460.3gppnetwork.org</senderAddress>"
        f"<messageId>m-9</messageId><contentType>{content_type}</contentType>"
        f"<bodyText><![CDATA[{body}]]></bodyText>{extra}"
    )
    return wrap("inboundMessageNotification", f"<inboundMessage>{inner}</inboundMessage>")


def test_golden_report() -> None:
    parsed = offline().parse(push("DeliveryInfoNotification", (SAMPLES / "delivered.xml").read_bytes()))
    assert parsed.receipts == (Receipt(DeliveryState.DELIVERED, KEY, REF, "13800138000"),)
    assert parsed.reply == WebhookReply(204)


def test_golden_inbound() -> None:
    parsed = offline().parse(push("InboundMessageNotification", (SAMPLES / "inbound.xml").read_bytes()))
    assert parsed.inbound == (Inbound(InboundKind.TEXT, "13800138000", "退订", KEY, None, "m-9"),)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (report("MessageSent"), (DeliveryState.ACCEPTED, "", None)),
        (report("DeliveredToTerminal", "SVC1000"), (DeliveryState.DELIVERED, "", None)),
        (report("MessageDisplayed"), (DeliveryState.READ, "", None)),
        (report("DeliveredToNetwork", "SMS"), (DeliveryState.DELIVERED, "", Channel.SMS)),
        (report("DeliveredToSMS"), (DeliveryState.DELIVERED, "", Channel.SMS)),
        (report("DeliveredToSMSFailed", "800"), (DeliveryState.FAILED, "800", Channel.SMS)),
        (report("DeliveryImpossible", "SVC5001"), (DeliveryState.FAILED, "SVC5001", None)),
        (report(" deliveryimpossible "), (DeliveryState.FAILED, "deliveryimpossible", None)),
    ],
)
def test_words_of_reports(body: bytes, expected: Any) -> None:
    [receipt] = offline().parse(push("DeliveryInfoNotification", body)).receipts
    assert (receipt.state, receipt.code, receipt.fallback) == expected
    assert (receipt.key, receipt.address) == (KEY, "13800138000")


def test_several_reports_and_what_nobody_knows() -> None:
    one = report("DeliveredToTerminal").decode().partition("<deliveryInfo>")[2].partition("</msg")[0]
    strange = one.replace("DeliveredToTerminal", "Wondering")
    foreign = one.replace(REF, "not-ours")
    body = wrap(
        "deliveryInfoNotification", f"<deliveryInfo>{one}<deliveryInfo>{strange}<deliveryInfo>{foreign}"
    )
    receipts = offline().parse(push("deliveryInfonotification", body)).receipts
    assert [(r.key, r.ref) for r in receipts] == [(KEY, REF), ("", "not-ours")]


@pytest.mark.parametrize("root", ["<x:{0}>{1}</x:{0}>", "<{0} xmlns='urn:else'>{1}</{0}>", "<{0}>{1}</{0}>"])
def test_any_namespace_is_read(root: str) -> None:
    inner = report("DeliveredToTerminal").decode().partition(f"{SPACE}>")[2].rpartition("</msg")[0]
    body = root.format("deliveryInfoNotification", inner).encode()
    [receipt] = offline().parse(push("DeliveryInfoNotification", body)).receipts
    assert receipt.key == KEY


@pytest.mark.parametrize(("status", "states"), [("Revoked", [DeliveryState.FAILED]), ("RevokeFailed", [])])
def test_results_of_revoking(status: str, states: list[DeliveryState]) -> None:
    inner = f"<address>tel:+8613800138000</address><messageId>{REF}</messageId><status>{status}</status>"
    body = wrap("messageStatusNotification", inner)
    receipts = offline().parse(push("MessageStatusNotification", body)).receipts
    assert [r.state for r in receipts] == states
    assert {(r.key, r.code) for r in receipts} <= {(KEY, "Revoked")}


FILE = (
    '<file><file-info type="thumbnail"><data url="https://f.cn/t"/></file-info>'
    '<file-info type="file"><data url="https://f.cn/1" until="2026"/></file-info></file>'
)
PRESS = orjson.dumps(
    {"response": {"action": {"displayText": "查看", "postback": {"data": pack_postback(KEY, "p1")}}}}
).decode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (said("text/plain; charset=UTF-8", " 怎么办 "), [(InboundKind.TEXT, "怎么办", "")]),
        (
            said(
                "text/plain",
                base64.b64encode("好".encode()).decode(),
                "<contentEncoding>base64</contentEncoding>",
            ),
            [(InboundKind.TEXT, "好", "")],
        ),
        (said(RESPONSE_TYPE, PRESS), [(InboundKind.SUGGESTION, "p1", KEY)]),
        (said(RESPONSE_TYPE, "no json"), []),
        (said(SPAM_TYPE, "<SR/>"), [(InboundKind.COMPLAINT, "", "")]),
        (said(FILE_TYPE, FILE), [(InboundKind.TEXT, "[文件] https://f.cn/1", "")]),
        (said(FILE_TYPE, "<!DOCTYPE a><a/>"), []),
        (said("video/mp4", "x"), []),
    ],
)
def test_what_taxpayers_say(body: bytes, expected: list[tuple[InboundKind, str, str]]) -> None:
    inbound = offline().parse(push("InboundMessageNotification", body)).inbound
    assert [(i.kind, i.text, i.key) for i in inbound] == expected
    assert {i.address for i in inbound} <= {"13800138000"}


def test_the_review_of_a_picture_is_taken() -> None:
    parsed = offline().parse(push("InboundMessageNotification", b"", tid="1", authstatus="0"))
    assert (parsed.inbound, parsed.reply.status) == ((), 204)


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("DeliveryInfoNotification/sip:7@botplatform.rcs.chinamobile.com", report("Sent"), "another chatbot"),
        ("Something/x", report("Sent"), "no push"),
        (f"DeliveryInfoNotification/{ACCOUNT.chatbot_id}", b"{}", "not XML"),
        (f"DeliveryInfoNotification/{ACCOUNT.chatbot_id}", b"<a/>", "no root"),
        (f"DeliveryInfoNotification/{ACCOUNT.chatbot_id}", b"<!DOCTYPE a><a/>", "document type"),
        (
            f"DeliveryInfoNotification/{ACCOUNT.chatbot_id}",
            wrap("deliveryInfoNotification", ""),
            "no deliveryInfo",
        ),
        (
            f"InboundMessageNotification/{ACCOUNT.chatbot_id}",
            said("text/plain", "!", "<contentEncoding>base64</contentEncoding>"),
            "base64",
        ),
    ],
)
def test_unreadable_pushes(path: str, body: bytes, why: str) -> None:
    request = WebhookRequest("POST", f"/hooks/7/secret/{path}", {}, {}, body)
    with pytest.raises(WebhookRejected, match=why):
        offline().parse(request)


def test_a_chatbot_percent_encoded_in_the_path() -> None:
    request = replace(
        push("DeliveryInfoNotification", report("MessageSent")),
        path="/hooks/7/s/DeliveryInfoNotification/sip%3A106500000%40botplatform.rcs.chinamobile.com",
    )
    assert offline().parse(request).receipts[0].key == KEY


def signed(date: str, secret: str = ACCOUNT.secret) -> WebhookRequest:
    header = authorize(ACCOUNT.account, secret, date)
    return push("DeliveryInfoNotification", report("MessageSent"), date=date, authorization=header)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (push("DeliveryInfoNotification", b""), "authorization"),
        (signed(formatdate(NOW, usegmt=True), "other"), "authorization"),
        (signed(formatdate(NOW - 301, usegmt=True)), "replay window"),
        (signed("yesterday"), "unreadable date"),
        (signed("é"), "authorization"),
    ],
)
def test_forged_pushes(request_: WebhookRequest, why: str) -> None:
    offline().verify(signed(formatdate(NOW - 200, usegmt=True)))
    with pytest.raises(WebhookRejected, match=why):
        offline().verify(request_)


@pytest.mark.parametrize(
    ("remote", "known"), [("203.0.113.7", True), ("198.51.100.9", True), ("192.0.2.1", False), ("", False)]
)
def test_sources_of_pushes(remote: str, known: bool) -> None:
    adapter = offline(callbacks_signed=False, callback_sources="203.0.113.7，198.51.100.0/24")
    request = replace(push("DeliveryInfoNotification", b""), remote=remote)
    if known:
        adapter.verify(request)
    else:
        with pytest.raises(WebhookRejected):
            adapter.verify(request)


async def test_the_simulator_runs_alone() -> None:
    stop, told = asyncio.Event(), asyncio.Queue[str]()
    running = asyncio.create_task(run_alone("fiveg_maap", 0, stop, told.put_nowait))
    line = await asyncio.wait_for(told.get(), LONGEST)
    url = line.split()[1].partition("，")[0]
    adapter = FivegMaap(config(url))
    await adapter.check()
    [result] = await adapter.send(batch(1))
    http = Http(TIMEOUT, 1)
    answer = await http.request("GET", f"{url}/_sim/books")
    [entry] = orjson.loads(answer.body)["entries"]
    assert (entry["address"], entry["key"]) == (address(0), result.ref)
    await http.request("POST", f"{url}/_sim/terminals", body=orjson.dumps({address(0): "sms"}))
    await http.close()
    await adapter.close()
    stop.set()
    await running
