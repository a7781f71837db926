"""Cost by size: the same campaign for 10,000, 100,000, 1 M and 5 M people, one after another in one database.

What a message costs must not depend on how many there are, and workers must not grow with them. The cost is
CPU of all processes a message, planning included, so that other work on the machine changes it little. Each
size gets fresh workers. At the end the report of the largest campaign is read.

    .venv/bin/python -m tests.bench --only linear
"""

import time
from statistics import median

from outreach.analytics.report import campaign_report
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from tests.bench.population import EVERYBODY, PART, PROVINCE, come_to_rest, settle
from tests.bench.round import Play, play
from tests.bench.rows import Row, cost
from tests.bench.stage import staged, working

_SMALL, _LARGE = "iit.topup_expected", "iit.refund_expected"
_SIZES, _QUICK_SIZES = (10_000, 100_000, 1_000_000, 5_000_000), (2_000, 10_000, 30_000, 60_000)
_SPREAD = 15.0
_WORKER_BUDGET, _REPORT_BUDGET = 300, 100
_REPORTS = 7
_LONG_ENOUGH, _REPEATED = 500_000, 5
"""Shorter campaigns are over before the clock of the CPU is exact: played again, and the middle taken."""


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """2,000, 10,000, 30,000 and 60,000 messages when quick."""
    sizes = _QUICK_SIZES if quick else _SIZES
    labels = dict(zip((PART, _SMALL, _LARGE, EVERYBODY), sizes, strict=True))
    await settle(rt, sizes[-1], sizes[0], {_SMALL: sizes[1], _LARGE: sizes[2]})
    await come_to_rest(rt)
    rows: list[Row] = []
    costs: list[float] = []
    async with staged(rt, ("sms",)) as stage:
        for label, size in labels.items():
            async with working(stage, 2) as workers:
                plays = [
                    await play(stage, workers, "sms", label, code=f"linear{size}-{n}", households=size)
                    for n in range(_REPEATED if size < _LONG_ENOUGH else 1)
                ]
            costs.append(median(map(_micros, plays)))
            peak = max(played.peak for played in plays)
            name = f"memory of the larger worker, {size:,} messages"
            rows += [
                cost(f"CPU of everything, {size:,} messages", costs[-1], unit="us/message"),
                cost(name, peak, unit="MB", budget=_WORKER_BUDGET),
            ]
    spread = (max(costs) - min(costs)) / (max(costs) + min(costs)) * 100
    rows.append(cost("cost a message: most and least from their middle", spread, unit="%", budget=_SPREAD))
    rows.append(await _report(rt, sizes[-1]))
    return rows


def _micros(played: Play) -> float:
    used = sum(seconds for name, seconds in played.split.cpu.items() if name != "bench")
    return used / played.count * 1e6


async def _report(rt: Runtime, size: int) -> Row:
    row = await rt.db.fetch_one("select max(id) as id from campaign")
    assert row is not None
    cache, took = SetCache(), []
    for _ in range(_REPORTS):
        began = time.perf_counter()
        await campaign_report(rt, cache, row["id"], PROVINCE)
        took.append((time.perf_counter() - began) * 1000)
    return cost(f"report of a campaign of {size:,} messages", median(took), unit="ms", budget=_REPORT_BUDGET)
