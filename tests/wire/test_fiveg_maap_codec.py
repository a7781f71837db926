"""The pure parts of the China Mobile 5G adapter: digests, documents, answers, settings."""

import string
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.base import Action, Card, Outcome
from channels.cards import ContentError
from channels.errors import Fault, GatewayError
from channels.fiveg_maap.answers import FAULT_OF, classify, judge_account
from channels.fiveg_maap.keys import authorize, hash_secret, key_of, message_id, user_of
from channels.fiveg_maap.media import read_upload
from channels.fiveg_maap.profiles import PROFILES
from channels.fiveg_maap.requests import compose_request
from channels.gateways.fiveg_maap.reading import read_document, read_send
from channels.http import Response

from .fiveg_maap import ACCOUNT, CARD, KEY, SAMPLES, config, offline, plain, sent_request

KEYS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=16)
URL = "http://127.0.0.1:9"
CHATBOT_HEADER = (
    "Basic MTAwMTo0ZWQzZmVlY2U2N2I0MTgwYzgwZWUxYTg1ZDE0ZTI1YjhmODEyZDI0NTJlZGYyMzVlOTQ2NDhkNTkwZTU1YjRj"
)
CSP_HEADER = (
    "Basic Y3NwMDAwMDE6YTUzOTgwZTI0NmVlNDIxMzEyOWMxYjgyODcwZGY1"
    "MjczNTk0Y2I1OGFiYzQwMWY1YzRkNzNmZWNhNmJkZDVhZg=="
)


@pytest.mark.parametrize(
    ("account", "secret", "hashed", "date", "header"),
    [
        (
            "1001",
            "123456",
            True,
            "Thu, 11 Jul 2015 15:33:24 GMT",
            CHATBOT_HEADER,
        ),
        (
            "csp00001",
            "2a97516c354b68848cdbd8f54a226a0a55b21ed138e207ad6c5cbb9c00aa5aea",
            False,
            "Mon, 06 Jul 2020 11:28:53 GMT",
            CSP_HEADER,
        ),
    ],
)
def test_digests_are_those_of_the_protocol(
    account: str, secret: str, hashed: bool, date: str, header: str
) -> None:
    assert authorize(account, hash_secret(secret, hashed), date) == header


@given(KEYS)
def test_key_survives_the_message_id(key: str) -> None:
    assert key_of(message_id(key)) == key
    assert len(message_id(key)) == 32


@given(st.text() | st.uuids().map(str) | st.text("0123456789abcdef-", max_size=36))
def test_foreign_message_ids_have_no_key(identifier: str) -> None:
    key = key_of(identifier)
    assert key == "" or message_id(key) == identifier.strip().replace("-", "").lower()


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("tel:+8613800138000", "13800138000"),
        (" sip:+8613800138000@bj.ims.mnc000.mcc460.3gppnetwork.org ", "13800138000"),
        ("sip:+8613800138000@gd.5GMC.ims.mnc000.mcc460.3gppnetwork.org", "13800138000"),
        ("13800138000", "13800138000"),
        ("tel:+85213800138", ""),
        ("sip:106500000@botplatform.rcs.chinamobile.com", ""),
        ("tel:+86138001380001", ""),
        ("", ""),
    ],
)
def test_addresses_of_users(address: str, number: str) -> None:
    assert user_of(address) == number


async def test_golden_text() -> None:
    request = await sent_request(plain(KEY, "+8613800138000", "示例文本"), report_sent=False)
    assert request.body == (SAMPLES / "message_text.xml").read_bytes().rstrip(b"\n")
    assert request.path == (
        "/messaging/group/v1/outbound/sip%3A106500000%40botplatform.rcs.chinamobile.com/requests"
    )
    told = {name: request.headers[name] for name in ("date", "address", "content-type", "accept")}
    assert told == {
        "date": "Mon, 06 Jul 2020 11:28:53 GMT",
        "address": "+8613800138000",
        "content-type": "application/xml",
        "accept": "application/xml",
    }
    assert request.headers["authorization"] == CSP_HEADER


async def test_golden_card() -> None:
    request = await sent_request(
        plain(KEY, "13800138000", "示例短信", CARD),
        profile="csp_v243",
        traffic_type="payment",
        encode_chatbot_id=False,
    )
    assert request.body == (SAMPLES / "message_card.xml").read_bytes().rstrip(b"\n")
    assert request.path.endswith("/outbound/sip:106500000@botplatform.rcs.chinamobile.com/requests")
    assert (request.headers["usertype"], request.headers["appid"]) == ("10", "csp00001")


def test_the_worked_example_has_our_elements_in_our_order() -> None:
    def names(body: bytes) -> list[str]:
        found = read_document(body, "outboundMessageRequest")
        inner = next(child for child in found.inner if child.name == "outboundIMMessage")
        return list(dict.fromkeys(child.name for child in (*found.inner, *inner.inner)))

    ours = compose_request(config(URL), plain(KEY, "13800138000"), "tel:+8613800138000", {})
    example = (SAMPLES / "worked_example.xml").read_bytes()
    assert names(ours) == names(example)
    taken = read_send(example, ACCOUNT.chatbot_id, "+8613800138000", "smsBodyText")
    assert (taken.numbers, taken.text, taken.sms) == (
        ("13800138000", "13800138001"),
        "示例文本",
        "示例短信",
    )


ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    ["]]>", "<a>&amp;", "\r\n--next--"]
)
CARDS = st.builds(
    Card,
    ANY_TEXT,
    ANY_TEXT,
    actions=st.lists(
        st.builds(Action, st.sampled_from(["reply", "url"]), ANY_TEXT, st.just("https://a.cn/"), ANY_TEXT),
        max_size=4,
    ).map(tuple),
    chips=st.lists(st.builds(Action, st.just("reply"), ANY_TEXT, ANY_TEXT), max_size=3).map(tuple),
    more=st.lists(st.builds(Card, ANY_TEXT, ANY_TEXT), max_size=2).map(tuple),
)


@settings(max_examples=400, deadline=None)
@given(ANY_TEXT, st.none() | CARDS, st.sampled_from(sorted(PROFILES)))
def test_what_leaves_is_what_a_strict_platform_reads(text: str, card: Card | None, profile: str) -> None:
    account = config(URL, profile=profile)
    try:
        body = compose_request(account, plain(KEY, "13800138000", text, card), "tel:+8613800138000", {})
    except (ContentError, UnicodeEncodeError):
        return
    taken = read_send(body, ACCOUNT.chatbot_id, "+8613800138000", account.row.sms_text)
    # XML folds line ends, and blanks around a short message are nobody's.
    folded = text.replace("\r\n", "\n").replace("\r", "\n")
    assert taken.sms == f"【示例税务局】{folded}".strip()
    if card is None:
        assert taken.text == folded
    else:
        assert [label for label, _ in taken.buttons] == [a.label for a in (*card.actions, *card.chips)]


@pytest.mark.parametrize(
    ("message", "fault", "code"),
    [
        (plain("k", "12345"), Fault.INVALID_ADDRESS, "address_invalid"),
        (plain("K", "13800138000"), Fault.REJECTED, "key_invalid"),
        (plain("k", "13800138000", " "), Fault.REJECTED, "text_empty"),
        (plain("k", "13800138000", "字" * 2001), Fault.REJECTED, "text_too_long"),
        (plain("k", "13800138000", "", CARD), Fault.REJECTED, "sms_text_empty"),
        (plain("k", "13800138000", "a\0b"), Fault.REJECTED, "text_not_xml"),
        (plain("k", "13800138000", "\ud800"), Fault.REJECTED, "text_not_xml"),
        (plain("k", "13800138000", "x", replace(CARD, title="\ud800")), Fault.REJECTED, "text_not_unicode"),
        (
            plain("k", "13800138000", "x", replace(CARD, actions=CARD.actions * 3)),
            Fault.UNSUPPORTED,
            "too_many_actions",
        ),
        (plain("k", "13800138000", "x", Card("题", "", "file:///etc/passwd")), Fault.REJECTED, "url_invalid"),
        (
            plain("k", "13800138000", "x", Card("题", "", "https://a.cn/a.png")),
            Fault.REJECTED,
            "image_elsewhere",
        ),
    ],
)
async def test_unusable_messages_never_leave(message: Any, fault: Fault, code: str) -> None:
    [result] = await offline().send([message])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, fault, code)


def error(code: str, kind: str = "policyException", name: str = "messageId") -> bytes:
    return (
        '<common:requestError xmlns:common="urn:oma:xml:rest:netapi:common:1">'
        f"<{kind}><{name}>{code}</{name}></{kind}></common:requestError>"
    ).encode()


def told(inner: str, space: str = 'xmlns:msg="urn:oma:xml:rest:netapi:messaging:1"') -> bytes:
    prefix = "msg:" if space else ""
    return f"<{prefix}outboundMessageRequest {space}>{inner}</{prefix}outboundMessageRequest>".encode()


IMPOSSIBLE = (
    "<messageId>m</messageId><deliveryInfoList><deliveryInfo><address>tel:+8613800138000</address>"
    "<deliveryStatus>DeliveryImpossible</deliveryStatus>{}</deliveryInfo></deliveryInfoList>"
)


@pytest.mark.parametrize(
    ("status", "body", "outcome", "fault", "code"),
    [
        (201, told("<messageId>m</messageId>"), Outcome.ACCEPTED, None, ""),
        (200, told("<messageId> m </messageId><resultCode>0</resultCode>", ""), Outcome.ACCEPTED, None, ""),
        (
            201,
            told(IMPOSSIBLE.format("").replace("DeliveryImpossible", "MessageWaiting")),
            Outcome.ACCEPTED,
            None,
            "",
        ),
        (201, told(IMPOSSIBLE.format("")), Outcome.REFUSED, Fault.UNSUPPORTED, "DeliveryImpossible"),
        (
            201,
            told(IMPOSSIBLE.format("<policyException><messageId>POL0003</messageId></policyException>")),
            Outcome.REFUSED,
            Fault.REJECTED,
            "POL0003",
        ),
        (201, told("<messageId>m</messageId><resultCode>7</resultCode>"), Outcome.UNKNOWN, None, "7"),
        (201, told(""), Outcome.UNKNOWN, None, "unreadable"),
        (204, b"", Outcome.UNKNOWN, None, "unreadable"),
        (200, b"<html/>", Outcome.UNKNOWN, None, "unreadable"),
        (200, b"{}", Outcome.UNKNOWN, None, "unreadable"),
        (200, error("POL0009"), Outcome.REFUSED, Fault.THROTTLED, "POL0009"),
        (403, error("POL0009"), Outcome.REFUSED, Fault.THROTTLED, "POL0009"),
        (403, error("POL0003", name="exceptionId"), Outcome.REFUSED, Fault.REJECTED, "POL0003"),
        (403, error("SVC4001", "serviceException"), Outcome.REFUSED, Fault.DEFERRED, "SVC4001"),
        (400, error("SVC4001", "serviceException"), Outcome.UNKNOWN, None, "SVC4001"),
        (400, error("SVC0001", "serviceException"), Outcome.UNKNOWN, None, "SVC0001"),
        (400, error("SVC0002", "serviceException"), Outcome.REFUSED, Fault.REJECTED, "SVC0002"),
        (400, error("SVC0004", "serviceException"), Outcome.REFUSED, Fault.INVALID_ADDRESS, "SVC0004"),
        (401, error("SVC0001", "serviceException"), Outcome.REFUSED, Fault.UNAUTHORIZED, "SVC0001"),
        (500, error("POL0009"), Outcome.UNKNOWN, None, "http_500"),
        (503, b"", Outcome.UNKNOWN, None, "http_503"),
        (603, error("SVC4603", "serviceException"), Outcome.UNKNOWN, None, "SVC4603"),
        (603, b"", Outcome.REFUSED, Fault.REJECTED, "http_603"),
        (302, b"", Outcome.UNKNOWN, None, "http_302"),
        (400, b"", Outcome.UNKNOWN, None, "http_400"),
        (401, b"", Outcome.REFUSED, Fault.UNAUTHORIZED, "http_401"),
        (403, b"", Outcome.REFUSED, Fault.UNAUTHORIZED, "http_403"),
        (404, b"", Outcome.REFUSED, Fault.MISCONFIGURED, "http_404"),
        (408, b"", Outcome.UNKNOWN, None, "http_408"),
        (429, b"", Outcome.REFUSED, Fault.THROTTLED, "http_429"),
    ],
)
def test_what_an_answer_says(
    status: int, body: bytes, outcome: Outcome, fault: Fault | None, code: str
) -> None:
    result = classify("k", Response(status, {}, body))
    expected = fault or (Fault.OUTCOME_UNKNOWN if outcome is Outcome.UNKNOWN else None)
    assert (result.key, result.outcome, result.fault, result.code) == ("k", outcome, expected, code)


def test_golden_error() -> None:
    result = classify("k", Response(403, {}, (SAMPLES / "too_many.xml").read_bytes()))
    assert (result.fault, result.code) == (Fault.REJECTED, "POL0003")


@given(st.from_regex(r"(SVC|POL)[0-9]{4}", fullmatch=True), st.sampled_from([200, 400, 409, 500, 503]))
def test_only_known_codes_are_certain(code: str, status: int) -> None:
    result = classify("k", Response(status, {}, error(code)))
    if status >= 500 or code not in FAULT_OF:
        assert result.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (204, b"", None),
        (400, error("SVC0002", "serviceException"), None),
        (403, error("SVC4001", "serviceException"), None),
        (401, error("SVC0001", "serviceException"), Fault.UNAUTHORIZED),
        (403, b"", Fault.UNAUTHORIZED),
        (403, error("POL0009"), Fault.THROTTLED),
        (404, b"", Fault.MISCONFIGURED),
        (503, error("SVC4001"), Fault.UNREACHABLE),
    ],
)
def test_what_an_answer_says_of_the_account(status: int, body: bytes, fault: Fault | None) -> None:
    response = Response(status, {}, body)
    if fault is None:
        judge_account(response)
        return
    with pytest.raises(GatewayError) as caught:
        judge_account(response)
    assert caught.value.fault is fault


def test_golden_upload() -> None:
    media = read_upload(Response(200, {}, (SAMPLES / "uploaded.xml").read_bytes()))
    assert (media.url, media.size, media.content_type) == (
        "https://files.example.cn/Content/2",
        4096,
        "image/png",
    )
    with pytest.raises(GatewayError, match="文件服务器"):
        read_upload(Response(200, {}, b"<file/>"))


@pytest.mark.parametrize(
    "changes",
    [
        {"server_root": ""},
        {"server_root": "maap.example.cn"},
        {"server_root": "https://u:p@maap.example.cn"},
        {"server_root": "https://maap.example.cn/messaging/v1"},
        {"file_root": "https://maap.example.cn/Content"},
        {"chatbot_id": "106500000"},
        {"account": "a:b"},
        {"account_secret": ""},
        {"profile": "nowhere"},
        {"callback_sources": "here"},
        {"traffic_type": "a b"},
        {"timeout": 0},
        {"more": 1},
    ],
)
def test_unusable_settings(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config("https://maap.example.cn", **changes)


def test_settings_name_every_variant_and_keep_their_secrets() -> None:
    assert set(config(URL).model_json_schema()["properties"]["profile"]["enum"]) == set(PROFILES)
    assert ACCOUNT.secret not in repr(config(URL))
