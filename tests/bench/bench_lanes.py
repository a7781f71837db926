"""Lanes: how long an urgent message waits behind a bulk campaign, with the product's own processes.

A message of lane 1 is planned each 20 milliseconds while a bulk round of the same account and channel has a
backlog that its rate cannot clear; its wait ends when its outcome is settled, which is after the gateway has
answered. The floor is the same without a backlog, in the same run. The account's rate leaves the worker's
processor room: what is measured is the order, not a full event loop, in which every sender waits alike.

    .venv/bin/python -m tests.bench --only lanes
"""

import asyncio
from collections.abc import Sequence

from outreach.runtime import Runtime
from tests import town
from tests.bench.population import EVERYBODY, settle
from tests.bench.rows import Row, cost
from tests.bench.stage import Stage, staged, working
from tests.lanes import waits_of

_RATE, _BURST = 1000.0, 200
_APART = 0.02
_BUDGET = 1.0
_START_SECONDS = 60.0


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """40,000 households and 200 urgent messages when quick; otherwise 400,000 and 2,000."""
    people, urgent = (40_000, 200) if quick else (400_000, 2_000)
    await settle(rt, people, people)
    async with staged(rt, ("wechat",)) as stage, working(stage, 1):
        keys = {"rate": _RATE, "burst": _BURST, "id": stage.gateways["wechat_official"]}
        await rt.db.execute("update gateway set rate = %(rate)s, burst = %(burst)s where id = %(id)s", keys)
        await town.launch(stage.rt, ["wechat"], code="bulk", kind="policy_push", segment=EVERYBODY)
        await town.launch(stage.rt, ["wechat"], code="urgent", kind="emergency", segment="nobody")
        async with asyncio.timeout(_START_SECONDS):
            while not await _is_cut(stage, people):
                await asyncio.sleep(0.1)
        await rt.db.execute("update round set state = 'paused' where id = 1")
        idle = await waits_of(stage.rt, 2, keys["id"], count=urgent, apart=_APART)
        await rt.db.execute("update round set state = 'running' where id = 1")
        busy = await waits_of(stage.rt, 2, keys["id"], count=urgent, apart=_APART, first=urgent)
        left = await _left(stage)
    return [
        cost("urgent, no backlog: median", _at(idle, 0.5), unit="s"),
        cost("urgent, no backlog: p99", _at(idle, 0.99), unit="s"),
        cost("urgent behind bulk: median", _at(busy, 0.5), unit="s"),
        cost("urgent behind bulk: p99", _at(busy, 0.99), unit="s", budget=_BUDGET),
        cost("bulk messages still waiting at the end", float(left), unit="messages"),
    ]


async def _is_cut(stage: Stage, people: int) -> bool:
    """Whether the urgent round runs, and a good part of the bulk is cut."""
    row = await stage.rt.db.fetch_one(
        "select (select state = 'running' from round where id = 2) as runs,"
        " (select count(*) from message where round_id = 1)::int as n"
    )
    return row is not None and bool(row["runs"]) and row["n"] >= min(people, 20_000)


async def _left(stage: Stage) -> int:
    row = await stage.rt.db.fetch_one("select sum(n - settled)::int as n from batch where round_id = 1")
    assert row is not None
    return int(row["n"])


def _at(waits: Sequence[float], share: float) -> float:
    return sorted(waits)[min(len(waits) - 1, int(len(waits) * share))]
