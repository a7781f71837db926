"""The standby is cut off, and then the primary's host is lost for good: the standby is promoted as it is.

If it had followed synchronously, nothing has left that it does not know of: the clients follow, nobody gets
two, and no quarantine is needed. The control shows that the same without it sends messages twice.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.ground import BRISK
from tests.chaos.plan import Strike
from tests.chaos.run import Record
from tests.hosts.doubled import doubled, settle
from tests.hosts.needed import hosts_needed
from tests.hosts.run import run

COUNT = 2000
BEHIND = Strike("behind", 0.1, None, 5.0)
"""The primary is lost when more has left than the standby knows of, or when nothing does any more."""
SLOWLY = replace(BRISK, sending=7.0)

pytestmark = [pytest.mark.slow, hosts_needed]


def play(folder: Path, *, synchronous: bool) -> Record:
    with doubled(folder, SLOWLY, synchronous=synchronous) as site:

        async def both() -> Record:
            await settle(site, COUNT)
            return await run(site, 1, COUNT, [BEHIND], until_caught=not synchronous)

        return asyncio.run(both())


def test_after_a_synchronous_standby_has_taken_over_nobody_gets_two(tmp_path: Path) -> None:
    record = play(tmp_path, synchronous=True)
    assert not record["violations"], record
    assert record["events"][-1]["booked"] < record["booked"] == COUNT, record


def test_an_asynchronous_one_does_not_know_what_has_left(tmp_path: Path) -> None:
    record = play(tmp_path, synchronous=False)
    assert record["duplicated"] > 0 and record["left"] > 0, record
