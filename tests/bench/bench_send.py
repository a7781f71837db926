"""Sending: a round from planned over accepted to receipt applied, with the product's own processes.

Scheduler, workers, receiver, gateways, PostgreSQL and Valkey are processes of their own; this one only asks
the counters now and then. The first figure starts when the round is planned, so it holds materialisation,
ringing, claiming, sending, settling, receipts and their merge. What it is bound by is told by CPU seconds
from /proc: a process that used a whole core for the whole time is the bottleneck; if all of them together
used two cores, the machine is. Both are printed under each figure (`cores in use`, microseconds per
message), for the gateway as well: if `gateways` stands near the seconds of the run, the sink is the limit.

    .venv/bin/python -m tests.bench --only send
"""

from collections.abc import Iterator
from dataclasses import dataclass

from outreach.runtime import Runtime
from tests.bench.bare import send_bare
from tests.bench.population import EVERYBODY, PART, settle
from tests.bench.round import Play, play
from tests.bench.rows import Row, cost, rate
from tests.bench.stage import staged


@dataclass(frozen=True, slots=True)
class _Case:
    title: str
    channel: str
    workers: int
    segment: str
    budget: float | None
    receipts: bool = True


def _cases() -> list[_Case]:
    return [
        _Case("SMS, 1 worker", "sms", 1, PART, None),
        _Case("SMS, 2 workers", "sms", 2, EVERYBODY, 15_000),
        _Case("WeChat, 2 workers", "wechat", 2, PART, 6_000),
        _Case("5G, 2 workers", "rcs", 2, PART, 6_000),
        _Case("e-mail of 6 KB, 2 workers", "email", 2, PART, 6_000, receipts=False),
    ]


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """100,000 households and 40,000 for the slower channels when quick, otherwise 1 M and 200,000."""
    count, part = (100_000, 40_000) if quick else (1_000_000, 200_000)
    await settle(rt, count, part)
    rows: list[Row] = []
    async with staged(rt, ("sms", "wechat", "rcs", "email")) as stage:
        for number, case in enumerate(_cases()):
            played = await play(
                stage,
                case.channel,
                case.segment,
                workers=case.workers,
                code=f"bench{number}",
                receipts=case.receipts,
            )
            bare = await send_bare(stage, case.channel, played.round_id, part)
            rows += _rows(case, played, bare)
    return rows


def _rows(case: _Case, played: Play, bare: float) -> Iterator[Row]:
    unit = "messages/s"
    if case.receipts:
        yield rate(f"{case.title}: planned to receipt applied", played.received_rate, unit=unit, budget=case.budget, ceiling=bare)
        yield rate(f"{case.title}: planned to accepted", played.accepted_rate, unit=unit, ceiling=bare)
    else:
        yield rate(f"{case.title}: planned to accepted", played.accepted_rate, unit=unit, budget=case.budget, ceiling=bare)
    yield rate(f"{case.title}: cores in use", played.split.cores, unit="cores")
    for name in sorted(played.split.cpu):
        yield cost(f"{case.title}: CPU of {name}", played.split.micros(name, played.count), unit="us/message")
    yield cost(f"{case.title}: memory of the largest worker", played.peak, unit="MB", budget=300)
