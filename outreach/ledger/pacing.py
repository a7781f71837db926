"""Breakers and weights at work: counts in, judgement once a second, changes written down with their reason.

Any number of processes may judge; an advisory lock lets one do it at a time. The rules are breaker.py and
weights.py, the figures and the moves of batches are SQL over sets.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from psycopg.types.json import Jsonb

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.ledger import weights
from outreach.ledger.breaker import Breaker, Move, Seen, Standing, next_move
from outreach.ledger.gateways import FILED_ONLY, Fleet, Gateway
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_BATCHES_AT_ONCE = 2000
_LOOK_SECONDS = 60.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the accounts' log."""

    gateway_id: int
    what: str
    reason: str
    detail: Mapping[str, Any]


@dataclass(slots=True)
class Pacer:
    """What a process remembers between two judgements: when it last looked for lateness, and what it saw."""

    rt: Runtime
    fleet: Fleet
    looked_at: float = float("-inf")
    lateness: dict[int, tuple[int, int]] = field(default_factory=dict)


async def admit(rt: Runtime, fleet: Fleet, gateway_id: int) -> Gateway | None:
    """The account as a window may be opened at it: as it is, with windows of one message while its breaker
    waits for a probe, or None while it takes nothing."""
    gateway = await fleet.gateway(gateway_id)
    if gateway.active:
        return None if fleet.meter.has_tripped(gateway_id) else gateway
    if not gateway.may_probe:
        return None
    taken = await rt.db.fetch_one(SQL["take_probe"], {"gateway_id": gateway.id})
    return replace(gateway, window_size=1) if taken else None


async def give_probe_back(rt: Runtime, gateway_id: int) -> None:
    """Whoever was admitted for a probe has handed nothing to the account."""
    await rt.db.execute(SQL["give_probe_back"], {"gateway_id": gateway_id})


async def keep_pace(pacer: Pacer) -> int:
    """Hand in what was counted here, then judge every account. Returns how many changes were made."""
    await _record(pacer)
    async with pacer.rt.db.begin() as conn:
        locked = await (await conn.execute(SQL["lock_pace"])).fetchone()
        if not (locked and locked["mine"]):
            return 0
        rows = await (await conn.execute(SQL["standings"])).fetchall()
        changes = [*await _judge_breakers(conn, rows), *await _judge_weights(conn, pacer, rows)]
        changes += await _move_batches(conn)
        await _note(conn, changes)
    for change in changes:
        get_log().warning("gateway.pace", gateway=change.gateway_id, what=change.what, reason=change.reason)
    return len(changes)


async def _record(pacer: Pacer) -> None:
    counts = pacer.fleet.meter.take()
    if counts:
        columns = {
            "gateways": list(counts),
            "tries": [count.tries for count in counts.values()],
            "errors": [count.errors for count in counts.values()],
            "throttled": [count.throttled for count in counts.values()],
            "refused": [count.refused for count in counts.values()],
        }
        await pacer.rt.db.execute(SQL["record"], columns)


async def _judge_breakers(conn: Connection, rows: Sequence[Row]) -> list[Change]:
    moves: list[tuple[Row, Move]] = []
    for row in rows:
        standing = Standing(Breaker(row["breaker"]), row["since"], row["pause"])
        seen = Seen(row["tries"], row["errors"], row["throttled"], row["refused"])
        move = next_move(standing, seen, row["now"]) if row["active"] else None
        if move is not None:
            moves.append((row, move))
    if moves:
        columns = {
            "gateways": [row["id"] for row, _ in moves],
            "breakers": [move.to.value for _, move in moves],
            "pauses": [move.pause for _, move in moves],
        }
        await conn.execute(SQL["move_breakers"], columns)
    words = {Breaker.OPEN: "opened", Breaker.HALF_OPEN: "probing", Breaker.CLOSED: "closed"}
    return [Change(row["id"], words[move.to], move.reason, move.detail) for row, move in moves]


async def _judge_weights(conn: Connection, pacer: Pacer, rows: Sequence[Row]) -> list[Change]:
    channels = {channel: list(group) for channel, group in groupby(rows, key=lambda row: row["channel"])}
    shared = {channel: group for channel, group in channels.items() if len(group) > 1}
    if shared and time.monotonic() - pacer.looked_at >= _LOOK_SECONDS:
        pacer.looked_at = time.monotonic()
        cursor = await conn.execute(SQL["lateness"], {"channels": list(shared)})
        pacer.lateness = {row["gateway_id"]: (row["judged"], row["slow"]) for row in await cursor.fetchall()}
        await conn.execute(SQL["forget"])
    changes: list[Change] = []
    for group in shared.values():
        accounts = [_account(row, pacer.lateness.get(row["id"], (0, 0))) for row in group]
        shift = weights.shift(accounts, group[0]["now"])
        if shift is not None:
            changes += await _shift(conn, accounts, shift)
    return changes


def _account(row: Row, lateness: tuple[int, int]) -> weights.Standing:
    return weights.Standing(
        row["id"],
        row["weight"],
        row["share"],
        row["active"] and row["breaker"] == Breaker.CLOSED,
        row["minute_errors"],
        *lateness,
        row["errors_moved_at"],
        row["slow_moved_at"],
        row["moved_at"],
    )


async def _shift(
    conn: Connection, accounts: Sequence[weights.Standing], shift: weights.Shift
) -> list[Change]:
    rest = weights.resting_shares({one.gateway_id: one.weight for one in accounts})
    columns = {
        "gateways": list(shift.shares),
        "shares": [None if shift.shares == rest else share for share in shift.shares.values()],
        "reason": shift.reason,
    }
    await conn.execute(SQL["move_shares"], columns)
    blamed = next(one for one in accounts if one.gateway_id == shift.of)
    figures = {"of": shift.of, "errors": blamed.errors, "judged": blamed.judged, "slow": blamed.slow}
    changes = []
    for one in accounts:
        before = rest[one.gateway_id] if one.share is None else one.share
        after = shift.shares[one.gateway_id]
        if before != after:
            changes.append(
                Change(one.gateway_id, "weight", shift.reason, {"from": before, "to": after, **figures})
            )
    return changes


async def _move_batches(conn: Connection) -> list[Change]:
    keys = {"limit": _BATCHES_AT_ONCE, "filed_only": FILED_ONLY}
    cursor = await conn.execute(SQL["move_batches"], keys)
    return [
        Change(
            row["was"],
            "moved",
            "account_stands",
            {"to": row["gateway_id"], "batches": row["batches"], "messages": row["messages"]},
        )
        for row in await cursor.fetchall()
    ]


async def _note(conn: Connection, changes: Sequence[Change]) -> None:
    if changes:
        columns = {
            "gateways": [change.gateway_id for change in changes],
            "whats": [change.what for change in changes],
            "reasons": [change.reason for change in changes],
            "details": [Jsonb(dict(change.detail)) for change in changes],
        }
        await conn.execute(SQL["note_changes"], columns)
