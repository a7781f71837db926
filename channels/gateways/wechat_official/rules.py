"""What the platform accepts in a typed field, as strictly as the protocol sheet's table can be read."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date

_DATES = (re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日"), re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})"))
_HAN = ("CJK ", "IDEOGRAPHIC NUMBER", "IDEOGRAPHIC ITERATION")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?$")


def is_han(text: str) -> bool:
    """Whether every character is a Chinese one."""
    names = [unicodedata.name(char, "") for char in text]
    return bool(text) and all(name.startswith(_HAN) for name in names)


def _is_date(text: str) -> bool:
    for shape in _DATES:
        if found := shape.fullmatch(text.strip()):
            try:
                date(*(int(number) for number in found.groups()))
            except ValueError:
                return False
            return True
    return False


def _is_moment(text: str) -> bool:
    clock = _CLOCK.search(text.strip())
    if clock is None:
        return False
    hour, minute, second = (int(number or 0) for number in clock.groups())
    day = text.strip()[: clock.start()].strip()
    return hour < 24 and minute < 60 and second < 60 and (not day or _is_date(day))


def _is_range(text: str, one: Callable[[str], bool]) -> bool:
    ends = text.split("~")
    return len(ends) <= 2 and all(one(end) for end in ends)


def _is_amount(text: str) -> bool:
    if text[:1] and unicodedata.category(text[0]) == "Sc":
        text = text[1:]
    digits = text.removesuffix("元")
    return _is_number(digits) and sum(char.isdigit() for char in digits) <= 10


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?", text)) and sum(char.isdigit() for char in text) <= 32


def _is_symbol(text: str) -> bool:
    return len(text) <= 5 and all(unicodedata.category(char)[0] in "PS" for char in text)


def _is_name(text: str) -> bool:
    if any(is_han(char) for char in text):
        return len(text) <= 10
    return len(text) <= 20 and not any(char.isdigit() for char in text)


FIELDS: dict[str, Callable[[str], bool]] = {
    "thing": lambda text: len(text) <= 20,
    "short_thing": lambda text: len(text) <= 5 and is_han(text),
    "number": _is_number,
    "letter": lambda text: len(text) <= 32 and text.isascii() and text.isalpha(),
    "symbol": _is_symbol,
    "character_string": lambda text: len(text) <= 32 and not any(is_han(char) for char in text),
    "time": lambda text: _is_range(text, _is_moment),
    "date": lambda text: _is_range(text, _is_date),
    "amount": _is_amount,
    "phone_number": lambda text: bool(re.fullmatch(r"[0-9+-]{1,17}", text)),
    "car_number": lambda text: len(text) <= 8,
    "name": _is_name,
    "phrase": lambda text: len(text) <= 5 and is_han(text),
    "const": lambda text: len(text) <= 64,
    "enum": lambda text: len(text) <= 64,
}


def complain(keys: tuple[str, ...], data: object) -> str:
    """What is wrong with the `data` of a message for a template with these keys, or an empty string."""
    if not isinstance(data, dict):
        return "argument invalid! data is invalid"
    for key in (*keys, *(key for key in data if key not in keys)):
        entry = data.get(key)
        value = entry.get("value") if isinstance(entry, dict) else None
        if value is None or value == "":
            return f"argument invalid! data.{key}.value is empty"
        accepts = FIELDS.get(key.rstrip("0123456789"))
        if key not in keys or not isinstance(value, str) or accepts is None or not accepts(value):
            return f"argument invalid! data.{key}.value invalid"
    return ""
