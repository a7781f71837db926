"""Amounts in yuan: exact decimals, rounded to the fen, half up (as the declaration forms do)."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

FEN = Decimal("0.01")
ZERO = Decimal("0.00")


def to_fen(amount: Decimal) -> Decimal:
    """Round to 0.01 yuan, half up."""
    return amount.quantize(FEN, ROUND_HALF_UP)


def parse_decimal(text: str) -> Decimal:
    """A number as people write it: thousands separators and a percent sign are understood.

    Raises ValueError for anything else, also for infinities and exponents.
    """
    cleaned = text.strip().replace(",", "").replace("，", "").removesuffix("元")
    percent = cleaned.endswith(("%", "％"))
    if percent:
        cleaned = cleaned[:-1]
    if not cleaned or any(sign in cleaned for sign in "eEnN_") or not cleaned.isascii():
        raise ValueError(text)
    try:
        number = Decimal(cleaned)
    except InvalidOperation as error:
        raise ValueError(text) from error
    return number / 100 if percent else number


def yuan(amount: Decimal) -> str:
    """1,234,567.89, always with two decimals."""
    return f"{amount.quantize(FEN, ROUND_HALF_UP):,f}"


def plain(number: Decimal) -> str:
    """A factor or a count inside a formula: no trailing zeros, no exponent, thousands separated."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(maxsize=256)
def percent(rate: Decimal) -> str:
    """0.025 as 2.5%."""
    return plain(rate * 100) + "%"
