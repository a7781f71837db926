"""One run: a campaign while everything breaks, then rest, then the judgement."""

import asyncio
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import psycopg
from psycopg_pool import PoolTimeout

from outreach.ledger.audit import audit_everything
from outreach.runtime import Runtime, close_runtime, open_runtime
from tests import town
from tests.chaos.ground import Ground, Tempo
from tests.chaos.judge import judge
from tests.chaos.kinds import Kind
from tests.chaos.mutants import Mutant
from tests.chaos.plan import Strike, clock_off, make_plan, mutant_plan
from tests.chaos.stack import Stack, staged
from tests.chaos.strikes import Arm, patiently

_POLL = 0.05
_STALL_SECONDS, _MUTANT_STALL_SECONDS = 90.0, 15.0
_LONGEST_SECONDS, _LONGEST = 600.0, 4.0
_REST_POLL, _AUDIT_PAUSE = 0.3, 1.5
_LOOKS, _RECOUNTS = 900, 120
"""At most so many in the time that the sending takes: of a million messages each is a second's work."""

_AT_REST = """
select (select count(*)::int from message) as messages,
       (select count(*)::int from message where state = 0) as planned,
       (select count(*)::int from message where not_before is not null) as resting,
       (select count(*)::int from batch where state = 0) as open,
       (select count(*)::int from receipt_inbox
        where (arrived_in, id) > ((select arrived_in from receipt_cursor), (select id from receipt_cursor))
       ) as unmerged,
       (select count(*)::int from receipt_orphan) as orphans
"""
_UNREPORTED = "select from message where state = 2 limit 1"

Record = dict[str, Any]


class Striker(Protocol):
    """Whoever lets the blows fall, and what it has to tell of them (strikes.py)."""

    stack: Stack
    began: float
    events: list[dict[str, Any]]
    in_doubt: set[int]
    kills: int
    late_stops: int

    @property
    def tempo(self) -> Tempo:
        """How fast all of it goes."""

    async def strike(self, one: Strike, booked: int) -> None:
        """Let a blow fall and mend it."""


@dataclass(slots=True)
class Watch:
    """The sums, looked at again and again while everything breaks: how often, and which did not agree."""

    pause: float
    looks: int = 0
    broken: set[str] = field(default_factory=set)

    async def keep(self, rt: Runtime) -> None:
        """Recount every round in one snapshot until cancelled; while PostgreSQL is down there is nothing to
        see."""
        while True:
            await asyncio.sleep(self.pause)
            try:
                audits = await audit_everything(rt)
            except (psycopg.Error, PoolTimeout):
                continue
            self.looks += bool(audits)
            self.broken |= {check.name for audit in audits for check in audit.checks if not check.agrees}


async def run(
    ground: Ground,
    kind: Kind,
    seed: int,
    count: int,
    mutant: Mutant | None = None,
    *,
    strikes: list[Strike] | None = None,
    until_caught: bool = False,
    until_reported: bool = False,
) -> Record:
    """Play a run and judge it. Its record names everything that is needed to repeat it. `strikes`: instead of
    those of the seed; `until_caught`: a mutant's run ends as soon as it has sent something twice;
    `until_reported`: it is not at rest before every message accepted has been reported on."""
    began = time.monotonic()
    if strikes is None:
        strikes = mutant_plan(mutant) if mutant else make_plan(kind, seed, count, ground.tempo.lease)
    off = 0.0 if mutant else clock_off(kind, seed)
    async with ground.database(run_name(kind.name, seed, mutant)) as settings:
        rt = await open_runtime(settings, name="judge")
        try:
            await rt.redis.flushall()
            async with staged(rt, kind, count, mutant, ground.tempo, off) as stack:
                arm = Arm(ground, stack, time.monotonic())
                played = await campaign(
                    arm, strikes, seed, count, until_caught=until_caught, until_reported=until_reported
                )
        finally:
            await close_runtime(rt)
    return {**played, "seconds": round(time.monotonic() - began, 1)}


async def campaign(
    arm: Striker,
    strikes: list[Strike],
    seed: int,
    count: int,
    *,
    until_caught: bool = False,
    until_reported: bool = False,
) -> Record:
    """A campaign under these strikes, and what came of it; the record of a run, but for its seconds."""
    stack = arm.stack
    rt, kind, mutant = stack.rt, stack.kind, stack.mutant
    watch = Watch(max(_AUDIT_PAUSE, arm.tempo.sending / _RECOUNTS))
    await town.launch(rt, [kind.channel], kind="do_it_reminder", code=f"{kind.name}-{seed}")
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch.keep(rt))
        stalled, orphans = await _play(arm, strikes, count, until_caught, until_reported)
        watching.cancel()
    verdict = await judge(rt, kind, stack.control, count, arm.in_doubt)
    if watch.broken:
        verdict.violations.append("the sums did not agree on the way: " + "; ".join(sorted(watch.broken)))
    if stalled:
        verdict.violations.append(f"not at rest: {stalled}")
    return {
        "seed": seed,
        "class": kind.name,
        "per_request": kind.requests,
        "mutant": mutant.name if mutant else None,
        "count": count,
        "clock_off": stack.clock_off,
        **asdict(verdict),
        "audits": watch.looks,
        "kills": arm.kills,
        "late_stops": arm.late_stops,
        "died": stack.died,
        "orphans": orphans,
        "events": arm.events,
    }


def run_name(kind: str, seed: int, mutant: Mutant | None) -> str:
    """Of the run's database and of the folder with what its processes write."""
    return f"run_{kind}_{seed}{'_' + mutant.name if mutant else ''}".lower()


async def _play(
    arm: Striker, strikes: list[Strike], count: int, until_caught: bool, until_reported: bool
) -> tuple[dict[str, int] | None, int]:
    """Strike until all has come to rest; returns what keeps it from resting, if anything does, and how many
    receipts could not be matched."""
    # A mutant has lost what brings others to rest.
    patience = _MUTANT_STALL_SECONDS if arm.stack.mutant else _STALL_SECONDS
    sending = arm.tempo.sending
    pause, longest = max(_REST_POLL, sending / _LOOKS), max(_LONGEST_SECONDS, sending * _LONGEST)
    waiting, under_way = list(strikes), set[asyncio.Task[None]]()
    booked, looked_at = 0, time.monotonic()
    last: object = None
    moved_at = looked_at
    while True:
        await asyncio.sleep(_POLL)
        booked = await patiently(arm.stack.booked, booked)
        passed = time.monotonic() - arm.began
        for one in [one for one in waiting if _is_due(one, booked / count, passed)]:
            waiting.remove(one)
            under_way.add(asyncio.create_task(arm.strike(one, booked)))
        for task in [task for task in under_way if task.done()]:
            under_way.discard(task)
            task.result()
        arm.stack.watch()
        if time.monotonic() - looked_at < pause:
            continue
        (row,) = await arm.stack.ask(_AT_REST)
        if until_caught and not under_way and await arm.stack.is_caught():
            return None, row["orphans"]
        looked_at = time.monotonic()
        if (row, booked) != last:
            last, moved_at = (row, booked), looked_at
        reported = not until_reported or not await arm.stack.ask(_UNREPORTED)
        if not under_way and reported and _is_at_rest(row, count):
            if looked_at - moved_at > arm.tempo.late + 1.0:
                return None, row["orphans"]
        elif looked_at - moved_at > patience or passed > longest:
            return row, row["orphans"]


def _is_due(one: Strike, share: float, passed: float) -> bool:
    return share >= one.share if one.share is not None else passed >= (one.after or 0.0)


def _is_at_rest(row: dict[str, int], count: int) -> bool:
    return row["messages"] == count and not (
        row["planned"] or row["resting"] or row["open"] or row["unmerged"]
    )
