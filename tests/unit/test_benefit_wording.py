"""What taxpayers read of the catalogue: print without notation, and no figure that it does not hold."""

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest

from outreach.statements.rules import CATALOGUE, WORDING, catalogue

_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)([万亿]?)")
_RANGE = re.compile(r"(\d+)-(\d+)([万亿])")
_UNITS = {"": 1, "万": 10_000, "亿": 100_000_000}
_NOTATION = re.compile(r"[<>=*;:()'\"|/]|->|,(?!\d{3})|(?<!\d),")
_BARE_AMOUNT = re.compile(r"\d{1,3}(?:,\d{3})++(?:\.\d++)?+(?!万?元)|\d{4,}+(?![年版—）〕])")


def read(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["code"]: row for row in csv.DictReader(file)}


ROWS, WORDS = read(CATALOGUE), read(WORDING)


def numbers(text: str) -> set[Decimal]:
    spread = _RANGE.sub(r"\1\3-\2\3", text)
    return {Decimal(digits.replace(",", "")) * _UNITS[unit] for digits, unit in _NUMBER.findall(spread)}


def whole(code: str) -> dict[str, str]:
    """The row, with what its 「同上」 stands for."""
    found = dict(ROWS[code])
    before = list(ROWS)[: list(ROWS).index(code)]
    for field, text in found.items():
        if text.startswith("同上"):
            above = next(ROWS[one][field] for one in reversed(before) if "同上" not in ROWS[one][field])
            found[field] = f"{above} {text}"
    return found


def test_every_rule_has_its_wording() -> None:
    assert list(ROWS) == list(WORDS)


@pytest.mark.parametrize("code", WORDS)
def test_wording_is_print(code: str) -> None:
    for field, text in WORDS[code].items():
        if field == "code":
            continue
        assert not _NOTATION.search(text), (field, text)
        assert not _BARE_AMOUNT.search(text), (field, text)
        assert text or (field == "worked_example" and not ROWS[code][field]), field


@pytest.mark.parametrize("code", WORDS)
def test_no_figure_but_those_of_the_catalogue(code: str) -> None:
    said, row = WORDS[code], whole(code)
    known = set().union(*map(numbers, row.values()))
    for field, text in said.items():
        assert field == "code" or numbers(text) <= known, (field, numbers(text) - known)
    lost = numbers(row["worked_example"]) - numbers(said["worked_example"]) - {Decimal(0)}
    assert not lost, f"the example no longer says {lost}"
    assert numbers(row["legal_doc"]) == numbers(said["legal_doc"])


def test_ways_of_delivery_are_print() -> None:
    for rule in catalogue().values():
        assert not re.search(r"[+()/]", rule.mode), rule.code
