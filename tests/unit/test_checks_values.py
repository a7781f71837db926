"""Cells, dates, amounts, yes and no."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.imports.cells import lost_digits, mask, normalise, normalise_all, strip_all, text_of
from outreach.imports.values import (
    MONEY_FORMAT,
    MONEY_UNIT,
    money_reason,
    parse_all,
    parse_date,
    parse_flag,
    parse_integer,
    parse_money,
    parse_percent,
    parse_ten_thousands,
)

IDES = date(2026, 3, 15)
MIDNIGHT = datetime.combine(IDES, time())


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-15", "2026/3/15", "2026.3.15", "20260315", "2026年3月15日", "2026-03-15 00:00:00",
        "2026-03-15T08:30", "２０２６－０３－１５", "46096",
    ],
)  # fmt: skip
def test_ways_to_write_a_date(text: str) -> None:
    assert parse_date(text) == IDES


@pytest.mark.parametrize(
    "text",
    ["", "2026-02-29", "2026-13-01", "15/3/2026", "2026-3", "2026315", "9999", "99999", "昨天", "0000-01-01"],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@given(st.dates(date(1950, 1, 1), date(2099, 12, 31)))
def test_every_date_comes_back(day: date) -> None:
    serial = str((day - date(1899, 12, 30)).days)
    for text in (day.isoformat(), f"{day:%Y%m%d}", f"{day.year}年{day.month}月{day.day}日", serial):
        assert parse_date(text) == day


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("0", 0), ("400", 40_000), ("400.00", 40_000), ("400.01", 40_001), ("120000.00", 12_000_000),
        ("1,234.56", 123_456), ("12,345,678", 1_234_567_800), ("１，２３４．５６", 123_456),
        ("¥1,234.5元", 123_450), ("-5.10", -510), ("(1,000.00)", -100_000), ("（1.00）", -100), ("+3", 300),
        ("1.2300", 123), (" 7 ", 700),
    ],
)  # fmt: skip
def test_amounts(text: str, cents: int) -> None:
    assert parse_money(text) == cents


@pytest.mark.parametrize(
    "text", ["", "1,23", "1,2345", "1.234", "1.", ".5", "1e5", "12万", "一百", "1 2.3.4", "--1", "5²", "١٢"]
)
def test_what_is_no_amount(text: str) -> None:
    assert parse_money(text) is None


@given(st.integers(-(2**47), 2**47))
def test_every_amount_comes_back(cents: int) -> None:
    exact = Decimal(cents).scaleb(-2)
    assert parse_money(f"{exact:.2f}") == cents
    assert parse_money(f"{exact:,.2f}") == cents


def test_units() -> None:
    assert money_reason("12万元") == MONEY_UNIT
    assert money_reason("abc") == MONEY_FORMAT
    assert parse_ten_thousands("12.345678") == 12_345_678
    assert parse_ten_thousands("0.0000001") is None
    assert parse_integer("12.0") == 12
    assert parse_integer("12.5") is None
    assert parse_percent("12.5%") == parse_percent("12.5") == 1250


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("是", True), ("y", True), ("１", True), ("√", True), ("否", False), ("0", False), ("N", False),
        ("大概", None), ("", None),
    ],
)  # fmt: skip
def test_flags(text: str, said: bool | None) -> None:
    assert parse_flag(text) is said


def test_a_column_is_parsed_in_order() -> None:
    assert parse_all(parse_money, ["1", "x", "1", ""]) == [100, None, 100, None]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("文字", "文字"),
        (13800138000.0, "13800138000"),
        (0.1 + 0.2, "0.3"),
        (1234.56, "1234.56"),
        (0.00001, "0.00001"),
        (True, "是"),
        (MIDNIGHT, "2026-03-15"),
        (MIDNIGHT.replace(hour=8, minute=30), "2026-03-15 08:30:00"),
        (IDES, "2026-03-15"),
        (time(8, 30), "08:30:00"),
        (timedelta(days=1), "1 day, 0:00:00"),
        (None, ""),
    ],
)
def test_cells_of_a_sheet(value: object, text: str) -> None:
    assert text_of(value) == text


def test_numbers_that_a_sheet_has_rounded_are_known() -> None:
    assert lost_digits(text_of(911101050000000001.0))
    assert lost_digits("9.11E+17")
    assert lost_digits("1.38E10")
    assert not lost_digits("91350100M000100Y43")
    assert not lost_digits(text_of(13800138000.0))


def test_identifiers_are_normalised_and_names_are_not() -> None:
    assert normalise("　９１３５０１００m000100y43 ") == "91350100M000100Y43"
    assert normalise("'11010519491231002x") == "11010519491231002X"
    assert normalise('="13800138000"') == "13800138000"
    assert strip_all(["　㈱示例 ", "\ufeff王芳\u200b"]) == ["㈱示例", "王芳"]


@given(st.lists(st.text(), max_size=20))
def test_a_column_keeps_its_length(texts: list[str]) -> None:
    assert len(normalise_all(texts)) == len(strip_all(texts)) == len(texts)


@given(st.text(max_size=40))
def test_a_mask_shows_seven_characters_at_most(text: str) -> None:
    shown = [one for one, other in zip(mask(text), text, strict=False) if one == other and one != "*"]
    assert len(text) < 2 or len(shown) <= 7
    assert mask("13800138000") == "138****8000"
