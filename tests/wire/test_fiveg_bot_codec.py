"""The pure parts of the 5G bot adapter: identifiers, cards, answers, tokens, settings."""

import string
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.base import Action, Card, Outcome
from channels.cards import (
    ContentError,
    check_card,
    compose_card,
    compose_chips,
    pack_postback,
    unpack_postback,
)
from channels.errors import Fault
from channels.fiveg_bot.client import resolve_base, strip_prefix
from channels.fiveg_bot.codes import FAULT_OF, classify, pause_after, token_refused
from channels.fiveg_bot.keys import pack_key, unpack_key
from channels.gateways.fiveg_bot.schema import CARD as CARD_SCHEMA
from channels.gateways.fiveg_bot.schema import SUGGESTIONS
from channels.http import Response

from .fiveg_bot import CARD, KEY, NOW, SAMPLES, config, offline, plain, sample, sent_bytes

KEYS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=16)


@given(KEYS)
def test_key_survives_the_message_id(key: str) -> None:
    assert unpack_key(pack_key(key)) == key
    assert unpack_key(pack_key(key).upper()) == key
    assert str(uuid.UUID(pack_key(key))) == pack_key(key)


@given(KEYS, KEYS)
def test_different_keys_have_different_message_ids(one: str, other: str) -> None:
    assert (pack_key(one) == pack_key(other)) == (one == other)


@pytest.mark.parametrize("key", ["", "A", "a" * 17, "a b", "税", "a\0b", "a\n"])
def test_unusable_keys(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        pack_key(key)


@given(
    st.text()
    | st.uuids().map(str)
    | st.binary(min_size=16, max_size=16).map(lambda b: str(uuid.UUID(bytes=b)))
)
def test_foreign_message_ids_have_no_key(message_id: str) -> None:
    key = unpack_key(message_id)
    assert key == "" or pack_key(key) == message_id.lower()


@given(KEYS, st.text(max_size=200))
def test_postback_survives_the_button(key: str, postback: str) -> None:
    assert unpack_postback(pack_postback(key, postback)) == (key, postback)


@given(st.text())
def test_foreign_postbacks_have_no_key(data: str) -> None:
    key, token = unpack_postback(data)
    assert (key, token) == ("", data) or data.startswith(f"{key}.")


async def test_golden_card() -> None:
    body = await sent_bytes(plain(KEY, "13800138000", "示例短信", CARD), traffic_type="payment")
    assert body == (SAMPLES / "message_card.json").read_bytes().rstrip(b"\n")
    # Without what is ours (identifiers, postbacks, the signature) it is the protocol's worked example.
    document, example = orjson.loads(body), sample("worked_example.json")
    for name in ("messageId", "conversationId", "contributionId", "smsContent"):
        assert list(document).index(name) == list(example).index(name)
        document[name] = example[name]
    text = orjson.dumps(document).decode()
    for token in ("p1", "p2", "p3"):
        text = text.replace(pack_postback(KEY, token), token)
    assert orjson.loads(text) == example


async def test_golden_text() -> None:
    body = await sent_bytes(plain(KEY, "+8613800138000", "提醒"), sms_fallback=False, store_offline=False)
    assert body == (SAMPLES / "message_text.json").read_bytes().rstrip(b"\n")


ACTIONS = st.builds(
    Action,
    st.sampled_from(["reply", "url", "dial", "calendar", "map"]),
    st.text(max_size=27),
    st.text(max_size=20)
    | st.sampled_from(
        [
            "https://tax.example.gov.cn/a?b=1",
            "http://[",
            "ftp://a",
            "javascript:1",
            "12366",
            "+8612366",
            "2024-06-01T09:00:00+08:00/2024-06-01T10:00:00+08:00",
            "2024-06-01T09:00:00+08:00/2024-05-01T10:00:00+08:00",
            "2024-06-01T09:00:00/2024-06-01T10:00:00",
            "2024-06-01/2024-06-02",
            "39.9,116.4,税务局",
            "95,116.4,税务局",
            "39.9,116.4,",
            " ",
        ]
    ),
    st.sampled_from(["", "ack", "字" * 700]),
)
CARDS = st.builds(
    Card,
    st.text(max_size=30) | st.just("题" * 200) | st.just("题" * 201),
    st.text(max_size=30) | st.just("文" * 2000) | st.just("文" * 2001),
    actions=st.lists(ACTIONS, max_size=5).map(tuple),
    chips=st.lists(ACTIONS, min_size=1, max_size=12).map(tuple),
    layout=st.sampled_from(["vertical", "left", "right", "down"]),
    height=st.sampled_from(["short", "tall"]),
    width=st.sampled_from(["small", "medium"]),
    more=st.lists(st.builds(Card, st.text(max_size=9), st.text(max_size=9)), max_size=13).map(tuple),
)


@settings(max_examples=600, deadline=None)
@given(CARDS)
def test_what_leaves_fits_the_schema(card: Card) -> None:
    for compose, check in ((compose_card, CARD_SCHEMA), (compose_chips, SUGGESTIONS)):
        try:
            document = compose(card, KEY)
        except (ContentError, UnicodeEncodeError):
            continue
        check(document, "")


def with_action(kind: str, value: str = "", label: str = "标签", postback: str = "") -> Card:
    return Card("标题", "正文", actions=(Action(kind, label, value, postback),))


@pytest.mark.parametrize(
    ("card", "fault", "code"),
    [
        (Card("", ""), Fault.REJECTED, "card_empty"),
        (Card("题" * 201, ""), Fault.REJECTED, "title_too_long"),
        (Card("", "文" * 2001), Fault.REJECTED, "body_too_long"),
        (Card("题", "", actions=CARD.actions * 3), Fault.UNSUPPORTED, "too_many_actions"),
        (Card("题", "", chips=CARD.chips * 12), Fault.UNSUPPORTED, "too_many_chips"),
        (with_action("video"), Fault.UNSUPPORTED, "action_kind_unknown"),
        (with_action("map"), Fault.REJECTED, "location_invalid"),
        (with_action("map", "91,116.4,大厅"), Fault.REJECTED, "location_invalid"),
        (with_action("url", "http://tax.example.gov.cn/"), Fault.REJECTED, "url_invalid"),
        (Card("题", "", layout="diagonal"), Fault.REJECTED, "layout_unknown"),
        (Card("题", "", height="huge"), Fault.REJECTED, "height_unknown"),
        (Card("题", "", width="wide"), Fault.REJECTED, "width_unknown"),
        (Card("题", "", more=(Card("题", ""),) * 12), Fault.UNSUPPORTED, "too_many_cards"),
        (Card("题", "", layout="left", more=(Card("题", ""),)), Fault.REJECTED, "layout_in_carousel"),
        (
            Card("题", "", width="small", more=(Card("题", "", height="tall"),)),
            Fault.REJECTED,
            "height_too_tall",
        ),
        (Card("题", "", more=(Card("题", "", chips=CARD.chips),)), Fault.REJECTED, "carousel_nested"),
        (with_action("reply", label=""), Fault.REJECTED, "label_empty"),
        (with_action("reply", label="字" * 26), Fault.REJECTED, "label_too_long"),
        (with_action("reply", postback="x" * 2048), Fault.REJECTED, "postback_too_long"),
        (with_action("url", "tax.example.gov.cn"), Fault.REJECTED, "url_invalid"),
        (with_action("url", "https://a.cn/" + "a" * 2048), Fault.REJECTED, "url_too_long"),
        (with_action("url", "https://a.cn/\n"), Fault.REJECTED, "url_invalid"),
        (with_action("dial", "0471-12366"), Fault.REJECTED, "phone_invalid"),
        (with_action("calendar", "2024-06-01"), Fault.REJECTED, "calendar_time_invalid"),
        (Card("题", "", image_url="file:///etc/passwd"), Fault.REJECTED, "url_invalid"),
        (Card("\ud800", ""), Fault.REJECTED, "text_not_unicode"),
        (with_action("reply", postback="\ud800"), Fault.REJECTED, "text_not_unicode"),
    ],
)
async def test_unusable_cards_never_leave(card: Card, fault: Fault, code: str) -> None:
    subject = offline()
    [result] = await subject.send([plain("k", "13800138000", "短信", card)])
    assert (result.key, result.outcome, result.fault, result.code) == ("k", Outcome.REFUSED, fault, code)


@pytest.mark.parametrize(
    ("card", "place"),
    [
        (Card("题" * 201, ""), "title"),
        (Card("题", "", more=(Card("题", ""), Card("题", "文" * 2001))), "more.1.body"),
        (Card("题", "", more=(Card("", ""),)), "more.0.title"),
        (with_action("dial", "x"), "actions.0.value"),
        (with_action("reply", label="字" * 26), "actions.0.label"),
        (Card("题", "", chips=(*CARD.chips, Action("reply", ""))), "chips.1.label"),
        (Card("题", "", more=(with_action("map", "0,181,x"),)), "more.0.actions.0.value"),
    ],
)
def test_an_error_names_its_place(card: Card, place: str) -> None:
    with pytest.raises(ContentError, match=f"{place}: ") as caught:
        check_card(card)
    assert caught.value.place == place


def test_gaps_are_filled_later() -> None:
    card = with_action("url", "", label="")
    check_card(card, unfinished={"actions.0.value", "actions.0.label"}.__contains__)
    with pytest.raises(ContentError, match="label_too_long"):
        check_card(with_action("url", "", label="字" * 26), unfinished=lambda _: True)


def test_cards_that_lie_and_carousels() -> None:
    lying = compose_card(Card("题", "", layout="right"), KEY)["message"]["generalPurposeCard"]["layout"]
    assert lying == {"cardOrientation": "HORIZONTAL", "imageAlignment": "RIGHT"}
    document = compose_card(replace(CARD, width="small", more=(with_action("map", "12366大厅"),)), KEY)
    CARD_SCHEMA(document, "")
    carousel = document["message"]["generalPurposeCardCarousel"]
    assert carousel["layout"] == {"cardWidth": "SMALL_WIDTH"}
    assert [content["title"] for content in carousel["content"]] == ["示例标题", "标题"]
    place = compose_card(with_action("map", "40.8,111.7,办税服务厅"), KEY)
    CARD_SCHEMA(place, "")


@pytest.mark.parametrize(
    ("message", "fault", "code"),
    [
        (plain("k", "12345"), Fault.INVALID_ADDRESS, "address_invalid"),
        (plain("k", "１３８００１３８０００"), Fault.INVALID_ADDRESS, "address_invalid"),
        (plain("K", "13800138000"), Fault.REJECTED, "key_invalid"),
        (plain("k", "13800138000", " "), Fault.REJECTED, "text_empty"),
        (plain("k", "13800138000", "字" * 2001), Fault.REJECTED, "text_too_long"),
        (plain("k", "13800138000", "", CARD), Fault.REJECTED, "sms_text_empty"),
        (plain("k", "13800138000", "\ud800"), Fault.REJECTED, "text_not_unicode"),
    ],
)
async def test_unusable_messages_never_leave(message: Any, fault: Fault, code: str) -> None:
    [result] = await offline().send([message])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, fault, code)


def answer(document: Any, status: int = 200, **headers: str) -> Response:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return Response(status, headers, body)


@pytest.mark.parametrize(
    ("response", "outcome", "fault", "code"),
    [
        (answer({"errorCode": 0, "messageId": "m"}), Outcome.ACCEPTED, None, ""),
        (answer({"errorCode": "0", "messageId": "m"}), Outcome.ACCEPTED, None, ""),
        (answer({"errorCode": "30003"}), Outcome.REFUSED, Fault.THROTTLED, "30003"),
        (answer({"errorCode": 30001}), Outcome.REFUSED, Fault.THROTTLED, "30001"),
        (answer({"errorCode": 48001}), Outcome.REFUSED, Fault.MISCONFIGURED, "48001"),
        (answer({"errorCode": 30008}), Outcome.REFUSED, Fault.MISCONFIGURED, "30008"),
        (answer({"errorCode": 42001}), Outcome.REFUSED, Fault.UNAUTHORIZED, "42001"),
        (answer({"errorCode": 46001}), Outcome.REFUSED, Fault.INVALID_ADDRESS, "46001"),
        (answer({"errorCode": 40018}), Outcome.REFUSED, Fault.REJECTED, "40018"),
        (answer({"errorCode": 60001}), Outcome.REFUSED, Fault.REJECTED, "60001"),
        (answer({"errorCode": -1}), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "-1"),
        (answer({"errorCode": -2}), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "-2"),
        (answer({"errorCode": 40013}), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "40013"),
        (answer({"errorCode": 81234}), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "81234"),
        (answer({"messageId": "m"}), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "unreadable"),
        (answer({"errorCode": True}), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "unreadable"),
        (answer({"errorCode": 0.0}), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "unreadable"),
        (answer(b"<html>"), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "unreadable"),
        (answer([]), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "unreadable"),
        (answer({"errorCode": 0}, 202), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "unreadable"),
        (answer({"errorCode": 30003}, 503), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "http_503"),
        (answer(b"", 302), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "http_302"),
        (answer(b"", 400), Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, "http_400"),
        (answer(b"", 401), Outcome.REFUSED, Fault.UNAUTHORIZED, "http_401"),
        (answer(b"", 404), Outcome.REFUSED, Fault.MISCONFIGURED, "http_404"),
        (answer(b"", 429), Outcome.REFUSED, Fault.THROTTLED, "http_429"),
    ],
)
def test_what_an_answer_says(response: Response, outcome: Outcome, fault: Fault | None, code: str) -> None:
    result = classify("k", response, NOW, False)
    assert (result.key, result.outcome, result.fault, result.code) == ("k", outcome, fault, code)


@given(st.integers(-(10**9) + 1, 10**9 - 1), st.sampled_from([200, 400, 500, 502, 504]))
def test_only_known_codes_are_certain(code: int, status: int) -> None:
    result = classify("k", answer({"errorCode": code}, status), NOW, False)
    if status >= 500:
        assert result.outcome is Outcome.UNKNOWN
    elif code and code not in FAULT_OF:
        assert (result.outcome, result.code) == (Outcome.UNKNOWN, str(code))


def test_busy_is_certain_only_where_the_operator_says_so() -> None:
    result = classify("k", answer({"errorCode": -1}), NOW, True)
    assert (result.outcome, result.fault) == (Outcome.REFUSED, Fault.THROTTLED)
    assert classify("k", answer({"errorCode": -2}), NOW, True).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("now", "code", "until"),
    [
        ("2024-04-25T15:59:59+00:00", 30001, "2024-04-25T16:00:00+00:00"),
        ("2024-04-25T16:00:00+00:00", 30001, "2024-04-26T16:00:00+00:00"),
        ("2024-01-30T17:00:00+00:00", 30002, "2024-01-31T16:00:00+00:00"),
        ("2024-12-31T12:00:00+00:00", 30002, "2024-12-31T16:00:00+00:00"),
        ("2024-02-29T12:00:00+00:00", 30004, "2024-12-31T16:00:00+00:00"),
    ],
)
def test_quotas_come_back_at_midnight_in_china(now: str, code: int, until: str) -> None:
    here = datetime.fromisoformat(now)
    assert pause_after(code, here.timestamp()) == datetime.fromisoformat(until) - here


@pytest.mark.parametrize(("told", "pause"), [("7", timedelta(seconds=7)), ("soon", None), ("", None)])
def test_retry_after_of_http(told: str, pause: timedelta | None) -> None:
    result = classify("k", answer(b"", 429, **{"retry-after": told}), NOW, False)
    assert result.retry_after == pause


@pytest.mark.parametrize(
    ("response", "refused"),
    [
        (answer({"errorCode": 40014}), True),
        (answer({"errorCode": "41001"}), True),
        (answer(b"", 401), True),
        (answer({"errorCode": 0}), False),
        (answer({"errorCode": 40018}), False),
        (answer({"errorCode": 40014}, 500), False),
        (answer(b"no"), False),
    ],
)
def test_token_refused(response: Response, refused: bool) -> None:
    assert token_refused(response) is refused


@pytest.mark.parametrize("value", ["abc", "accessToken abc", "AccessToken  abc ", " abc"])
def test_token_prefix_is_never_doubled(value: str) -> None:
    assert strip_prefix(value) == "abc"


@pytest.mark.parametrize(
    ("root", "returned", "base"),
    [
        ("https://a.cn", None, "https://a.cn"),
        ("https://a.cn", "", "https://a.cn"),
        ("https://a.cn", 7, "https://a.cn"),
        ("https://a.cn", "https://b.cn:30001/x/", "https://b.cn:30001/x"),
        ("https://a.cn", "b.cn:30001", "https://b.cn:30001"),
        ("https://a.cn", "https://b.cn/bot/v1/sip%3A1/messages", "https://b.cn"),
        ("https://a.cn", "http://b.cn", "https://a.cn"),
        ("http://a.cn", "https://b.cn", "https://b.cn"),
        ("https://a.cn", "https://user@b.cn", "https://a.cn"),
        ("https://a.cn", "file:///etc/passwd", "https://a.cn"),
        ("https://a.cn", "https://[", "https://a.cn"),
    ],
)
def test_base_that_comes_with_a_token(root: str, returned: Any, base: str) -> None:
    assert resolve_base(root, returned) == base


@pytest.mark.parametrize(
    "changes",
    [
        {"server_root": "maap.example.cn"},
        {"server_root": "ftp://maap.example.cn"},
        {"server_root": "https://u:p@maap.example.cn"},
        {"server_root": "https://maap.example.cn/bot/v1/x"},
        {"server_root": "https://maap.example.cn?a=1"},
        {"chatbot_id": "106500000"},
        {"chatbot_id": "sip%3A106500000%40botplatform.rcs.chinaunicom.cn"},
        {"app_id": ""},
        {"app_key": ""},
        {"callback_token": ""},
        {"timeout": 0},
        {"concurrency": 0},
        {"traffic_type": "spam"},
        {"more": 1},
    ],
)
def test_unusable_settings(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config("https://maap.example.cn", **changes)


def test_settings_keep_their_secrets() -> None:
    shown = repr(config("https://maap.example.cn/base/"))
    assert "key-1" not in shown
    assert "tok123" not in shown
    assert config("https://maap.example.cn/base/").server_root == "https://maap.example.cn/base"
