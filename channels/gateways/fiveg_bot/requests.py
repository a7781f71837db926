"""The body of `POST /messages`, checked and reduced to what the simulated network needs."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from channels.gateways.fiveg_bot.schema import (
    BAD_PARAMETER,
    CARD,
    FILES,
    MESSAGE_TYPE,
    SUGGESTIONS,
    TEXT_LENGTH,
    Check,
    Violation,
    array,
    flag,
    one_of,
    record,
    text,
)

SENDER_MISMATCH = 30008
STATUSES = ("sent", "failed", "delivered", "displayed", "deliveredToNetwork")
_CHIPS = "application/vnd.gsma.botsuggestion.v1.0+json"
_CONTENTS: dict[str, Check] = {
    "text/plain": text(1, 2000, TEXT_LENGTH),
    "application/vnd.gsma.rcs-ft-http": FILES,
    "application/vnd.gsma.botmessage.v1.0+json": CARD,
    _CHIPS: SUGGESTIONS,
}


def _anything(value: Any, where: str) -> None:
    """`record` has seen to it that it is not empty; the content type decides the rest."""


_ELEMENT = record(
    {"contentType": text(1, 100), "contentText": _anything}, {"contentEncoding": one_of("utf8", "base64")}
)
_REQUEST = record(
    {
        "messageId": text(1, 128),
        "messageList": array(1, 4, _ELEMENT),
        "destinationAddress": array(1, 1, text(1, 40, pattern=r"tel:\+86[0-9]{11}")),
        "senderAddress": text(1, 256),
        "conversationId": text(1, 128),
        "contributionId": text(1, 128),
        "serviceCapability": array(1, 4, record({"capabilityId": text(1, 64), "version": text(1, 128)})),
        "smsSupported": flag,
    },
    {
        "trafficType": one_of("advertisement", "payment", "premium", "subscription", "token"),
        "smsContent": text(1, 10_000),
        "storeSupported": flag,
        "imFormat": one_of("IM", "LargerMode", "PagerMode"),
        "inReplyTo": text(1, 128),
        "reportRequest": array(1, 5, one_of(*STATUSES)),
    },
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that the platform took.

    `text` is what a person would read: a card's title and body, or the text. `buttons` are label and
    postback data of all that can be pressed. `sms` is the fallback's text, empty if there is to be none.
    """

    message_id: str
    conversation_id: str
    contribution_id: str
    address: str
    text: str
    buttons: tuple[tuple[str, str], ...]
    media_urls: tuple[str, ...]
    sms: str
    store: bool
    reports: frozenset[str]


def _cards(content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, dict) or "message" not in content:
        return []
    [(kind, card)] = content["message"].items()
    return [card["content"]] if kind == "generalPurposeCard" else card["content"]


def _readable(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [card[name] for card in _cards(content) for name in ("title", "description") if name in card]


def _buttons(content: Any) -> list[tuple[str, str]]:
    lists = [card.get("suggestions", []) for card in _cards(content)]
    if isinstance(content, dict):
        lists.append(content.get("suggestions", []))
    pressed = [button for suggestions in lists for entry in suggestions for button in entry.values()]
    return [(button["displayText"], button.get("postback", {}).get("data", "")) for button in pressed]


def _media_urls(content: Any) -> list[str]:
    files = [file["url"] for file in content] if isinstance(content, list) else []
    media = [card["media"] for card in _cards(content) if "media" in card]
    return files + [m[name] for m in media for name in ("mediaUrl", "thumbnailUrl") if name in m]


def _decoded(element: dict[str, Any]) -> Any:
    content = element["contentText"]
    if element.get("contentEncoding") != "base64":
        return content
    try:
        raw = base64.b64decode(content, validate=True)
        return raw.decode() if element["contentType"] == "text/plain" else orjson.loads(raw)
    except (TypeError, ValueError, binascii.Error):
        raise Violation(BAD_PARAMETER, "messageList.contentText") from None


def read_send(request: Any, chatbot_id: str, warnings: list[str] | None = None) -> Accepted:
    """Check a send. Raises Violation. With `warnings`, breaches of the card schemas are noted there only:
    the official samples contain some."""
    _REQUEST(request, "")
    if request["senderAddress"] != chatbot_id:
        raise Violation(SENDER_MISMATCH, "senderAddress")
    if request["smsSupported"] and "smsContent" not in request:
        raise Violation(BAD_PARAMETER, "smsContent")
    contents = tuple(_read_element(element, warnings) for element in request["messageList"])
    if all(element["contentType"] == _CHIPS for element in request["messageList"]):
        raise Violation(BAD_PARAMETER, "messageList")
    try:
        readable = "\n".join(part for content in contents for part in _readable(content))
        buttons = tuple(button for content in contents for button in _buttons(content))
        media_urls = tuple(url for content in contents for url in _media_urls(content))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Violation(BAD_PARAMETER, "messageList") from None
    return Accepted(
        request["messageId"],
        request["conversationId"],
        request["contributionId"],
        request["destinationAddress"][0].removeprefix("tel:+86"),
        readable,
        buttons,
        media_urls,
        request["smsContent"] if request["smsSupported"] else "",
        request.get("storeSupported", True),
        frozenset(request.get("reportRequest", ())),
    )


def _read_element(element: dict[str, Any], warnings: list[str] | None) -> Any:
    kind, content = element["contentType"], _decoded(element)
    check = _CONTENTS.get(kind)
    if check is None:
        raise Violation(MESSAGE_TYPE, "messageList.contentType")
    try:
        check(content, kind)
    except Violation as violation:
        if warnings is None or kind == "text/plain":
            raise
        warnings.append(str(violation))
    return content
