"""The filters of staff templates: what a value looks like in a text.

Each takes a value and constants and returns text. A value that does not fit raises ValueError with a Chinese
sentence; the caller adds the variable's name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from outreach.clock import in_beijing


class Missing:
    """Stands for a variable that got no value."""


MISSING: Final = Missing()

_LARGEST = 18
"""Digits before the point: the national budget in fen has 16."""
_CENT = Decimal("0.01")
# Control characters and marks that turn the direction of writing: a name with them could forge a layout.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def to_text(value: object) -> str:
    """A value without a filter: text or a number. Everything else says which filter it needs."""
    if isinstance(value, str):
        return _UNSAFE.sub("", value) if _UNSAFE.search(value) else value
    if value is None or value is MISSING:
        raise ValueError("没有值，可加 |default 或用 {% if %} 判断")
    if isinstance(value, bool):
        raise ValueError("是“是/否”，请用 {% if %} 判断")
    if isinstance(value, int | float | Decimal):
        number = _number(value)
        return f"{number.normalize():f}" if number % 1 else f"{number:.0f}"
    if isinstance(value, date | time):
        raise ValueError("是日期，请加 |date")
    if isinstance(value, list | tuple):
        raise ValueError("是多个名称，请加 |list(3)")
    raise ValueError("不是文字或数字")


def money(value: object) -> str:
    """1234.5 → 1,234.50; halves of a fen are rounded up."""
    return f"{_number(value).quantize(_CENT, ROUND_HALF_UP):,}"


def show_date(value: object, style: str = "short") -> str:
    """`short` 6月30日, `full` 2026年6月30日, `month` 6月, `day` 30日, `iso` 2026-06-30, `time` 09:30."""
    moment = _moment(value)
    if style == "time":
        if not isinstance(moment, datetime):
            raise ValueError("只有日期，没有时刻")
        return f"{moment:%H:%M}"
    formats = {
        "short": f"{moment.month}月{moment.day}日",
        "full": f"{moment.year}年{moment.month}月{moment.day}日",
        "month": f"{moment.month}月",
        "day": f"{moment.day}日",
        "iso": f"{moment:%Y-%m-%d}",
    }
    return formats[style]


def until(value: object, end: object) -> str:
    """A span without repeating what both ends share: 4月1日至15日, 4月20日至5月5日."""
    first = _moment(value)
    try:
        last = _moment(end)
    except ValueError as problem:
        raise ValueError(f"的结束日期{problem}") from None
    if (last.year, last.month, last.day) < (first.year, first.month, first.day):
        raise ValueError("的结束日期早于开始日期")
    if first.year != last.year:
        return f"{show_date(first, 'full')}至{show_date(last, 'full')}"
    return f"{show_date(first)}至{show_date(last, 'day' if first.month == last.month else 'short')}"


def mask_name(value: object) -> str:
    """A person keeps the first character (张**), a longer name its two ends (示例***公司)."""
    name = to_text(value)
    if len(name) <= 4:
        return name[:1] + "*" * (len(name) - 1)
    return f"{name[:2]}***{name[-2:]}"


def mask_mobile(value: object) -> str:
    """13800138000 → 138****8000; a number too short for that becomes stars altogether."""
    number = to_text(value)
    if len(number) < 8:
        return "*" * len(number)
    return f"{number[:3]}{'*' * (len(number) - 7)}{number[-4:]}"


def show_list(value: object, most: int = 3, unit: str = "户") -> str:
    """At most so many names: 甲公司、乙公司等5户."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise ValueError("不是多个名称")
    if not names:
        raise ValueError("没有任何名称")
    shown = "、".join(to_text(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown}等{len(names)}{unit}"


def default(value: object, substitute: str) -> object:
    """The substitute for a value that is missing or empty."""
    return substitute if value is MISSING or value is None or value == "" else value


def upto(value: object, most: int) -> str:
    """At most so many characters, the last one … if something was cut."""
    text = to_text(value)
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter's function, the types of its arguments, how many it must have; `names` if an argument may be
    a variable; `choices` for a text argument."""

    call: Callable[..., object]
    arguments: tuple[type, ...] = ()
    required: int = 0
    names: bool = False
    choices: tuple[str, ...] = ()


FILTERS: Mapping[str, Filter] = {
    "money": Filter(money),
    "date": Filter(show_date, (str,), choices=("short", "full", "month", "day", "iso", "time")),
    "until": Filter(until, (object,), required=1, names=True),
    "mask_name": Filter(mask_name),
    "mask_mobile": Filter(mask_mobile),
    "list": Filter(show_list, (int, str)),
    "default": Filter(default, (str,), required=1),
    "upto": Filter(upto, (int,), required=1),
}


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("没有值" if value is None or value is MISSING else "不是数字")
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite() or abs(number.adjusted()) >= _LARGEST:
        raise ValueError("的数值过大或过小")
    return number


def _moment(value: object) -> date:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("不是日期") from None
    if isinstance(value, datetime):
        return in_beijing(value) if value.tzinfo else value
    if not isinstance(value, date):
        raise ValueError("没有值" if value is None or value is MISSING else "不是日期")
    return value
