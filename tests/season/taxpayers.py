"""How what taxpayers do reaches the product: events of the tax systems, replies over the gateways."""

import asyncio
from datetime import datetime

import numpy as np

from campaigns.triggers import Happening, record_events
from outreach.runtime import Runtime
from tests.bench.population import mobile
from tests.season.behaviour import EVENING, Model, dispute_today, file_today
from tests.season.people import PROVINCE
from tests.season.stage import Stage

_EVENTS_AT_ONCE = 10_000
_REPLIES_AT_ONCE = 20
_SOURCE = "season"
_REFUSED = "select count(*)::int as n from opt_out where channel = 'sms'"
_PATIENCE = 60.0


async def act(rt: Runtime, model: Model, day: int, half: int, at: datetime) -> int:
    """Who files in this half of the day, and in the evening who disputes; returns how many filed."""
    filing = file_today(model, day, half)
    events = [Happening(f"{one}-done", one, kind, at) for one, kind in _kinds(model, filing)]
    if half == EVENING:
        begin, end = dispute_today(model, day)
        events += [Happening(f"{one}-in-dispute", one, "disputed", at) for one in begin.tolist()]
        events += [Happening(f"{one}-settled", one, "dispute_closed", at) for one in end.tolist()]
    for start in range(0, len(events), _EVENTS_AT_ONCE):
        block = events[start : start + _EVENTS_AT_ONCE]
        kept = await record_events(rt, block, source=_SOURCE, scope_org_id=PROVINCE)
        assert kept == len(block), f"{len(block) - kept} events were not kept"
    return len(filing)


def _kinds(model: Model, filing: np.ndarray) -> list[tuple[int, str]]:
    """One of the events by which the systems tell that somebody has acted."""
    must, refund = model.people.labels["iit.must_file"], model.people.labels["iit.refund_expected"]
    return [
        (one, "paid" if must[one] and one % 3 else "refund_submitted" if refund[one] and one % 2 else "filed")
        for one in filing.tolist()
    ]


async def refuse(stage: Stage, persons: np.ndarray, refused: np.ndarray) -> None:
    """These answer R by text message; `refused` are all who ever did, these among them. Returns when the
    product knows all of them. Raises TimeoutError."""
    waiting = iter(persons.tolist())

    async def post() -> None:
        for one in waiting:
            content = {"address": mobile(one), "text": "R"}
            answer = await stage.rt.http.post(
                f"{stage.controls['sms']}/_sim/uplink", json=content, timeout=60
            )
            answer.raise_for_status()

    await asyncio.gather(*(post() for _ in range(_REPLIES_AT_ONCE)))
    async with asyncio.timeout(_PATIENCE + len(persons) / 100):
        while (await stage.rt.db.fetch_one(_REFUSED)) != {"n": int(refused.sum())}:
            await asyncio.sleep(0.05)
