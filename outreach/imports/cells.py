"""What stands in a cell, before anything is checked.

Identifiers are normalised (full-width digits and letters, blanks, apostrophes that keep Excel from making
a number); names are only stripped, because NFKC would change characters that are part of a name.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

_EDGES = "\ufeff\u200b\u200c\u200d\u2060 \t\r\n\v\f\u00a0\u3000"
_BETWEEN = "\x1f"
_NO_BLANKS = str.maketrans("", "", "\ufeff\u200b\u200c\u200d\u2060 \t\r\n\v\f'\"`=\u2018\u2019")
_EXACT_DIGITS = 15
LOST_DIGITS = "\x00LOST"
"""Stands in place of a number of which Excel has kept the first fifteen digits only."""
_SCIENTIFIC = re.compile(r"^\d(?:\.\d+)?[Ee]\+?\d{1,3}$")


def strip_all(column: Sequence[str]) -> list[str]:
    """Without blanks, zero-width characters and byte order marks at the edges."""
    joined = "".join(column)
    if not any(character in joined for character in _EDGES):
        return list(column)
    return [text.strip(_EDGES) for text in column]


def normalise_all(column: Sequence[str]) -> list[str]:
    """Identifiers: half-width, upper case, without blanks and quotes. One pass over the whole column."""
    if not column:
        return []
    joined = _BETWEEN.join(column)
    if joined.count(_BETWEEN) != len(column) - 1:
        joined = _BETWEEN.join(text.replace(_BETWEEN, "") for text in column)
    return unicodedata.normalize("NFKC", joined).translate(_NO_BLANKS).upper().split(_BETWEEN)


def normalise(text: str) -> str:
    """One identifier."""
    return normalise_all([text])[0]


def lost_digits(text: str) -> bool:
    """Whether this is a long number that a spreadsheet has rounded: 9.11E+17."""
    return text.startswith(LOST_DIGITS) or _SCIENTIFIC.match(text) is not None


def text_of(value: object) -> str:
    """The text of an Excel cell: numbers without exponent, dates in ISO form."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float | int):
        return _text_of_number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return ""


def _text_of_number(value: float) -> str:
    if abs(value) >= 10**_EXACT_DIGITS:
        return LOST_DIGITS
    if value == int(value):
        return str(int(value))
    # Excel keeps and shows fifteen significant digits; what a formula leaves beyond them is noise.
    return format(Decimal(f"{value:.15g}"), "f")


def mask(text: str) -> str:
    """Enough of a value to find it in the file, too little to use it: 138****1234, 张**."""
    if text.startswith(LOST_DIGITS):
        return "（数值）"
    if len(text) >= 11:
        return f"{text[:3]}{'*' * min(len(text) - 7, 11)}{text[-4:]}"
    return text[:1] + "*" * min(len(text) - 1, 9)
