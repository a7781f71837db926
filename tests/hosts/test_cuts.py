"""The short form: cables between doubled servers, workers and gateways are pulled; nothing is lost, nothing
sent twice. The long form is `python -m tests.hosts` (docs/chaos.md).
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.ground import BRISK
from tests.hosts.cuts import CUTS, make_plan
from tests.hosts.doubled import Doubled, doubled, settle
from tests.hosts.net import why_not
from tests.hosts.run import run

COUNT, CUT_COUNT, LONGEST = 2000, 5, 4.0
SEED = 4

hosts_needed = pytest.mark.skipif(bool(why_not()), reason=why_not() or "hosts can be made")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Doubled]:
    with doubled(tmp_path, BRISK) as made:
        yield made


def test_a_seed_gives_the_same_cuts_and_another_one_others() -> None:
    assert make_plan(7, 13, 12.0) == make_plan(7, 13, 12.0) != make_plan(8, 13, 12.0)
    assert {one.blow for one in make_plan(7, len(CUTS), 12.0)} == {*CUTS}
    assert {"standby", "valkey"} <= {one.blow for one in make_plan(7, 2, 12.0)}


@pytest.mark.slow
@hosts_needed
def test_whatever_cable_is_pulled_nothing_is_lost_or_sent_twice(site: Doubled) -> None:
    async def play() -> dict[str, object]:
        await settle(site, COUNT)
        return await run(site, SEED, COUNT, make_plan(SEED, CUT_COUNT, LONGEST))

    record = asyncio.run(play())
    assert not record["violations"], record
    assert record["booked"] > 0.9 * COUNT
    assert record["promotions"] >= 1
    assert not any("skipped" in event for event in record["events"]), record["events"]
