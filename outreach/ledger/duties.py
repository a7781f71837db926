"""What every worker does between its jobs: ring for due batches, look after the resting, merge receipts.

Each duty is a loop of its own, so that a slow one holds up nothing else. An error is logged and the duty goes
on, whatever it was: PostgreSQL may be away for a minute, and everything that is due stands there when it is
back; a message that nobody can write must not stop all the others.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import PurePath

from redis.exceptions import RedisError

from outreach.jobs import ring
from outreach.ledger.merge import merge_orphans, merge_receipts
from outreach.ledger.post import URGENT_LANES, Sender
from outreach.ledger.protocol import SQL as PROTOCOL
from outreach.ledger.protocol import claim_batch, close_batch
from outreach.ledger.reconcile import reconcile_all
from outreach.ledger.send import drain_batch
from outreach.logs import get_log

_DUE_AT_ONCE = 64
_TROUBLE_PAUSE = 1.0
_MANY_RECEIPTS = 2000

Duty = Callable[[], Awaitable[int]]


async def ring_due_batches(sender: Sender, rung: set[str]) -> int:
    """Ring for every due batch of an open round. If the bell is broken, send one batch here.

    `rung`: what this process has rung for and still waits; a waiting batch takes a new turn, and is rung for
    again, after five seconds, or ringing would cost more than sending.
    """
    due: set[str] = set()
    rounds = list(await sender.gate.rounds())
    if not rounds:
        return 0
    for gateway in (await sender.fleet.gateways()).values():
        if not gateway.active:
            continue
        keys = {"gateway_id": gateway.id, "rounds": rounds, "limit": _DUE_AT_ONCE}
        for row in await sender.rt.db.fetch(PROTOCOL["due_batches"], keys):
            queue = "urgent" if row["lane"] <= URGENT_LANES else "bulk"
            job_id = f"batch:{row['id']}:{row['fence']}:{row['turn']}"
            try:
                if job_id not in rung:
                    await ring(sender.rt, queue, "send_batch", row["shard"], row["id"], job_id=job_id)
                due.add(job_id)
            except (RedisError, OSError):
                await drain_batch(sender, row["shard"], row["id"])
    rung.clear()
    rung.update(due)
    return 0


async def recover_abandoned(sender: Sender) -> int:
    """Mark the open windows of dead holders unknown, also where the round sends no more."""
    rows = await sender.rt.db.fetch(PROTOCOL["abandoned_batches"])
    for row in rows:
        gateway = await sender.fleet.gateway(row["gateway_id"])
        claim = await claim_batch(sender.rt, gateway, row["shard"], row["id"], sender.owner)
        if claim is not None:
            async with sender.rt.db.begin() as conn:
                await close_batch(conn, claim, claim.watermark, 0.0)
    return len(rows)


async def keep_on(name: str, duty: Duty, *, idle: float) -> None:
    """Run a duty for ever; `idle` seconds between two calls that found nothing to do."""
    while True:
        started = time.monotonic()
        try:
            done = await duty()
        except Exception as error:
            get_log().warning("duty.troubled", duty=name, error=type(error).__name__, at=_place(error))
            done = 0
            await asyncio.sleep(_TROUBLE_PAUSE)
        if not done:
            await asyncio.sleep(max(0.0, idle - (time.monotonic() - started)))


def _place(error: BaseException) -> str:
    # The text of an error may quote data; where it was raised may not, and tells more.
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(last.filename).name}:{last.lineno}"


async def _merge_many(sender: Sender) -> int:
    # A few hundred receipts cost as many statements as ten thousand: unless many wait, more may gather.
    return await merge_receipts(sender.rt) // _MANY_RECEIPTS


def duties(sender: Sender) -> dict[str, tuple[Duty, float]]:
    """The duties of a worker and how long each rests when there is nothing to do."""
    rung: set[str] = set()
    return {
        "ring": (lambda: ring_due_batches(sender, rung), 0.1),
        "recover": (lambda: recover_abandoned(sender), 2.0),
        "reconcile": (lambda: reconcile_all(sender), 0.5),
        "merge": (lambda: _merge_many(sender), 0.2),
        "orphans": (lambda: merge_orphans(sender.rt), 2.0),
    }
