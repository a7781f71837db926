"""The short form: cables between doubled servers, workers and gateways are pulled; nothing is lost, nothing
sent twice. The long form is `python -m tests.hosts` (docs/chaos.md).
"""

import asyncio
from collections.abc import Iterator

import pytest

from tests.chaos.ground import BRISK
from tests.hosts.cuts import CUTS, MUTANTS, make_plan, mutant_plan
from tests.hosts.doubled import Doubled, doubled, settle
from tests.hosts.needed import hosts_needed
from tests.hosts.run import run

COUNT, NUMBER, LONGEST = 2000, 5, 4.0
SEED = 16
MUTANT, CUT_SECONDS = "no_watermark", 8.0
"""At most so long after the other worker has taken over."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doubled]:
    with doubled(tmp_path_factory.mktemp("hosts"), BRISK) as made:
        asyncio.run(settle(made, COUNT))
        yield made


def test_a_seed_gives_the_same_cuts_and_another_one_others() -> None:
    assert make_plan(7, 14, 12.0) == make_plan(7, 14, 12.0) != make_plan(8, 14, 12.0)
    assert {one.blow for one in make_plan(7, len(CUTS), 12.0)} == {*CUTS}
    assert {"standby", "valkey"} == {one.blow for one in make_plan(7, 2, 12.0)}


@pytest.mark.slow
@hosts_needed
def test_whatever_cable_is_pulled_nothing_is_lost_or_sent_twice(site: Doubled) -> None:
    record = asyncio.run(run(site, SEED, COUNT, make_plan(SEED, NUMBER, LONGEST)))
    assert not record["violations"], record
    assert record["booked"] > 0.9 * COUNT
    assert record["promotions"] == 1, record["events"]
    assert not any("skipped" in event for event in record["events"]), record["events"]


@pytest.mark.slow
@hosts_needed
def test_a_mutant_is_caught_by_a_cable_alone(site: Doubled) -> None:
    # The cable is pulled where it shows; only where the machine stood still while all of it left is it not.
    for seed in range(1, 9):
        plan, mutant = mutant_plan(CUT_SECONDS), MUTANTS[MUTANT]
        record = asyncio.run(run(site, seed, COUNT, plan, mutant, until_caught=True))
        if mutant.is_caught(record):
            return
    raise AssertionError(record)
