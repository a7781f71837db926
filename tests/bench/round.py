"""One round played on the stage: from planned to the last receipt, with what each process spent on it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from outreach.ledger.states import SENT, State
from outreach.runtime import Runtime
from tests import town
from tests.bench.meters import Split, between, peak_megabytes, read
from tests.bench.stage import Stage

_POLL = 0.05
_STALL_SECONDS = 30.0
_PLANNED_PER_SECOND = 20_000
_FINAL = (State.DELIVERED, State.FAILED, State.READ)


@dataclass(frozen=True, slots=True)
class Play:
    """What happened: seconds from the planned round to the last acceptance and to the last receipt merged,
    the CPU of each process until then, and the largest worker in megabytes."""

    round_id: int
    count: int
    accepted: float
    received: float
    split: Split
    peak: float

    @property
    def accepted_rate(self) -> float:
        """Messages a second, planned to accepted."""
        return self.count / self.accepted

    @property
    def received_rate(self) -> float:
        """Messages a second, planned to receipt applied."""
        return self.count / self.received


async def play(
    stage: Stage,
    workers: Mapping[str, int],
    channel: str,
    segment: str,
    *,
    code: str,
    receipts: bool = True,
    households: int = 0,
) -> Play:
    """Approve a campaign and wait for its end: until every receipt is merged, or every message accepted if
    the gateway reports nothing. Raises TimeoutError if nothing moves for half a minute; planning has longer
    where so many `households` are planned."""
    patience = _STALL_SECONDS + households / _PLANNED_PER_SECOND
    await stage.behave(channel, silent=0.0 if receipts else 1.0)
    pids = {**stage.pids, **workers}
    before = read(pids)
    campaign = await town.launch(stage.rt, [channel], code=code, kind="do_it_reminder", segment=segment)
    round_id, count = await _started(stage.rt, campaign, patience)
    began = time.monotonic()
    accepted, received = await _followed(stage.rt, round_id, count, receipts)
    split = between(before, read(pids))
    peak = max(map(peak_megabytes, workers.values()))
    return Play(round_id, count, accepted - began, received - began, split, peak)


async def _started(rt: Runtime, campaign: int, patience: float) -> tuple[int, int]:
    query = "select id, planned from round where campaign_id = %(id)s and state = 'running'"
    async with asyncio.timeout(patience):
        while (row := await rt.db.fetch_one(query, {"id": campaign})) is None:
            await asyncio.sleep(0.01)
    return row["id"], row["planned"]


async def _followed(rt: Runtime, round_id: int, count: int, receipts: bool) -> tuple[float, float]:
    accepted = 0.0
    last: Mapping[int, int] = {}
    last_at = time.monotonic()
    while True:
        counts = await states(rt, round_id)
        now = time.monotonic()
        if not accepted and sum(counts.get(state, 0) for state in SENT) == count:
            accepted = now
        if accepted and (not receipts or sum(counts.get(state, 0) for state in _FINAL) == count):
            return accepted, now
        if counts != last:
            last, last_at = counts, now
        elif now - last_at > _STALL_SECONDS:
            raise TimeoutError(f"round {round_id} stands still at {counts}")
        await asyncio.sleep(_POLL)


async def states(rt: Runtime, round_id: int) -> Mapping[int, int]:
    """Messages by state, from the counters that the product keeps: cheap enough to ask while it works."""
    rows = await rt.db.fetch(
        "select state, sum(n)::int as n from message_count where round_id = %(id)s group by state",
        {"id": round_id},
    )
    return {row["state"]: row["n"] for row in rows}
