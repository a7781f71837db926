"""Claim, open, settle: the transactions of the delivery protocol (docs/delivery.md holds the proof)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from psycopg import OperationalError

from channels.base import DeliveryClass, Outcome, SendResult
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.ledger.codes import fit_code, fit_ref
from outreach.ledger.gateways import Gateway
from outreach.ledger.keys import MESSAGES_PER_BATCH
from outreach.ledger.states import State
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 300.0
_INSIST_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch held under a fence. Positions run from 0 to n - 1."""

    shard: int
    id: int
    period: int
    round_id: int
    step: int
    gateway_id: int
    lane: int
    n: int
    watermark: int
    settled: int
    fence: int

    def message_id(self, position: int) -> int:
        """The id of the message at a position."""
        return self.id * MESSAGES_PER_BATCH + position


class Verdict(NamedTuple):
    """What is written down of one message. `rest`: seconds until it is looked at again, None for never.

    `untaken`: it speaks of one try only, which was certainly not taken or not made. That decides as long as
    the try's holder still holds the message; where another has tried since, it says nothing about that one.
    Everything else is evidence about the message and counts whoever brings it, however late.
    """

    message_id: int
    state: State
    ref: str | None = None
    code: str | None = None
    parts: int = 0
    tries: int = 0
    rest: float | None = None
    untaken: bool = False


async def claim_batch(rt: Runtime, gateway: Gateway, shard: int, batch_id: int, owner: str) -> Claim | None:
    """Take a batch under a new fence; the window that the last holder left open becomes unknown."""
    async with rt.db.begin() as conn:
        row = await (
            await conn.execute(
                SQL["claim"],
                {"shard": shard, "id": batch_id, "owner": owner, "lease": rt.settings.lease_seconds},
            )
        ).fetchone()
        if row is None:
            return None
        claim = Claim(**row)
        if claim.settled < claim.watermark:
            await conn.execute(
                SQL["recover"],
                {"shard": shard, "id": batch_id, "may_ask": may_ask(gateway), "quiet": quiet(gateway)},
            )
        return claim


async def open_window(
    conn: Connection, rt: Runtime, claim: Claim, settled: int, watermark: int
) -> datetime | None:
    """Raise the watermark; returns when (the database's clock), or None if the batch is no longer ours or its
    round stands still."""
    await conn.execute("set local synchronous_commit = on")
    cursor = await conn.execute(
        SQL["open_window"],
        {
            "shard": claim.shard,
            "id": claim.id,
            "fence": claim.fence,
            "round_id": claim.round_id,
            "settled": settled,
            "watermark": watermark,
            "lease": rt.settings.lease_seconds,
        },
    )
    row = await cursor.fetchone()
    return row["opened_at"] if row else None


async def move_destinations(
    conn: Connection, claim: Claim, ids: Sequence[int], dests: Sequence[int]
) -> frozenset[int]:
    """Note new destinations before anything goes there; returns the ids of the messages that may go."""
    keys = {"period": claim.period, "shard": claim.shard, "ids": list(ids), "dests": list(dests)}
    cursor = await conn.execute(SQL["move_destinations"], keys)
    return frozenset(row["id"] for row in await cursor.fetchall())


async def close_batch(conn: Connection, claim: Claim, settled: int, pause: float) -> None:
    """Give the batch back: done if settled to its end, else due again after `pause` seconds."""
    await conn.execute(
        SQL["close_batch"],
        {"shard": claim.shard, "id": claim.id, "fence": claim.fence, "settled": settled, "pause": pause},
    )


async def settle(
    conn: Connection,
    period: int,
    shard: int,
    verdicts: Sequence[Verdict],
    *,
    held: datetime | None = None,
    tried_at: datetime | None = None,
) -> None:
    """Write outcomes of messages of one shard down, as a set.

    `held`: the `not_before` under which a reconciler took them; None for a window. `tried_at`: when the
    window was opened, which is when they may have left at the earliest.
    """
    keys = {"period": period, "shard": shard, "tried_at": tried_at}
    # In the order of the ids, as everybody else locks them.
    verdicts = sorted(verdicts, key=attrgetter("message_id"))
    if verdicts and held is None:
        window = {**_columns(verdicts), **keys}
        rest = {row["id"] for row in await (await conn.execute(SQL["settle_window"], window)).fetchall()}
        verdicts = [verdict for verdict in verdicts if verdict.message_id in rest] if rest else []
    if verdicts:
        untaken = [v.untaken for v in verdicts]
        await conn.execute(SQL["settle"], {**_columns(verdicts), **keys, "untaken": untaken, "held": held})


def _columns(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "ids": [v.message_id for v in verdicts],
        "states": [v.state.value for v in verdicts],
        "refs": [v.ref for v in verdicts],
        "codes": [v.code for v in verdicts],
        "parts": [v.parts for v in verdicts],
        "tries": [v.tries for v in verdicts],
        "rests": [v.rest for v in verdicts],
    }


async def insist(transaction: Callable[[], Awaitable[Result]]) -> Result:
    """Repeat a transaction that merges, while the database is away or has chosen it to end a deadlock: what
    was learned from a gateway is not given up lightly. Raises OperationalError in the end."""
    for pause in _INSIST_PAUSES:
        try:
            return await transaction()
        except OperationalError as error:
            get_log().warning("settle.repeated", error=type(error).__name__)
            await asyncio.sleep(pause)
    return await transaction()


def may_ask(gateway: Gateway) -> bool:
    """Whether an unknown outcome can be looked into: classes A and B."""
    return gateway.facts.delivery_class in (DeliveryClass.IDEMPOTENT, DeliveryClass.QUERYABLE)


def quiet(gateway: Gateway) -> float:
    """Seconds that an unknown outcome rests. The same key again does no harm where it is de-duplicated."""
    return 0.0 if gateway.facts.delivery_class is DeliveryClass.IDEMPOTENT else gateway.quiet_seconds


def classify(gateway: Gateway, message_id: int, result: SendResult, parts: int, tries: int) -> Verdict:
    """From what the adapter saw to what the ledger writes. Everything that is not certain is unknown."""
    code = fit_code(result.code) or (result.fault.value if result.fault else None)
    if result.outcome is Outcome.ACCEPTED:
        return Verdict(message_id, State.ACCEPTED, fit_ref(result.ref), None, parts, 1)
    if result.outcome is Outcome.REFUSED and result.fault is not None:
        if not result.fault.retryable:
            return Verdict(message_id, State.FAILED, None, code, 0, 1, untaken=True)
        wait = result.retry_after.total_seconds() if result.retry_after else _pause_after(tries)
        return Verdict(message_id, State.PLANNED, None, code, 0, 1, wait, untaken=True)
    rest = quiet(gateway) if may_ask(gateway) else None
    return Verdict(message_id, State.UNKNOWN, None, code, parts, 1, rest)


def _pause_after(tries: int) -> float:
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(tries, 10))
