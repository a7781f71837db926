"""A campaign never stands still for good: what the long series of `make chaos` once found, made small."""

from pathlib import Path

import pytest

from tests.chaos.ground import BRISK, prepared
from tests.chaos.kinds import KINDS
from tests.chaos.plan import Strike
from tests.chaos.run import run

COUNT = 60


@pytest.mark.slow
async def test_an_account_that_recovers_takes_what_rests_when_nothing_else_is_due(tmp_path: Path) -> None:
    # All answers fail until the breaker opens. Then no batch is due any more, so that nothing but a message
    # that rests can be the probe that closes it again.
    blackout = Strike("storm", None, 0.0, 4.0, faults={"drop_before": 1.0})
    async with prepared(tmp_path, COUNT, BRISK) as ground:
        record = await run(ground, KINDS["B1"], 1, COUNT, strikes=[blackout])
    assert not record["violations"], record
