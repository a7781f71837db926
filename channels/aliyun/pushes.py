"""HTTP batch pushes: how they are read and answered. Source: protocol sheet `aliyun_dysms`, section 4."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from channels.base import WebhookReply
from channels.errors import WebhookRejected

CHINA = timezone(timedelta(hours=8), "UTC+8")
LONGEST_TEXT = 2000
REPLY = WebhookReply(
    200, {"content-type": "application/json; charset=utf-8"}, '{"code":0,"msg":"成功"}'.encode()
)

_OUR_KEY = re.compile(r"[0-9a-z]{1,16}")
_COUNTRY = re.compile(r"(?:\+86|0086|86)(?=1\d{10}\Z)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_ANYTHING = TypeAdapter(list[object])

Item = TypeVar("Item", bound=BaseModel)


def read_items(body: bytes, whole: TypeAdapter[list[Item]], one: Callable[[object], Item]) -> list[Item]:
    """The items of a push that can be read. Raises WebhookRejected if there is none."""
    try:
        return whole.validate_json(body)
    except ValidationError:
        return _salvage(body, one)


def _salvage(body: bytes, one: Callable[[object], Item]) -> list[Item]:
    # A push carries hundreds of reports and is repeated three times at most: one that cannot be read must
    # not cost the others.
    try:
        raw = _ANYTHING.validate_json(body)
    except ValidationError:
        raise WebhookRejected("not a JSON array of objects") from None
    good: list[Item] = []
    for item in raw:
        try:
            good.append(one(item))
        except ValidationError:
            continue
    if not good:
        raise WebhookRejected("no item of the push has the documented fields")
    return good


def local_number(number: str) -> str:
    """A mobile number without +86, 0086 or 86, so that the same phone is written in one way."""
    return _COUNTRY.sub("", number.strip())


def our_key(out_id: str | None) -> str:
    """An OutId if it can be a key of ours, or an empty string."""
    return out_id if out_id and _OUR_KEY.fullmatch(out_id) else ""


def clean(text: str | None) -> str:
    """A text without what PostgreSQL cannot store."""
    # One NUL would cost the whole group its commit.
    return (text or "").replace("\x00", "")


def read_moment(text: str | None) -> datetime | None:
    """A time of China, or None if it is none."""
    # As ISO 8601, since a format string took a third of a push's time; the pattern keeps other forms out.
    if text is None or _MOMENT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=CHINA).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
