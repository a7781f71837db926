"""The one model of a card: its limits, and its form as GSMA rich card and suggestion JSON.

Source: chatbot_message_schema (RCC.07 §3.6), read strictly. What breaks a limit raises `ContentError`, which
names the rule and the place, so that nothing leaves that a platform must refuse and that staff can be told
when they save a text. Lengths are counted in characters (Unicode code points), as JSON Schema does.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from channels.base import Action, Card
from channels.errors import Fault

CARD_TYPE = "application/vnd.gsma.botmessage.v1.0+json"
CHIPS_TYPE = "application/vnd.gsma.botsuggestion.v1.0+json"

TITLE_LENGTH, BODY_LENGTH, LABEL_LENGTH, POSTBACK_LENGTH = 200, 2000, 25, 2048
URL_LENGTH, EVENT_TITLE_LENGTH, PLACE_LENGTH, SEARCH_LENGTH = 2048, 100, 100, 200
MOST_ACTIONS, MOST_CHIPS, MOST_CARDS = 4, 11, 12
KINDS = ("reply", "url", "dial", "calendar", "map")
LAYOUTS = ("vertical", "left", "right")
HEIGHTS = ("short", "medium", "tall")
WIDTHS = ("small", "medium")

_LONGEST_KEY = "0" * 16
_POSTBACK = re.compile(r"([0-9a-z]{1,16})\.([A-Za-z0-9_-]*)")
_PHONE = re.compile(r"\+?[0-9]{3,20}")
_POINT = re.compile(r"\s*(-?[0-9]{1,2}(?:\.[0-9]+)?)\s*,\s*(-?[0-9]{1,3}(?:\.[0-9]+)?)\s*,(.*)", re.DOTALL)


class ContentError(Exception):
    """A message that the schema forbids. `code` names the broken rule, `place` where it stands in the card,
    such as `actions.0.label` or `more.1.title`."""

    def __init__(self, code: str, fault: Fault = Fault.REJECTED, place: str = "") -> None:
        super().__init__(f"{place}: {code}" if place else code)
        self.code = code
        self.fault = fault
        self.place = place


def pack_postback(key: str, postback: str) -> str:
    """What a button sends back when it is pressed: the key, and the template's own token in base64url."""
    return f"{key}.{base64.urlsafe_b64encode(postback.encode()).decode().rstrip('=')}"


def unpack_postback(data: str) -> tuple[str, str]:
    """Key and token of a pressed button; an empty key if the button is none of ours."""
    match = _POSTBACK.fullmatch(data)
    if match is None:
        return "", data
    key, token = match.groups()
    try:
        return key, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", data


def check_length(value: str, most: int, code: str, place: str = "") -> str:
    """The value, if it is not longer than allowed. Raises ContentError(`code`)."""
    if len(value) > most:
        raise ContentError(code, place=place)
    return value


def check_url(url: str, place: str = "", schemes: tuple[str, ...] = ("https",)) -> str:
    """The URL, if a phone can open it. Raises ContentError."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise ContentError("url_invalid", place=place)
    return check_length(url, URL_LENGTH, "url_too_long", place)


def check_picture_url(url: str, place: str = "image_url") -> str:
    """The URL of a picture: the platform's own, and some hand out http. Raises ContentError."""
    return check_url(url, place, ("https", "http"))


def cards_of(card: Card) -> tuple[tuple[str, Card], ...]:
    """All cards of a message, each with the prefix of its places."""
    return ("", card), *((f"more.{number}.", other) for number, other in enumerate(card.more))


def check_card(card: Card, unfinished: Callable[[str], bool] = lambda _: False) -> None:
    """Check a message's cards and chips. Raises ContentError for the first limit that is broken.

    `unfinished` tells of a place that its text still has gaps to be filled: then only its length counts.
    """
    _check_shape(card)
    for prefix, each in cards_of(card):
        check_length(each.title, TITLE_LENGTH, "title_too_long", f"{prefix}title")
        check_length(each.body, BODY_LENGTH, "body_too_long", f"{prefix}body")
        picture, filled = f"{prefix}image_url", unfinished(f"{prefix}image_url")
        if each.image_url and not filled:
            check_picture_url(each.image_url, picture)
        gaps = any(unfinished(f"{prefix}{name}") for name in ("title", "body", "image_url"))
        if not (each.title or each.body or each.image_url or gaps):
            raise ContentError("card_empty", place=f"{prefix}title")
        _check_actions(each.actions, f"{prefix}actions", MOST_ACTIONS, unfinished)
    _check_actions(card.chips, "chips", MOST_CHIPS, unfinished)


def _check_shape(card: Card) -> None:
    if len(card.more) >= MOST_CARDS:
        raise ContentError("too_many_cards", Fault.UNSUPPORTED, "more")
    if card.width not in WIDTHS:
        raise ContentError("width_unknown", place="width")
    for prefix, each in cards_of(card):
        for name, value, known in (("layout", each.layout, LAYOUTS), ("height", each.height, HEIGHTS)):
            if value not in known:
                raise ContentError(f"{name}_unknown", place=f"{prefix}{name}")
        if card.more and each.layout != "vertical":
            raise ContentError("layout_in_carousel", place=f"{prefix}layout")
        if card.more and card.width == "small" and each.height == "tall":
            raise ContentError("height_too_tall", place=f"{prefix}height")
        if prefix and (each.more or each.chips):
            raise ContentError("carousel_nested", place=f"{prefix}{'more' if each.more else 'chips'}")


def _check_actions(
    actions: Sequence[Action], place: str, most: int, unfinished: Callable[[str], bool]
) -> None:
    if len(actions) > most:
        raise ContentError(f"too_many_{place.rpartition('.')[2]}", Fault.UNSUPPORTED, place)
    for number, action in enumerate(actions):
        at = f"{place}.{number}"
        if not action.label and not unfinished(f"{at}.label"):
            raise ContentError("label_empty", place=f"{at}.label")
        data = pack_postback(_LONGEST_KEY, action.postback)
        check_length(data, POSTBACK_LENGTH, "postback_too_long", f"{at}.postback")
        check_length(action.label, LABEL_LENGTH, "label_too_long", f"{at}.label")
        if action.kind not in KINDS:
            raise ContentError("action_kind_unknown", Fault.UNSUPPORTED, f"{at}.kind")
        if action.kind != "reply" and not unfinished(f"{at}.value"):
            _FORMS[action.kind](action, "", f"{at}.value")


def _open_url(action: Action, _title: str, place: str) -> dict[str, Any]:
    return {"urlAction": {"openUrl": {"url": check_url(action.value, place), "application": "browser"}}}


def _dial(action: Action, _title: str, place: str) -> dict[str, Any]:
    if not _PHONE.fullmatch(action.value):
        raise ContentError("phone_invalid", place=place)
    return {"dialerAction": {"dialPhoneNumber": {"phoneNumber": action.value}}}


def _instant(text: str, place: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ContentError("calendar_time_invalid", place=place) from None
    if instant.tzinfo is None or "T" not in text:
        raise ContentError("calendar_time_invalid", place=place)
    return instant


def _calendar(action: Action, title: str, place: str) -> dict[str, Any]:
    start, _, end = action.value.partition("/")
    if _instant(start, place) > _instant(end, place):
        raise ContentError("calendar_ends_before_start", place=place)
    event = {"startTime": start, "endTime": end, "title": (title or action.label)[:EVENT_TITLE_LENGTH]}
    return {"calendarAction": {"createCalendarEvent": event}}


def _map(action: Action, _title: str, place: str) -> dict[str, Any]:
    location: dict[str, Any] = {"query": action.value.strip()}
    if match := _POINT.fullmatch(action.value):
        latitude, longitude, name = float(match[1]), float(match[2]), match[3].strip()
        if abs(latitude) > 90 or abs(longitude) > 180 or not 0 < len(name) <= PLACE_LENGTH:
            raise ContentError("location_invalid", place=place)
        location = {"latitude": latitude, "longitude": longitude, "label": name}
    elif not 0 < len(location["query"]) <= SEARCH_LENGTH:
        raise ContentError("location_invalid", place=place)
    return {"mapAction": {"showLocation": {"location": location}}}


_FORMS = {"url": _open_url, "dial": _dial, "calendar": _calendar, "map": _map}


def _suggestions(actions: Sequence[Action], title: str, key: str) -> Iterator[dict[str, Any]]:
    for action in actions:
        pressed = {"displayText": action.label, "postback": {"data": pack_postback(key, action.postback)}}
        if action.kind == "reply":
            yield {"reply": pressed}
        else:
            yield {"action": {**_FORMS[action.kind](action, title, ""), **pressed}}


def compose_card(
    card: Card, key: str, pictures: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """The JSON of a single card, or of a carousel if there is `more`.

    `pictures` describes each `image_url` as the platform keeps it: mediaUrl, mediaContentType, mediaFileSize.
    Raises ContentError. Absent parts are left out: platforms refuse fields that are present and empty.
    """
    check_card(card)
    contents = [_content(each, key, pictures or {}) for _, each in cards_of(card)]
    if card.more:
        layout = {"cardWidth": f"{card.width.upper()}_WIDTH"}
        return {"message": {"generalPurposeCardCarousel": {"layout": layout, "content": contents}}}
    layout = {"cardOrientation": "VERTICAL"}
    if card.layout != "vertical":
        layout = {"cardOrientation": "HORIZONTAL", "imageAlignment": card.layout.upper()}
    return {"message": {"generalPurposeCard": {"layout": layout, "content": contents[0]}}}


def _content(card: Card, key: str, pictures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if card.image_url:
        content["media"] = {**pictures[card.image_url], "height": f"{card.height.upper()}_HEIGHT"}
    if card.title:
        content["title"] = card.title
    if card.body:
        content["description"] = card.body
    if card.actions:
        content["suggestions"] = list(_suggestions(card.actions, card.title, key))
    return content


def compose_chips(card: Card, key: str) -> dict[str, Any]:
    """The JSON of a card's chips. Raises ContentError."""
    _check_actions(card.chips, "chips", MOST_CHIPS, lambda _: False)
    return {"suggestions": list(_suggestions(card.chips, card.title, key))}
