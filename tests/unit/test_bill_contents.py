"""What is told to households must not change by the way: every figure and word of 500 bills, by hash.

`bill_contents.txt` holds one hash per household of `bill_households.py`. A change of a rule, of a text or of
the catalogue changes it on purpose; then the file is written again and the reason stands in the CHANGELOG.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from outreach.statements.canonical import canonical, canonical_bytes
from outreach.statements.content import build_bill, content_hash, lasting
from outreach.statements.drawing import Task, draw, draw_block
from outreach.statements.facts import BlockFacts
from outreach.statements.rules import RuleNotInForce
from tests.unit.bill_households import varied_households

EXPECTED = Path(__file__).with_name("bill_contents.txt").read_text(encoding="ascii").split()
ISSUE = {"number": "ZD2025-000000001", "version": 2, "supersedes": None, "reason": "更正“一”", "serial": "00"}


def test_every_figure_and_word_is_as_it_was() -> None:
    found = [
        content_hash(canonical(build_bill(home, year, today, {(year + 1) * 100 + 1: today}))).hex()[:32]
        for home, year, today in varied_households()
    ]
    assert found == EXPECTED and len(set(found)) == 500


def test_pieces_make_the_canonical_text() -> None:
    for home, year, today in varied_households(200):
        bill = build_bill(home, year, today)
        drawn = draw(bill)
        assert drawn.lasting().decode() == lasting(bill)
        assert drawn.text(canonical_bytes(ISSUE)).decode() == canonical({**bill, "issue": ISSUE})
        assert drawn.benefits == sum(len(part["lines"]) for part in bill["enjoyed"].values())


def test_building_twice_gives_the_same() -> None:
    for home, year, today in varied_households(50):
        assert canonical(build_bill(home, year, today)) == canonical(build_bill(home, year, today))


def _facts(month: int) -> BlockFacts:
    homes = [
        (1, "enterprise", "示例公司", "9115**", "税务局", 1),
        (2, "enterprise", "无事公司", "9115**", "税务局", 1),
    ]
    benefits = [(1, month, "VAT_SS_EXEMPT_2023", True, '{"sales": "90000", "period": "月"}')]
    return BlockFacts("150000", homes, [], benefits, [], [(2, 2024, "A", None, None, None, None)])


def test_a_block_is_computed_in_another_process() -> None:
    _, year, today = next(iter(varied_households(1)))
    task = Task("yearly_bill", year, today, {})
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(draw_block, _facts(202503), task).result()
        with pytest.raises(RuleNotInForce) as error:
            pool.submit(draw_block, _facts(202601), task).result()
    assert there == draw_block(_facts(202503), task)
    assert there[0] is not None and b"2,700.00" in there[0].body and there[1] is None
    assert error.value.details["field"] and "2026" in error.value.message
