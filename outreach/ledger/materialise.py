"""From recipients to messages: lazily, in sets, one row per intended message.

A message is unique by (round, step, person) in the database itself; batches hold up to 1,000 of one step and
one gateway account.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.ledger.breaker import Breaker
from outreach.ledger.falling import falls_from
from outreach.ledger.gateways import ADDRESS_KINDS, FILED_ONLY, Fleet
from outreach.ledger.kinds import KINDS, Lane
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_AHEAD_SECONDS = 7200
_PIECE = 20_000


@dataclass(frozen=True, slots=True)
class Cut:
    """How many messages were cut, and whether some that are due may have been left for the next time."""

    messages: int
    may_be_more: bool


async def materialise_step(rt: Runtime, fleet: Fleet, round_id: int, step: int, *, fallers: bool) -> Cut:
    """Cut the next messages of a step: its starters, and, if asked to look for them, those who fall to it.

    Nothing if another process is at it, if enough stands ready, or if nothing is due; nobody falls on a day
    off of a round that keeps to working days. What answers an event (a lap) goes into the urgent lane,
    whatever its kind and whatever stands ready.
    """
    async with rt.db.begin() as conn:
        keys = {"round_id": round_id, "step": step}
        locked = await (await conn.execute(SQL["lock_step"], keys)).fetchone()
        if locked is None:
            return Cut(0, True)
        answers = locked["answers"]
        gateways, limit = _share_out(await fleet.gateways(), await _backlog(conn, locked))
        if not gateways or limit <= 0:
            return Cut(0, True)
        kind = KINDS[locked["kind"]]
        wanted = fallers and step > 0
        may_fall = wanted and await falls_from(conn, locked) is None
        parameters: dict[str, Any] = {
            **keys,
            "period": locked["period"],
            "cursor": locked["cursor_position"],
            "open": locked["open_position"],
            "limit": limit,
            "kind": ADDRESS_KINDS[locked["channel"]],
            "gateways": gateways,
            "lane": (Lane.URGENT if answers else kind.lane).number,
            "weight": locked["weight"],
            "fallers": may_fall,
            "statutory": kind.lane in (Lane.STATUTORY, Lane.URGENT),
        }
        cut = await (await conn.execute(SQL["cut"], parameters)).fetchone()
        assert cut is not None
        if cut["last"] is not None:
            await conn.execute(SQL["move_cursor"], {**keys, "cursor": cut["last"]})
            if locked["cursor_position"] == 0 and not answers:
                await _analyze(conn, locked["period"])
        return Cut(cut["n"], cut["n"] >= limit or (wanted and not may_fall))


async def _analyze(conn: Connection, period: int) -> None:
    # Of a month that nobody has counted yet the planner expects a handful of rows, and then it joins a
    # window's 500 outcomes with all messages of the shard: measured 480 microseconds a message instead of 10.
    await conn.execute(sql.SQL("analyze {}").format(sql.Identifier(f"message_{period}")))


async def _backlog(conn: Connection, step: Mapping[str, Any]) -> dict[int, int]:
    # What no account has on file goes out all the same: it fails there and falls to the next rung. Where only
    # a broken account could send it, it waits for that one.
    keys = {"channel": step["channel"], "version_id": step["version_id"], "filed_only": FILED_ONLY}
    rows = await (await conn.execute(SQL["backlog"], keys)).fetchall()
    able = [row for row in rows if row["sends"]] or rows
    ready = [row for row in able if row["takes"]]
    return {row["id"]: min(row["waiting"], 1) if step["answers"] else row["waiting"] for row in ready}


def _share_out(known: dict[int, Any], waiting: dict[int, int]) -> tuple[list[int], int]:
    # Batches go round the accounts in proportion to their weights, in steps of ten points. An account whose
    # breaker waits for a probe gets its part once, so that there is something to probe with.
    room = {
        gateway_id: int(known[gateway_id].rate.per_second * _AHEAD_SECONDS) - count
        for gateway_id, count in waiting.items()
        if gateway_id in known and (known[gateway_id].breaker is Breaker.CLOSED or not count)
    }
    gateways = [
        gateway_id
        for turn in range(10)
        for gateway_id, free in room.items()
        if free > 0
        and known[gateway_id].weight > turn * 10
        and (turn == 0 or known[gateway_id].breaker is Breaker.CLOSED)
    ]
    return gateways, min(_PIECE, sum(free for free in room.values() if free > 0))
