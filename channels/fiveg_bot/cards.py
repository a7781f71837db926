"""A neutral `Card` as GSMA rich card and suggestion JSON (chatbot_message_schema, read strictly).

Nothing leaves that the schema forbids: a card that breaks a limit raises `ContentError` with a code that
names the limit. Lengths are counted in characters (Unicode code points), as JSON Schema does.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from channels.base import Action, Card
from channels.errors import Fault
from channels.fiveg_bot.keys import pack_postback

CARD_TYPE = "application/vnd.gsma.botmessage.v1.0+json"
CHIPS_TYPE = "application/vnd.gsma.botsuggestion.v1.0+json"

TITLE_LENGTH, BODY_LENGTH, LABEL_LENGTH, POSTBACK_LENGTH = 200, 2000, 25, 2048
URL_LENGTH, EVENT_TITLE_LENGTH = 2048, 100
MOST_ACTIONS, MOST_CHIPS = 4, 11

_PHONE = re.compile(r"\+?[0-9]{3,20}")


class ContentError(Exception):
    """A message that the platform's schema forbids. `code` names the broken rule."""

    def __init__(self, code: str, fault: Fault = Fault.REJECTED) -> None:
        super().__init__(code)
        self.code = code
        self.fault = fault


def check_length(value: str, most: int, code: str) -> str:
    """The value, if it is not longer than allowed. Raises ContentError(`code`)."""
    if len(value) > most:
        raise ContentError(code)
    return value


def check_url(url: str) -> str:
    """The URL, if a phone can open it. Raises ContentError."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise ContentError("url_invalid")
    return check_length(url, URL_LENGTH, "url_too_long")


def _open_url(action: Action, _: Card) -> dict[str, Any]:
    return {"urlAction": {"openUrl": {"url": check_url(action.value), "application": "browser"}}}


def _dial(action: Action, _: Card) -> dict[str, Any]:
    if not _PHONE.fullmatch(action.value):
        raise ContentError("phone_invalid")
    return {"dialerAction": {"dialPhoneNumber": {"phoneNumber": action.value}}}


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ContentError("calendar_time_invalid") from None
    if instant.tzinfo is None or "T" not in text:
        raise ContentError("calendar_time_invalid")
    return instant


def _calendar(action: Action, card: Card) -> dict[str, Any]:
    start, _, end = action.value.partition("/")
    if _instant(start) > _instant(end):
        raise ContentError("calendar_ends_before_start")
    title = (card.title or action.label)[:EVENT_TITLE_LENGTH]
    return {"calendarAction": {"createCalendarEvent": {"startTime": start, "endTime": end, "title": title}}}


_ACTIONS = {"url": _open_url, "dial": _dial, "calendar": _calendar}


def _suggestion(action: Action, card: Card, key: str) -> dict[str, Any]:
    if not action.label:
        raise ContentError("label_empty")
    data = check_length(pack_postback(key, action.postback), POSTBACK_LENGTH, "postback_too_long")
    label = check_length(action.label, LABEL_LENGTH, "label_too_long")
    pressed = {"displayText": label, "postback": {"data": data}}
    if action.kind == "reply":
        return {"reply": pressed}
    if action.kind not in _ACTIONS:
        raise ContentError("action_kind_unknown", Fault.UNSUPPORTED)
    return {"action": {**_ACTIONS[action.kind](action, card), **pressed}}


def _suggestions(
    actions: Sequence[Action], card: Card, key: str, most: int, code: str
) -> list[dict[str, Any]]:
    if len(actions) > most:
        raise ContentError(code, Fault.UNSUPPORTED)
    return [_suggestion(action, card, key) for action in actions]


def compose_card(card: Card, key: str, media: dict[str, Any] | None = None) -> dict[str, Any]:
    """The contentText of a single vertical card. `media` is the card's picture, already described.

    Raises ContentError. Absent parts are left out: the platform refuses fields that are present and empty.
    """
    content: dict[str, Any] = {}
    if media:
        content["media"] = media
    if card.title:
        content["title"] = check_length(card.title, TITLE_LENGTH, "title_too_long")
    if card.body:
        content["description"] = check_length(card.body, BODY_LENGTH, "body_too_long")
    if not content:
        raise ContentError("card_empty")
    if card.actions:
        content["suggestions"] = _suggestions(card.actions, card, key, MOST_ACTIONS, "too_many_actions")
    layout = {"cardOrientation": "VERTICAL"}
    return {"message": {"generalPurposeCard": {"layout": layout, "content": content}}}


def compose_chips(card: Card, key: str) -> dict[str, Any]:
    """The contentText of a card's chips. Raises ContentError."""
    return {"suggestions": _suggestions(card.chips, card, key, MOST_CHIPS, "too_many_chips")}
