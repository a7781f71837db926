"""Sending: a round from planned over accepted to receipt applied, with the product's own processes.

Scheduler, workers, web, gateways, PostgreSQL and Valkey are processes of their own; this one only asks the
counters now and then. The first figure starts when the round is planned, so it holds materialisation,
ringing, claiming, sending, settling, receipts and their merge. What it is bound by is told by CPU seconds
from /proc: a process that used a whole core for the whole time is the bottleneck (`gateways`: the sink); if
all of them together used every core, the machine is. `cores used by other work` tells whether somebody else
was on the machine, which makes every figure here too low.

    .venv/bin/python -m tests.bench --only send
"""

from collections.abc import Iterator
from dataclasses import dataclass

from outreach.runtime import Runtime
from tests.bench.bare import send_bare
from tests.bench.population import EVERYBODY, PART, settle
from tests.bench.round import Play, play
from tests.bench.rows import Row, cost, rate
from tests.bench.stage import staged, working

_UNIT = "messages/s"
_UNREAD = 0.98
"""Of the mails; taking a mail of 6 KB apart and checking it costs the sink as much as its delivery."""


@dataclass(frozen=True, slots=True)
class _Case:
    title: str
    channel: str
    segment: str
    budget: float | None
    receipts: bool = True
    unread: float = 0.0


_CASES = {
    1: (_Case("SMS, 1 worker", "sms", PART, None),),
    2: (
        _Case("SMS, 2 workers", "sms", EVERYBODY, 15_000),
        _Case("WeChat, 2 workers", "wechat", PART, 6_000),
        _Case("5G, 2 workers", "rcs", PART, 6_000),
        _Case("e-mail of 6 KB, 2 workers", "email", PART, 6_000, receipts=False, unread=_UNREAD),
    ),
}


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """60,000 households, and 15,000 for one worker and the slower channels, when quick; otherwise 1 M and
    200,000."""
    count, part = (60_000, 15_000) if quick else (1_000_000, 200_000)
    await settle(rt, count, part)
    rows: list[Row] = []
    async with staged(rt, ("sms", "wechat", "rcs", "email")) as stage:
        for workers, cases in _CASES.items():
            async with working(stage, workers) as pids:
                for case in cases:
                    await stage.behave(case.channel, unread=case.unread)
                    played = await play(
                        stage,
                        pids,
                        case.channel,
                        case.segment,
                        code=f"{case.channel}{workers}",
                        receipts=case.receipts,
                    )
                    bare = await send_bare(stage, case.channel, played.round_id, part)
                    rows += _rows(case, played, bare)
    return rows


def _rows(case: _Case, played: Play, bare: float) -> Iterator[Row]:
    title, split = case.title, played.split
    to_accepted = None if case.receipts else case.budget
    if case.receipts:
        speed = played.received_rate
        name = f"{title}: planned to receipt applied"
        yield rate(name, speed, unit=_UNIT, budget=case.budget, ceiling=bare)
    speed = played.accepted_rate
    yield rate(f"{title}: planned to accepted", speed, unit=_UNIT, budget=to_accepted, ceiling=bare)
    yield rate(f"{title}: cores in use", split.cores, unit="cores")
    yield cost(f"{title}: cores used by other work", split.foreign_cores, unit="cores")
    for name in sorted(split.cpu):
        yield cost(f"{title}: CPU of {name}", split.micros(name, played.count), unit="us/message")
    yield cost(f"{title}: memory of the largest worker", played.peak, unit="MB", budget=300)
