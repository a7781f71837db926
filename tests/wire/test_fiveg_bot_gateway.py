"""The simulated 5G platform is as strict as the protocol says, whoever speaks to it."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from channels.gateways.fiveg_bot import FivegBotGateway

from .fiveg_bot import PNG, Stage, address, run_stage, sample

CARD_AT = ("messageList", 0, "contentText", "message", "generalPurposeCard")
CONTENT_AT = (*CARD_AT, "content")
ACTION_AT = (*CONTENT_AT, "suggestions", 0, "action")
GONE = object()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run_stage() as stage:
        yield stage


def changed(where: tuple[Any, ...], value: Any) -> Any:
    document = sample("worked_example.json")
    inner = document
    for step in where[:-1]:
        inner = inner[step]
    if value is GONE:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return document


async def send(stage: Stage, document: Any, **headers: str | None) -> int:
    authorization = headers.pop("authorization", None) or await stage.token()
    answer = await stage.ask("POST", "/messages", document, authorization=authorization, **headers)
    return int(answer["errorCode"])


async def test_worked_example_is_taken(stage: Stage) -> None:
    authorization = await stage.token()
    answer = await stage.ask("POST", "/messages", sample("worked_example.json"), authorization=authorization)
    assert answer == {
        "messageId": "3b0c6d0e-8f6e-4a7b-9a55-0d3e9f1c2a77",
        "conversationId": "c-1",
        "contributionId": "u-1",
        "errorCode": 0,
        "errorMessage": "success",
    }
    [entry] = stage.simulator.books.entries
    assert (entry.key, entry.address) == ("3b0c6d0e-8f6e-4a7b-9a55-0d3e9f1c2a77", "13800138000")


async def test_base64_content_is_taken(stage: Stage) -> None:
    card = sample("worked_example.json")["messageList"][0]
    encoded = base64.b64encode(orjson.dumps(card["contentText"])).decode()
    card |= {"contentEncoding": "base64", "contentText": encoded}
    assert await send(stage, changed(("messageList",), [card])) == 0
    assert stage.simulator.books.entries[0].text == "示例标题\n示例说明"


@pytest.mark.parametrize(
    ("where", "value", "code"),
    [
        (("senderAddress",), "sip:other@botplatform.rcs.chinaunicom.cn", 30008),
        (("smsContent",), "", 20002),
        (("smsContent",), GONE, 20002),
        (("trafficType",), "", 20002),
        (("reportRequest",), [], 20002),
        (("smsSupported",), GONE, 20002),
        (("smsSupported",), "true", 20002),
        (("storeSupported",), None, 20002),
        (("surprise",), 1, 20002),
        (("messageList",), [], 20002),
        (("destinationAddress",), ["tel:+8613800138000", "tel:+8613800138001"], 20002),
        (("destinationAddress",), ["13800138000"], 20002),
        (("messageList", 0, "contentType"), "text/html", 40008),
        (("messageList", 0), {"contentType": "text/plain", "contentText": "字" * 2001}, 40021),
        ((*CARD_AT, "layout", "cardOrientation"), "HORIZONTAL", 20002),
        ((*CARD_AT, "layout", "titleFontStyle"), ["calibri"], 20002),
        (CONTENT_AT, {"suggestions": [{"reply": {"displayText": "好"}}]}, 20002),
        ((*CONTENT_AT, "title"), "题" * 201, 40021),
        ((*CONTENT_AT, "description"), "", 20002),
        ((*CONTENT_AT, "suggestions"), [{"reply": {"displayText": "好"}}] * 5, 40016),
        ((*CONTENT_AT, "suggestions", 1), {"link": {"displayText": "好"}}, 40017),
        ((*ACTION_AT, "displayText"), "字" * 26, 40018),
        ((*ACTION_AT, "postback", "data"), "x" * 2049, 40019),
        ((*ACTION_AT, "urlAction", "openUrl", "application"), GONE, 20002),
        ((*ACTION_AT, "urlAction", "openUrl", "fallbackUrl"), None, 20002),
        ((*ACTION_AT, "urlAction", "openUrl", "viewMode"), "full", 20002),
        ((*ACTION_AT, "dialerAction"), {"dialPhoneNumber": {"phoneNumber": "12366"}}, 40017),
        (("messageList", 1, "contentText", "suggestions"), [{"reply": {"displayText": "好"}}] * 12, 40016),
        (
            (*CONTENT_AT, "media"),
            {
                "mediaUrl": "https://elsewhere.example.cn/a.png",
                "mediaContentType": "image/png",
                "mediaFileSize": 9,
                "height": "TALL_HEIGHT",
            },
            40007,
        ),
    ],
)
async def test_refuses(stage: Stage, where: tuple[Any, ...], value: Any, code: int) -> None:
    assert await send(stage, changed(where, value)) == code
    assert not stage.simulator.books.entries


async def test_refuses_chips_alone(stage: Stage) -> None:
    document = sample("worked_example.json")
    assert await send(stage, {**document, "messageList": document["messageList"][1:]}) == 20002


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"{", {}, 47001),
        (b"", {}, 44002),
        (b"{}", {"content-type": "text/plain"}, 20003),
        (b"[]", {}, 20002),
        (b"{}", {"accept": None}, 41001),
        (b"{}", {"date": None}, 41001),
        (b"{}", {"authorization": "accessToken 123"}, 40014),
    ],
)
async def test_refuses_requests(stage: Stage, body: bytes, headers: dict[str, str | None], code: int) -> None:
    assert await send(stage, body, **headers) == code


async def test_only_the_latest_token_is_good(stage: Stage) -> None:
    first, second = await stage.token(), await stage.token()
    document = sample("worked_example.json")
    assert await send(stage, document, authorization=first) == 40014
    assert await send(stage, document, authorization=f"accessToken {second}") == 40014
    assert await send(stage, document, authorization=second) == 0
    stage.simulator.tokens.expire()
    assert await send(stage, document, authorization=second) == 42001
    assert (await stage.ask("POST", "/messages", document))["errorCode"] == 41001


@pytest.mark.parametrize(
    ("request_body", "code"),
    [
        ({"appId": "app-1", "appKey": "no"}, 40001),
        ({"appKey": "key-1"}, 41002),
        ({"appId": "app-1"}, 41004),
        ({"appId": "app-1", "appKey": "key-1", "more": 1}, 20002),
    ],
)
async def test_refuses_credentials(stage: Stage, request_body: Any, code: int) -> None:
    assert (await stage.ask("POST", "/accessToken", request_body))["errorCode"] == code


async def test_the_same_message_twice_is_two_messages(stage: Stage) -> None:
    for _ in range(2):
        assert await send(stage, sample("worked_example.json")) == 0
    assert len(stage.simulator.books.entries) == 2


async def test_tolerant_platform_notes_breaches_of_the_card_schema() -> None:
    async with run_stage(tolerant_cards=True) as stage:
        font = changed((*CARD_AT, "layout", "titleFontStyle"), ["calibri"])
        assert await send(stage, font) == 0
        assert stage.simulator.warnings
        assert await send(stage, changed((*CARD_AT, "content"), [1])) == 20002


def form(field: str, kind: str, data: bytes) -> bytes:
    head = (
        f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="a"\r\nContent-Type: {kind}\r\n\r\n'
    )
    return head.encode() + data + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("field", "kind", "data", "mode", "code"),
    [
        ("file", "image/png", PNG, "perm", 0),
        ("img", "image/png", PNG, "temp", 0),
        ("file", "image/png", PNG, "forever", 20003),
        ("file", "image/gif", PNG, "perm", 40005),
        ("file", "image/png", bytes(2 * 1024 * 1024 + 1), "perm", 40006),
        ("Thumbnail", "image/png", bytes(200 * 1024 + 1), "perm", 40006),
        ("file", "image/png", b"", "perm", 44001),
    ],
)
async def test_upload(stage: Stage, field: str, kind: str, data: bytes, mode: str, code: int) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b", "uploadMode": mode}
    authorization = await stage.token()
    body = form(field, kind, data)
    answer = await stage.ask("POST", "/medias/upload", body, authorization=authorization, **headers)
    assert answer["errorCode"] == code
    if code:
        return
    [info] = answer["fileInfo"]
    assert (info["fileSize"], "until" in info) == (len(data), mode == "temp")
    assert info["fileHashValue"] == hashlib.sha256(data).hexdigest()
    deleted = await stage.ask("DELETE", "/medias/delete", authorization=authorization, url=info["url"])
    assert deleted["deleteMode"] == mode
    gone = await stage.ask("GET", "/medias/download", authorization=authorization, url=info["url"])
    assert gone["errorCode"] == 40007


async def test_terminals_by_the_control_interface(stage: Stage) -> None:
    url = f"{stage.url}/_sim/terminals"
    answer = await stage.raw.request("POST", url, body=orjson.dumps({address(0): "absent"}))
    assert orjson.loads(answer.body) == {address(0): "absent"}
    assert (await stage.raw.request("POST", url, body=b'{"1": "toaster"}')).status == 400
    assert (await stage.raw.request("POST", url, body=b"[")).status == 400


async def test_no_push_before_the_callback_is_verified() -> None:
    async with run_stage() as stage:
        assert stage.hooks.adapter is not None
        lonely = FivegBotGateway(callback_url=f"{stage.url}/nowhere")
        await lonely.start()
        lonely.tokens.issue({"appId": "app-1", "appKey": "key-1"}, "")
        with pytest.raises(TimeoutError):
            await lonely.verified(0.2)
        await lonely.stop()


@pytest.mark.parametrize("size", [0, 101])
def test_status_batch_has_bounds(size: int) -> None:
    with pytest.raises(ValueError, match="status_batch"):
        FivegBotGateway(status_batch=size)
