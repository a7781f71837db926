"""The JSON that the platform accepts, as checks: the send request and the GSMA card and suggestion schemas.

Written from the protocol (sections 4 and 9, and the schema chatbot_message_schema). A check takes a value
and where it stands, and raises `Violation` with the platform's return code.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

BAD_PARAMETER = 20002
FILE_SIZE, MEDIA_URL, MESSAGE_TYPE = 40006, 40007, 40008
BUTTON_COUNT, BUTTON_TYPE, BUTTON_NAME, BUTTON_KEY, BUTTON_URL = 40016, 40017, 40018, 40019, 40020
TEXT_LENGTH, FILE_COUNT = 40021, 40040


class Violation(Exception):
    """What the platform refuses, and where it stands."""

    def __init__(self, code: int, where: str) -> None:
        super().__init__(f"{code} {where}")
        self.code = code
        self.where = where


Check = Callable[[Any, str], None]


_BLANKS: tuple[Any, ...] = (None, "", [])


def text(least: int, most: int, code: int = BAD_PARAMETER, pattern: str = "") -> Check:
    """A string of so many characters."""
    matcher = re.compile(pattern) if pattern else None

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str) or len(value) < least:
            raise Violation(BAD_PARAMETER, where)
        if len(value) > most or (matcher and not matcher.fullmatch(value)):
            raise Violation(code, where)

    return check


def number(least: float, most: float) -> Check:
    """A number between bounds."""

    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise Violation(BAD_PARAMETER, where)

    return check


def flag(value: Any, where: str) -> None:
    """true or false."""
    if not isinstance(value, bool):
        raise Violation(BAD_PARAMETER, where)


def instant(value: Any, where: str) -> None:
    """An RFC 3339 date-time with offset."""
    try:
        usable = "T" in value and datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise Violation(BAD_PARAMETER, where)


def one_of(*values: str) -> Check:
    """One of some words."""

    def check(value: Any, where: str) -> None:
        if value not in values:
            raise Violation(BAD_PARAMETER, where)

    return check


def array(least: int, most: int, item: Check, code: int = BAD_PARAMETER) -> Check:
    """A list of so many items."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise Violation(BAD_PARAMETER, where)
        if len(value) > most:
            raise Violation(code, where)
        for element in value:
            item(element, where)

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with all required, perhaps some optional and no other fields, none present and empty."""
    known, names = {**(optional or {}), **required}, tuple(required)

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Violation(BAD_PARAMETER, where)
        for name in names:
            if name not in value:
                raise Violation(BAD_PARAMETER, f"{where}.{name}")
        for name, inner in value.items():
            if name not in known or inner in _BLANKS:
                raise Violation(BAD_PARAMETER, f"{where}.{name}")
            known[name](inner, name)

    return check


def exactly_one(code: int = BAD_PARAMETER, **branches: Check) -> Check:
    """An object with exactly one of some fields."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict) or len(value) != 1:
            raise Violation(BAD_PARAMETER, where)
        [(name, inner)] = value.items()
        if name not in branches:
            raise Violation(code, f"{where}.{name}")
        branches[name](inner, name)

    return check


URL = text(1, 2048, BUTTON_URL, r"[a-zA-Z][a-zA-Z0-9+.-]*:\S+")
PHONE = text(1, 40, pattern=r"\+?[0-9]+")
EMPTY = record({})
_FALLBACK = {"fallbackUrl": URL}

_OPEN_URL_FIELDS = record(
    {"url": URL, "application": one_of("browser", "webview")},
    {"viewMode": one_of("full", "half", "tall"), "parameters": text(1, 200)},
)


def _open_url(value: Any, where: str) -> None:
    _OPEN_URL_FIELDS(value, where)
    if value["application"] != "webview" and ("viewMode" in value or "parameters" in value):
        raise Violation(BAD_PARAMETER, where)


_LOCATION = {"latitude": number(-90, 90), "longitude": number(-180, 180), "label": text(1, 100)}


def _location(value: Any, where: str) -> None:
    by_query = isinstance(value, dict) and "query" in value
    (record({"query": text(1, 200)}) if by_query else record(_LOCATION))(value, where)


_ACTIONS: dict[str, Check] = {
    "urlAction": exactly_one(openUrl=_open_url),
    "dialerAction": exactly_one(
        dialPhoneNumber=record({"phoneNumber": PHONE}, _FALLBACK),
        dialEnrichedCall=record({"phoneNumber": PHONE}, {"subject": text(1, 60), **_FALLBACK}),
        dialVideoCall=record({"phoneNumber": PHONE}, _FALLBACK),
    ),
    "mapAction": exactly_one(
        showLocation=record({"location": _location}, _FALLBACK), requestLocationPush=EMPTY
    ),
    "calendarAction": exactly_one(
        createCalendarEvent=record(
            {"startTime": instant, "endTime": instant, "title": text(1, 100)},
            {"description": text(1, 500), **_FALLBACK},
        )
    ),
    "composeAction": exactly_one(
        composeTextMessage=record({"phoneNumber": PHONE, "text": text(1, 100)}),
        composeRecordingMessage=record({"phoneNumber": PHONE, "type": one_of("AUDIO", "VIDEO")}),
    ),
    "deviceAction": exactly_one(requestDeviceSpecifics=EMPTY),
    "settingsAction": exactly_one(disableAnonymization=EMPTY, enableDisplayedNotifications=EMPTY),
}
_PRESSED = {"displayText": text(1, 25, BUTTON_NAME)}
_POSTBACK = {"postback": record({"data": text(1, 2048, BUTTON_KEY)})}
_ACTION_FIELDS = record(_PRESSED, {**_POSTBACK, **_ACTIONS})


def _action(value: Any, where: str) -> None:
    _ACTION_FIELDS(value, where)
    if sum([name in value for name in _ACTIONS]) != 1:
        raise Violation(BUTTON_TYPE, where)


SUGGESTION = exactly_one(BUTTON_TYPE, reply=record(_PRESSED, _POSTBACK), action=_action)
SUGGESTIONS = record({"suggestions": array(1, 11, SUGGESTION, BUTTON_COUNT)})

_MEDIA_FIELDS = record(
    {
        "mediaUrl": text(1, 2048, MEDIA_URL, r"https?://\S+"),
        "mediaContentType": text(3, 100),
        "mediaFileSize": number(1, 10 * 1024 * 1024),
        "height": one_of("SHORT_HEIGHT", "MEDIUM_HEIGHT", "TALL_HEIGHT"),
    },
    {
        "thumbnailUrl": text(1, 2048, MEDIA_URL, r"https?://\S+"),
        "thumbnailContentType": text(3, 100),
        "thumbnailFileSize": number(1, 200 * 1024),
        "contentDescription": text(1, 200),
    },
)
_THUMBNAIL = {"thumbnailUrl", "thumbnailContentType", "thumbnailFileSize"}


def _media(value: Any, where: str) -> None:
    _MEDIA_FIELDS(value, where)
    if "thumbnailUrl" in value and not value.keys() >= _THUMBNAIL:
        raise Violation(BAD_PARAMETER, where)


_CONTENT_FIELDS = record(
    {},
    {
        "media": _media,
        "title": text(1, 200, TEXT_LENGTH),
        "description": text(1, 2000, TEXT_LENGTH),
        "suggestions": array(1, 4, SUGGESTION, BUTTON_COUNT),
    },
)


def _content(value: Any, where: str) -> None:
    _CONTENT_FIELDS(value, where)
    if not value.keys() & {"media", "title", "description"}:
        raise Violation(BAD_PARAMETER, where)


_FONTS = array(1, 3, one_of("italics", "bold", "underline"))
_STYLES = {"titleFontStyle": _FONTS, "descriptionFontStyle": _FONTS, "style": text(1, 2048)}
_LAYOUT_FIELDS = record(
    {"cardOrientation": one_of("VERTICAL", "HORIZONTAL")},
    {"imageAlignment": one_of("LEFT", "RIGHT"), **_STYLES},
)


def _layout(value: Any, where: str) -> None:
    _LAYOUT_FIELDS(value, where)
    if value["cardOrientation"] == "HORIZONTAL" and "imageAlignment" not in value:
        raise Violation(BAD_PARAMETER, where)


_CAROUSEL_FIELDS = record(
    {
        "layout": record({"cardWidth": one_of("SMALL_WIDTH", "MEDIUM_WIDTH")}, _STYLES),
        "content": array(2, 12, _content),
    }
)


def _carousel(value: Any, where: str) -> None:
    _CAROUSEL_FIELDS(value, where)
    small = value["layout"]["cardWidth"] == "SMALL_WIDTH"
    if small and any(c.get("media", {}).get("height") == "TALL_HEIGHT" for c in value["content"]):
        raise Violation(BAD_PARAMETER, where)


CARD = record(
    {
        "message": exactly_one(
            generalPurposeCard=record({"layout": _layout, "content": _content}),
            generalPurposeCardCarousel=_carousel,
        )
    }
)
FILES = array(
    1,
    2,
    record(
        {"type": one_of("file", "thumbnail"), "url": text(1, 2048, MEDIA_URL, r"https?://\S+")},
        {
            "fileName": text(1, 200),
            "fileSize": number(1, 10 * 1024 * 1024),
            "contentType": text(3, 100),
            "until": text(1, 64),
        },
    ),
    FILE_COUNT,
)
