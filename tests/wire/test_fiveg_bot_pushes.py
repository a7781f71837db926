"""What the 5G bot adapter makes of pushes: signatures, samples, paths, what cannot be read."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.base import Channel, DeliveryState, Inbound, InboundKind, Receipt
from channels.errors import WebhookRejected
from channels.fiveg_bot.pushes import SignatureCheck, sign

from .fiveg_bot import CHATBOT, KEY, NOW, offline, push, sample

STATUS, MESSAGES = "deliveryNotification/{bot}/status", "messageNotification/{bot}/messages"
NOTICE = "notifyInfoNotification/{bot}/notice"


def signed(nonce: str = "486452656", timestamp: str = "1714037059", body: bytes = b"{}") -> Any:
    signature = sign("tok123", timestamp, nonce)
    request = push(STATUS, {}, timestamp=timestamp, nonce=nonce, signature=signature)
    return replace(request, body=body)


def test_signature_vector() -> None:
    expected = "27598b8e5180595ef43442661b3c3afbe0ad38948b27af4b932a175e32246e3a"
    assert sign("tok123", "1714037059", "486452656") == expected
    offline().verify(signed())


@pytest.mark.parametrize(
    "headers",
    [
        {"signature": "0" * 64},
        {"signature": "é"},
        {"signature": ""},
        {"nonce": "486452657"},
        {"nonce": ""},
        {"nonce": "é"},
        {"timestamp": "1714037060"},
        {"timestamp": "-1"},
        {"timestamp": "９"},
    ],
)
def test_forged_pushes(headers: dict[str, str]) -> None:
    request = signed()
    with pytest.raises(WebhookRejected):
        offline().verify(replace(request, headers={**request.headers, **headers}))


@pytest.mark.parametrize(
    ("late", "taken"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)]
)
def test_replay_window(late: int, taken: bool) -> None:
    subject = offline(NOW + late)
    if taken:
        subject.verify(signed())
        return
    with pytest.raises(WebhookRejected, match="window"):
        subject.verify(signed())


def test_a_retry_passes_and_another_body_under_its_nonce_does_not() -> None:
    subject = offline()
    subject.verify(signed())
    subject.verify(signed())
    with pytest.raises(WebhookRejected, match="nonce"):
        subject.verify(signed(body=b'{"deliveryInfoList":[]}'))


def test_nonces_are_bounded() -> None:
    check = SignatureCheck("tok123", nonces=2)
    for nonce in ("1", "2", "3"):
        check.verify(signed(nonce), NOW)
    with pytest.raises(WebhookRejected, match="nonce"):
        check.verify(signed("3", body=b"[]"), NOW)
    check.verify(signed("1", body=b"[]"), NOW)


def test_nonces_outlive_their_time_stamps() -> None:
    check = SignatureCheck("tok123")
    ahead = str(int(NOW) + 300)
    check.verify(signed(timestamp=ahead), NOW)
    with pytest.raises(WebhookRejected, match="nonce"):
        check.verify(signed(timestamp=ahead, body=b"[]"), NOW + 600)


def test_url_check_is_answered() -> None:
    request = replace(signed(), method="GET", path="/hooks/7/secret/notifyPath", body=b"")
    request = replace(request, headers={**request.headers, "echostr": "abc-1", "chatbotid": CHATBOT})
    offline().verify(request)
    reply = offline().parse(request).reply
    assert (reply.status, reply.headers) == (200, {"echoStr": "abc-1", "appId": "app-1"})
    for echo in ("", "a\r\nset-cookie: x", "é", "x" * 2000):
        with pytest.raises(WebhookRejected):
            offline().parse(replace(request, headers={"echostr": echo}))


def test_sample_statuses() -> None:
    parsed = offline().parse(push(STATUS, sample("status_push.json")))
    at = datetime(2024, 4, 25, 8, 57, 39, 840_000, UTC)
    assert parsed.reply.status == 204
    assert parsed.receipts[0] == Receipt(
        DeliveryState.ACCEPTED,
        key=KEY,
        ref="30306670-7477-3030-3031-370000000000",
        address="13800138000",
        at=at,
    )
    assert [(r.state, r.key, r.code, r.fallback) for r in parsed.receipts[1:]] == [
        (DeliveryState.DELIVERED, KEY, "", None),
        (DeliveryState.READ, KEY, "", None),
        (DeliveryState.DELIVERED, "00fptw00018", "", Channel.SMS),
        (DeliveryState.FAILED, "00fptw00019", "2", None),
        (DeliveryState.FAILED, "", "60001", None),
    ]


def test_sample_uplinks() -> None:
    at = datetime(2020, 1, 17, 6, 42, 20, 840_000, UTC)
    first, second = "5c2f1d7a-41f4-4a0b-8f57-0c6a1f2b3c4d", "6d3a2e8b-52a5-4b1c-9a68-1d7b2a3c4d5e"
    parsed = offline().parse(push(MESSAGES, sample("uplink_text.json")))
    link = "[文件] https://maap.example.cn/s/1"
    assert parsed.inbound == (
        Inbound(InboundKind.TEXT, "13800138000", "我已经办完了", KEY, at, first),
        Inbound(InboundKind.TEXT, "13800138000", link, KEY, at, f"{first}#1"),
    )
    [pressed] = offline().parse(push(MESSAGES, sample("uplink_press.json"))).inbound
    assert pressed == Inbound(InboundKind.SUGGESTION, "13800138000", "ack", KEY, at, second)


def test_sample_notices() -> None:
    parsed = offline().parse(push(f"{NOTICE}/rcsspam", sample("complaint.json")))
    assert [(i.kind, i.key, i.text) for i in parsed.inbound] == [
        (InboundKind.COMPLAINT, KEY, "骚扰信息"),
        (InboundKind.COMPLAINT, "", "骚扰信息"),
    ]
    for tail in (f"{NOTICE}/check", "notifyInfoNotification/{bot}/check", f"{NOTICE}/informationChange"):
        parsed = offline().parse(push(tail, sample("review.json")))
        assert (parsed.receipts, parsed.inbound, parsed.reply.status) == ((), (), 204)


@pytest.mark.parametrize(
    "path",
    [
        f"/hooks/7/secret/deliveryNotification/{CHATBOT}/status",
        "/DELIVERYNOTIFICATION/sip%3A106500000%40botplatform.rcs.chinaunicom.cn/Status",
        f"/x/DeliveryNotification/{CHATBOT.removeprefix('sip:')}/status/",
    ],
)
def test_paths_of_deployed_platforms(path: str) -> None:
    request = replace(push(STATUS, sample("status_push.json")), path=path)
    assert len(offline().parse(request).receipts) == 6


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hooks/7/secret/status",
        "/deliveryNotification/sip:1@other.cn/status",
        f"/deliveryNotification/{CHATBOT}/status/more",
        f"/deliveryNotification/{CHATBOT}/messages",
        f"/deliveryNotification/{CHATBOT}/status\n",
    ],
)
def test_paths_that_are_no_pushes(path: str) -> None:
    with pytest.raises(WebhookRejected):
        offline().parse(replace(push(STATUS, sample("status_push.json")), path=path))


@pytest.mark.parametrize(
    ("tail", "document"),
    [
        (STATUS, []),
        (STATUS, {}),
        (STATUS, {"deliveryInfoList": []}),
        (STATUS, {"deliveryInfoList": ["x", 1]}),
        (MESSAGES, {"messageList": {}}),
        (
            MESSAGES,
            {"messageList": [{"contentType": "text/plain", "contentEncoding": "base64", "contentText": "?"}]},
        ),
    ],
)
def test_pushes_that_cannot_be_read(tail: str, document: Any) -> None:
    with pytest.raises(WebhookRejected):
        offline().parse(push(tail, document))


def test_one_bad_status_spoils_no_others() -> None:
    document = sample("status_push.json")
    document["deliveryInfoList"][1:1] = [7, {}, {"messageId": [], "status": "sent"}]
    document["deliveryInfoList"][1:1] = [{"messageId": "m", "status": "?"}]
    document["deliveryInfoList"][0]["dateTime"] = "yesterday"
    parsed = offline().parse(push(STATUS, document))
    assert len(parsed.receipts) == 6
    assert parsed.receipts[0].at is None
