"""The typed fields of category templates (类目模板): the prefix of a key tells what its value may be.

Only what the platform certainly refuses is refused here; where its rule is vague, the platform decides.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

_KEY = re.compile(r"([a-z]+(?:_[a-z]+)*)\d{1,3}")
_HAN = r"\u2e80-\u2ef3\u3005\u3007\u31c0-\u31e5\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_DATE = r"\d{4}(?:年\d{1,2}月\d{1,2}日|-\d{1,2}-\d{1,2})"
_TIME = rf"(?:{_DATE} *)?\d{{1,2}}:\d{{2}}(?::\d{{2}})?"
_ELLIPSIS = "…"
_JOINER = "\u200d"
_SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


class FieldInvalid(Exception):
    """A value that the platform would refuse. `field` is the template's key."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value may be: at most `limit` characters that match `pattern`; `shorten`: cut rather than
    refuse."""

    limit: int
    pattern: re.Pattern[str]
    shorten: bool = False


def _rule(limit: int, pattern: str, *, shorten: bool = False) -> Rule:
    return Rule(limit, re.compile(pattern, re.DOTALL), shorten)


RULES: Mapping[str, Rule] = {
    "thing": _rule(20, ".+", shorten=True),
    "short_thing": _rule(5, ".+"),
    "number": _rule(33, r"\d{1,32}|\d+\.\d+"),
    "letter": _rule(32, "[A-Za-z]+"),
    "symbol": _rule(5, r"(?:[^\w\s]|_)+"),
    "character_string": _rule(32, rf"[^{_HAN}]+"),
    "time": _rule(64, rf"{_TIME}(?: *~ *{_TIME})?"),
    "date": _rule(64, rf"{_DATE}(?: *~ *{_DATE})?"),
    "amount": _rule(24, r"[^\w\s+-]?\d{1,10}(?:\.\d+)?元?"),
    "phone_number": _rule(17, r"[0-9+-]+"),
    "car_number": _rule(8, ".+"),
    "name": _rule(20, rf"[^{_HAN}]+|.{{1,10}}"),
    "phrase": _rule(5, rf"[{_HAN}]+"),
    "const": _rule(64, ".+"),
    "enum": _rule(64, ".+"),
}


def fit(key: str, value: str) -> str:
    """The value as it may be sent: white space folded, a `thing` cut to 20 characters with an ellipsis.
    Raises FieldInvalid."""
    named = _KEY.fullmatch(key)
    rule = RULES.get(named[1]) if named else None
    if rule is None:
        raise FieldInvalid(key)
    value = value.strip() if value.isprintable() else " ".join(_plain(value).split())
    if len(value) > rule.limit and rule.shorten:
        value = _cut(value, rule.limit)
    if len(value) > rule.limit or not rule.pattern.fullmatch(value):
        raise FieldInvalid(key)
    return value


def _plain(value: str) -> str:
    return "".join(" " if unicodedata.category(char) == "Cc" else char for char in value)


def _cut(value: str, limit: int) -> str:
    end = limit - 1
    # Half an emoji or a letter without its accent would look like a fault of ours.
    while end and (_continues(value[end]) or value[end - 1] == _JOINER):
        end -= 1
    return value[:end].rstrip() + _ELLIPSIS


def _continues(char: str) -> bool:
    return char == _JOINER or char in _SKIN_TONES or unicodedata.category(char) in ("Mn", "Me")
