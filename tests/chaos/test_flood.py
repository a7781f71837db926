"""The short form of the flood: no acknowledged receipt is lost when whoever takes them is killed."""

from pathlib import Path

import pytest

from tests.chaos.flood import Plan, play


@pytest.mark.slow
async def test_no_acknowledged_receipt_is_lost(tmp_path: Path) -> None:
    flood = await play(tmp_path, Plan(seconds=5.0, rate=2_000.0, every=2.0, count=500, kills=2))
    assert flood.lost == 0
    assert len(flood.acknowledged) == 20
    assert flood.kills >= 2
