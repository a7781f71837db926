"""Paging that does not skip or repeat while rows are added: a cursor is the last row's key, opaque."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outreach.errors import InvalidInput

PAGE = 50
LARGEST = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows and the cursor of the next page, None at the end."""

    rows: list[dict[str, Any]]
    next: str | None


def encode_cursor(*key: Any) -> str:
    """A cursor for a key of numbers and strings."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, size: int) -> list[Any]:
    """The key again. Raises InvalidInput for anything that we did not make."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("翻页标记无效，请从第一页重新开始。", field="cursor") from error
    if not isinstance(key, list) or len(key) != size or not all(isinstance(p, str | int) for p in key):
        raise InvalidInput("翻页标记无效，请从第一页重新开始。", field="cursor")
    return key


def decode_numbers(cursor: str, size: int) -> list[int]:
    """`decode_cursor` for keys of whole numbers of at most 63 bits."""
    key = decode_cursor(cursor, size)
    if not all(type(part) is int and abs(part) < 2**63 for part in key):
        raise InvalidInput("翻页标记无效，请从第一页重新开始。", field="cursor")
    return key


def page_of(rows: Sequence[dict[str, Any]], limit: int, *key: str) -> Page:
    """Cut `limit + 1` fetched rows to a page; `key` names the columns of the cursor."""
    more = len(rows) > limit
    shown = list(rows[:limit])
    return Page(shown, encode_cursor(*(shown[-1][name] for name in key)) if more else None)
