"""Dates, amounts and yes/no as offices write them. Each parser gives None for what it cannot read."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TypeVar

Value = TypeVar("Value")

DATE_FORMAT = "不是有效日期，可写2026-03-15、2026/3/15、20260315或2026年3月15日"
MONEY_FORMAT = "不是有效金额，应为以元为单位的数字，最多两位小数"
MONEY_UNIT = "金额带有“万”或“亿”，请换算成元后再导入"
INTEGER_FORMAT = "不是整数"
PERCENT_FORMAT = "不是有效百分比，可写12.5或12.5%"
FLAG_FORMAT = "应填是或否（也可用1/0、Y/N）"

_DATE = re.compile(
    r"^(\d{4})(?:(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?)|(\d{2})(\d{2}))"
    r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?$"
)
_EXCEL_EPOCH = date(1899, 12, 30)
_EXCEL_SERIAL = range(10_000, 80_000)
"""Days from 1927 to 2119 as Excel counts them; outside of it a bare number is no date."""
_NUMBER = re.compile(r"^(-?)(?:(\d{1,3}(?:,\d{3})+)|(\d+))(?:\.(\d+))?$", re.ASCII)
_HALF_WIDTH = str.maketrans("０１２３４５６７８９，．－＋（）￥％", "0123456789,.-+()¥%", " ")
"""Not NFKC: it would read 5² as 52."""
_BRACKETS = re.compile(r"^\((.+)\)$")
_UNIT = re.compile(r"[万亿]")
_FLAGS = {
    **dict.fromkeys(("是", "有", "1", "Y", "YES", "TRUE", "T", "√", "✓", "对"), True),
    **dict.fromkeys(("否", "无", "0", "N", "NO", "FALSE", "F", "×", "✗", "不是"), False),
}


def parse_date(text: str) -> date | None:
    """A date in one of the usual forms, or Excel's day number."""
    plain = unicodedata.normalize("NFKC", text)
    found = _DATE.match(plain)
    try:
        if found:
            year, month, day, packed_month, packed_day = found.groups()
            return date(int(year), int(month or packed_month), int(day or packed_day))
        if plain.isdecimal() and int(plain) in _EXCEL_SERIAL:
            return _EXCEL_EPOCH + timedelta(days=int(plain))
    except ValueError:
        return None
    return None


def parse_scaled(text: str, places: int) -> int | None:
    """A decimal number times 10^places, exactly; None if it is none or has more places.

    Thousands separators, full-width digits, a yuan sign and (1.00) for -1.00 are understood.
    """
    if text.isdecimal() and text.isascii():
        return int(text + "0" * places)
    found = _NUMBER.match(text) if text.isascii() else None
    if not found:
        plain = text.translate(_HALF_WIDTH).removeprefix("¥").removesuffix("元")
        found = _NUMBER.match(_BRACKETS.sub(r"-\1", plain).removeprefix("+"))
    if not found:
        return None
    sign, grouped, digits, fraction = found.groups()
    fraction = (fraction or "").rstrip("0")
    if len(fraction) > places:
        return None
    whole = grouped.replace(",", "") if grouped else digits
    number = int(whole + fraction.ljust(places, "0"))
    return -number if sign else number


def parse_money(text: str) -> int | None:
    """An amount in yuan as cents (分)."""
    return parse_scaled(text, 2)


def parse_ten_thousands(text: str) -> int | None:
    """An amount in units of ten thousand yuan (万元) as cents."""
    return parse_scaled(text, 6)


def parse_integer(text: str) -> int | None:
    """A whole number; 12.0 from a spreadsheet is one."""
    return parse_scaled(text, 0)


def parse_percent(text: str) -> int | None:
    """A percentage in hundredths of a percent: `12.5%` and `12.5` are 1250."""
    return parse_scaled(text.translate(_HALF_WIDTH).removesuffix("%"), 2)


def parse_flag(text: str) -> bool | None:
    """是/否, 有/无, 1/0, Y/N, true/false, a tick."""
    return _FLAGS.get(unicodedata.normalize("NFKC", text).upper())


def money_reason(text: str) -> str:
    """Why an amount was not read."""
    return MONEY_UNIT if _UNIT.search(text) else MONEY_FORMAT


def parse_all(parse: Callable[[str], Value | None], texts: Sequence[str]) -> list[Value | None]:
    """Parse a column; equal texts are parsed once."""
    known = {text: parse(text) for text in set(texts)}
    return [known[text] for text in texts]
