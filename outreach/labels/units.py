"""Attribute values as whole numbers: money in fen, percentages in hundredths of a percent, dates as ordinals.

Exact both ways: a value that the unit cannot hold is an error, never rounded.
"""

from datetime import date
from decimal import Decimal
from typing import Literal

from outreach.errors import InvalidInput
from outreach.labels.keys import SLICES

Type = Literal["money", "integer", "percent", "date"]

TYPES: dict[Type, str] = {"money": "金额", "integer": "整数", "percent": "百分比", "date": "日期"}
LARGEST = 2**SLICES - 1
_PLACES: dict[Type, int] = {"money": 2, "integer": 0, "percent": 2}
_UNITS: dict[Type, str] = {"money": "元", "integer": "", "percent": "%"}


def to_stored(kind: Type, value: Decimal | date) -> int:
    """400.01 (yuan) -> 40001; 12.5 (percent) -> 1250; a date -> its ordinal day number.

    Raises InvalidInput if the value is of the other sort, has too many decimals or too many digits.
    """
    if isinstance(value, date):
        if kind != "date":
            raise InvalidInput(f"这里应是{TYPES[kind]}，不是日期。")
        return value.toordinal()
    if kind == "date":
        raise InvalidInput("这里应是日期，如 2026-03-15。")
    return _scaled(kind, value)


def to_text(kind: Type, stored: int) -> str:
    """A stored value as staff read it: `400.01元`, `12.5%`, `2026-03-15`."""
    if kind == "date":
        return date.fromordinal(stored).isoformat()
    number = Decimal(stored).scaleb(-_PLACES[kind])
    if kind == "money":
        return f"{number:.2f}{_UNITS[kind]}"
    return f"{number.normalize():f}{_UNITS[kind]}"


def from_stored(kind: Type, stored: int) -> Decimal | date | int:
    """The inverse of `to_stored`: a date, an int for integers, otherwise an exact decimal."""
    if kind == "date":
        return date.fromordinal(stored)
    return Decimal(stored).scaleb(-_PLACES[kind]) if _PLACES[kind] else stored


def _scaled(kind: Type, value: Decimal) -> int:
    places = _PLACES[kind]
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or value.adjusted() > 20 or exponent < -40:
        raise InvalidInput("数字太大或位数太多。")
    scaled = value.scaleb(places)
    if scaled != scaled.to_integral_value():
        most = f"最多 {places} 位小数" if places else "不能有小数"
        raise InvalidInput(f"{TYPES[kind]}{most}：{value}。")
    if abs(scaled) > LARGEST:
        raise InvalidInput(f"数字太大：{value}。")
    return int(scaled)
