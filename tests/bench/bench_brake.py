"""The brake: how long after 暂停 is pressed a gateway still accepts a message of the round.

A bulk round leaves by two workers, one message a request over WeChat (most requests, the quickest to follow)
and a hundred a request over SMS. It is paused and resumed again and again; the press counts from the moment
in which the pause is called, the end is the last change of the gateway's own books, read every few
milliseconds. What may still leave is bounded by tests/integration/test_control.py; how long it takes is
told here (the budget is the requirement: a pause stops within two seconds).

    .venv/bin/python -m tests.bench --only brake
"""

import asyncio
import time
from collections.abc import Sequence

from campaigns.rounds import pause_round, resume_round
from outreach.runtime import Runtime
from tests import town
from tests.bench.population import EVERYBODY, settle
from tests.bench.rows import Row, cost
from tests.bench.stage import ADAPTERS, Stage, staged, working

_BUDGET = 2.0
_RATE = {"wechat": 1000.0, "sms": 20.0}
_SIZE = {"wechat": 1, "sms": 100}
_BURST = 10
_LOOK = 0.005
_STILL_SECONDS = 3.0
_START_SECONDS = 60.0


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """5 presses a channel when quick, 30 otherwise; as many households as none of them runs out of."""
    presses = 5 if quick else 30
    people = 60_000 if quick else 240_000
    await settle(rt, people, people)
    rows: list[Row] = []
    async with staged(rt, tuple(_RATE)) as stage, working(stage, 2):
        for number, channel in enumerate(_RATE, 1):
            keys = {"rate": _RATE[channel], "burst": _BURST, "id": stage.gateways[ADAPTERS[channel]]}
            await rt.db.execute(
                "update gateway set rate = %(rate)s, burst = %(burst)s where id = %(id)s", keys
            )
            await town.launch(stage.rt, [channel], code=channel, kind="do_it_reminder", segment=EVERYBODY)
            left, took = await _press(stage, channel, number, presses)
            per = f"{channel}, {_SIZE[channel]} a request"
            rows += [
                cost(f"{per}: last acceptance after the press, median", _median(took), unit="s"),
                cost(f"{per}: last acceptance after the press, worst", max(took), unit="s", budget=_BUDGET),
                cost(f"{per}: accepted after the press, most", float(max(left)), unit="messages"),
            ]
    return rows


async def _press(stage: Stage, channel: str, round_id: int, presses: int) -> tuple[list[int], list[float]]:
    """Messages and seconds after each press."""
    left, took, held = [], [], 0
    for _ in range(presses):
        async with asyncio.timeout(_START_SECONDS):
            while await _accepted(stage, channel) <= held + 5 * _SIZE[channel]:
                await asyncio.sleep(_LOOK)
        before, pressed_at = await _accepted(stage, channel), time.monotonic()
        await pause_round(stage.rt, round_id, "bench")
        held, last_at = await _at_rest(stage, channel, before, pressed_at)
        left.append(held - before)
        took.append(last_at - pressed_at)
        await resume_round(stage.rt, round_id, "bench")
    await pause_round(stage.rt, round_id, "bench")
    return left, took


async def _at_rest(stage: Stage, channel: str, held: int, last_at: float) -> tuple[int, float]:
    """What the gateway holds when nothing has come for a while, and when the last of it was seen."""
    while time.monotonic() - last_at < _STILL_SECONDS:
        now_held = await _accepted(stage, channel)
        if now_held != held:
            held, last_at = now_held, time.monotonic()
        await asyncio.sleep(_LOOK)
    return held, last_at


async def _accepted(stage: Stage, channel: str) -> int:
    totals = (await stage.rt.http.get(f"{stage.controls[ADAPTERS[channel]]}/_sim/totals")).json()
    return int(totals["accepted"])


def _median(seconds: Sequence[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]
