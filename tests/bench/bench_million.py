"""A million yearly bills at one go: what a province of companies gets, in full.

The fill takes longer than the bills. Room is what the documents and their indexes take on disk.

    .venv/bin/python -m tests.bench --only million
"""

from collections.abc import Sequence

from outreach.runtime import Runtime
from tests.bench.bills import bill_rows, issue_bills, settle_households
from tests.bench.rows import Row, cost

_SECONDS = 60.0
_MILLION, _QUICK = 1_000_000, 20_000


async def run(rt: Runtime, quick: bool) -> Sequence[Row]:
    """20,000 bills when quick, whose time has no budget."""
    households = _QUICK if quick else _MILLION
    await settle_households(rt, households)
    made = await issue_bills(rt, 2)
    assert made.documents == households
    room = await rt.db.fetch_one("select pg_total_relation_size('statement') as bytes")
    assert room is not None
    return [
        cost(f"{households:,} yearly bills", made.seconds, unit="s", budget=None if quick else _SECONDS),
        *bill_rows(made),
        cost("room of a bill with its indexes", room["bytes"] / households, unit="bytes"),
    ]
