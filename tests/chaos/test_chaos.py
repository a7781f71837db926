"""The short form of the suite: nothing lost and nothing twice whatever is killed, and the mutants are caught.

The long form is `make chaos` (docs/chaos.md).
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.ground import BRISK, CALM, STEADY, Ground, prepared
from tests.chaos.kinds import KINDS
from tests.chaos.mutants import MUTANTS, Mutant
from tests.chaos.plan import Strike
from tests.chaos.run import run

COUNT = 2_000
SEED = {"A": 7, "B": 6, "C": 4, "D": 9}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Servers that nobody else uses: they are killed."""
    async with prepared(tmp_path_factory.mktemp("ground"), COUNT, BRISK) as made:
        yield made


@pytest.mark.parametrize("kind", ["A", "B", "C", "D"])
async def test_whatever_is_struck_nothing_is_lost_or_sent_twice(ground: Ground, kind: str) -> None:
    tempo = BRISK if KINDS[kind].resolves else STEADY
    record = await run(replace(ground, tempo=tempo), KINDS[kind], SEED[kind], COUNT)
    assert not record["violations"], record
    assert record["booked"] > 0.9 * COUNT


@pytest.mark.parametrize("name", [name for name in MUTANTS if not MUTANTS[name].servers])
async def test_a_mutant_is_caught(ground: Ground, name: str) -> None:
    await assert_caught(ground, MUTANTS[name])


async def assert_caught(ground: Ground, mutant: Mutant) -> None:
    """A blow falls where it shows; only where the machine stood still while all of it left does it not."""
    for seed in range(1, 9):
        record = await run(ground, KINDS[mutant.kind], seed, COUNT, mutant, until_caught=True)
        if mutant.is_caught(record):
            return
    raise AssertionError(record)


async def test_a_mutant_whose_commits_do_not_wait_for_the_disk_is_caught(tmp_path: Path) -> None:
    mutant = MUTANTS["commit_later"]
    async with prepared(tmp_path, COUNT, BRISK, mutant.servers) as ground:
        await assert_caught(ground, mutant)


async def test_a_rolling_restart_leaves_nothing_unknown(ground: Ground) -> None:
    blows = ("stop_worker", "stop_web", "stop_worker", "stop_scheduler", "stop_worker", "stop_worker")
    strikes = [
        Strike(blow, 0.1 + 0.13 * number, None, 0.3, number // 2 % 2, waits=True)
        for number, blow in enumerate(blows)
    ]
    quiet = replace(KINDS["C"], faults={"receipt_delay": 0.2})
    calm = replace(ground, tempo=CALM)
    record = await run(calm, quiet, 1, COUNT, strikes=strikes, until_reported=True)
    assert not record["violations"], record
    assert record["states"] == {"delivered": COUNT}
    assert not any("skipped" in event for event in record["events"]), record["events"]


async def test_a_valkey_that_is_full_slows_and_loses_nothing(ground: Ground) -> None:
    # Not drawn by seeds, whose recorded runs would become others.
    strikes = [Strike("fill_valkey", share, None, 1.5) for share in (0.1, 0.6)]
    record = await run(ground, KINDS["B"], 2, COUNT, strikes=strikes)
    assert not record["violations"], record
    assert record["booked"] > 0.9 * COUNT
