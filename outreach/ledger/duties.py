"""What every worker does between its jobs: ring for due batches, look after the resting, merge receipts.

Each duty is a loop of its own, so that a slow one holds up nothing else. An error is logged and the duty goes
on, whatever it was: PostgreSQL may be away for a minute, and everything that is due stands there when it is
back; a message that nobody can write must not stop all the others.
"""

import asyncio
import math
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import PurePath
from typing import Any

from redis.exceptions import RedisError

from outreach.db.sql import load_queries
from outreach.jobs import ring
from outreach.ledger.ask_results import ask_results
from outreach.ledger.gateways import Gateway
from outreach.ledger.merge import merge_orphans, merge_receipts
from outreach.ledger.pacing import Pacer, keep_pace
from outreach.ledger.post import URGENT_LANES, Sender
from outreach.ledger.protocol import SQL as PROTOCOL
from outreach.ledger.protocol import claim_batch, close_batch
from outreach.ledger.reconcile import reconcile_all
from outreach.ledger.send import drain_batch
from outreach.logs import get_log

SQL = load_queries(__file__)

_DUE_AT_ONCE = 64
_TROUBLE_PAUSE = 1.0
_MANY_RECEIPTS = 2000
_QUICK = 1000.0
"""Messages a second from which on an account's batches keep no sender waiting for long."""
_SLOW_SENDER = 50.0
"""What one sender gets through even at a gateway that answers slowly."""

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
    found: dict[int, list[dict[str, Any]]] = {}
    gateways = await sender.fleet.gateways()
    for gateway in gateways.values():
        if not (gateway.active or gateway.may_probe):
            continue
        keys = {"gateway_id": gateway.id, "rounds": rounds, "limit": _DUE_AT_ONCE if gateway.active else 1}
        if rows := await sender.rt.db.fetch(PROTOCOL["due_batches"], keys):
            found[gateway.id] = rows
    room = await _room(sender, [gateways[gateway_id] for gateway_id in found])
    for gateway_id, rows in found.items():
        for row in rows:
            queue = "urgent" if row["lane"] <= URGENT_LANES else "bulk"
            if queue == "bulk":
                room[gateway_id] -= 1
                if room[gateway_id] < 0:
                    break
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


async def _room(sender: Sender, gateways: Sequence[Gateway]) -> dict[int, int]:
    """How many more bulk batches of each account may be taken in hand. One that is slower than our senders
    gets no more of them than it can feed, and leaves one to every other account, also to one that has no work
    yet: whoever waits for its tokens serves nobody."""
    slow = [gateway for gateway in gateways if speed(gateway) < _QUICK]
    room = dict.fromkeys((gateway.id for gateway in gateways), _DUE_AT_ONCE)
    if not slow:
        return room
    keys = {"gateways": [gateway.id for gateway in slow], "urgent": URGENT_LANES}
    held = {row["id"]: row["held"] for row in await sender.rt.db.fetch(SQL["in_hand"], keys)}
    workers = await sender.rt.db.fetch_one(SQL["workers"])
    assert workers is not None
    slots = workers["n"] * sender.rt.settings.senders - max(1, len(gateways) - 1)
    for gateway in slow:
        most = max(1, min(slots, math.ceil(speed(gateway) / _SLOW_SENDER)))
        room[gateway.id] = most - held.get(gateway.id, 0)
    return room


def speed(gateway: Gateway) -> float:
    """Messages a second that the account allows."""
    per_second = gateway.rate.per_second
    return per_second * (gateway.facts.batch_size if gateway.facts.rate_unit == "request" else 1)


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
    pacer = Pacer(sender.rt, sender.fleet)
    return {
        "ring": (lambda: ring_due_batches(sender, rung), 0.1),
        "recover": (lambda: recover_abandoned(sender), 2.0),
        "reconcile": (lambda: reconcile_all(sender), 0.5),
        "merge": (lambda: _merge_many(sender), 0.2),
        "pace": (lambda: keep_pace(pacer), 1.0),
        "orphans": (lambda: merge_orphans(sender.rt), 2.0),
        "results": (lambda: ask_results(sender.rt, sender.fleet), 30.0),
    }
