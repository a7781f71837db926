"""After a fail-over to a standby that had not got every commit: what may have been sent is unknown.

The lost time lasts from `since`, the last moment that the standby surely has, to `until`, when the old server
stopped answering. Whatever the ledger would have allowed to leave in that time may have left, and the commits
that said so are gone. Four kinds of it (docs/operations.md tells when to run this, and with what):

- the rest of every batch that could be claimed: watermarks may have been raised to its end;
- second tries whose rest had ended;
- recipients whose batches may have been cut in the lost time, under ids that nobody knows any more;
- ids and fences that were given in it and must never be given again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput
from outreach.governance.audit import append_audit
from outreach.ledger.gateways import ADDRESS_KINDS, Gateway, load_gateways
from outreach.ledger.kinds import Lane
from outreach.ledger.protocol import may_ask, quiet
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

LARGEST_CUT = 20_000
"""Messages that one tick cuts of one rung at most (materialise.py)."""
_SCHEDULERS = 2
"""Schedulers that take turns; each ticks once in `tick_seconds`."""
_STRIDE = 1_000_000
_DAY_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LostTime:
    """The time whose commits are lost, by the machines' clocks."""

    since: datetime
    until: datetime

    def cuts(self, tick_seconds: float) -> int:
        """Messages of one rung that may have been cut in it."""
        ticks = math.ceil((self.until - self.since).total_seconds() / tick_seconds) + 1
        return ticks * _SCHEDULERS * LARGEST_CUT

    def is_one_day(self, lease_seconds: float) -> bool:
        """Whether a provider files all of its tries, and those of the lease after it, under one day."""
        last = self.until + timedelta(seconds=lease_seconds) + _DAY_MARGIN
        return in_beijing(self.since - _DAY_MARGIN).date() == in_beijing(last).date()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What became unknown, in messages: of open batches, of second tries, of recipients without a message
    yet. `next_batch_id`: where the numbers of batches go on."""

    batches: int
    opened: int
    resting: int
    uncut: int
    next_batch_id: int


async def quarantine(rt: Runtime, lost: LostTime, *, spared: Sequence[int], by: str) -> Quarantined:
    """Make everything unknown that may have left in the lost time, in one transaction, before workers start.

    `spared`: rounds that certainly sent nothing in it. Classes A and B resolve what they can tell afterwards,
    by the reconciler. Raises InvalidInput for a time that is none, Conflict while a worker beats.
    """
    gateways = await load_gateways(rt)
    async with rt.db.begin() as conn:
        await _refuse(conn, lost)
        await conn.execute(SQL["stand_still"])
        jump = await (await conn.execute(SQL["jump"], {"stride": _STRIDE})).fetchone()
        assert jump is not None
        keys = {"until": lost.until, "spared": list(spared)}
        rows = await (await conn.execute(SQL["doubtful_rounds"], keys)).fetchall()
        rounds = [row["id"] for row in rows]
        batches = opened = resting = 0
        for gateway in gateways.values():
            known = _known(rt, lost, gateway, rounds)
            found = await _one(conn, "doubt_resting", known)
            resting += found["messages"]
            found = await _one(conn, "doubt_batches", known)
            batches, opened = batches + found["batches"], opened + found["messages"]
        await conn.execute(SQL["move_fences"], {"stride": _STRIDE})
        uncut = await _doubt_uncut(conn, rt, lost, rounds)
        made = Quarantined(batches, opened, resting, uncut, jump["batch_id"])
        await append_audit(conn, by, "ledger.quarantine", "ledger:all", _detail(lost, spared, made))
    get_log().warning("ledger.quarantined", batches=batches, messages=opened + resting + uncut)
    return made


async def _refuse(conn: Connection, lost: LostTime) -> None:
    row = await (await conn.execute("select now() as now")).fetchone()
    assert row is not None
    if not lost.since < lost.until <= row["now"]:
        raise InvalidInput("起止时间不对：起始应早于截止，截止不能晚于现在。", field="since")
    beating = await _one(conn, "busy_workers", {})
    if beating["n"]:
        raise Conflict(f"有 {beating['n']} 个工作进程正在运行，请先全部停止，10 秒后再执行。")


def _known(rt: Runtime, lost: LostTime, gateway: Gateway, rounds: Sequence[int]) -> dict[str, Any]:
    remembers = gateway.facts.idempotent_for is not None
    asks = may_ask(gateway) and (remembers or lost.is_one_day(rt.settings.lease_seconds))
    day = in_beijing(lost.since).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "gateway_id": gateway.id,
        "rounds": list(rounds),
        "since": lost.since,
        "until": lost.until,
        "asks": asks,
        "by_day": not remembers,
        "same_day": day,
        "quiet": quiet(gateway),
    }


async def _doubt_uncut(conn: Connection, rt: Runtime, lost: LostTime, rounds: Sequence[int]) -> int:
    total = 0
    limit = lost.cuts(rt.settings.tick_seconds)
    for row in await (await conn.execute(SQL["open_steps"], {"rounds": list(rounds)})).fetchall():
        if row["gateway_id"] is None:
            continue
        keys = {
            "round_id": row["round_id"],
            "step": row["step"],
            "period": row["period"],
            "cursor": row["cursor_position"],
            "gateway_id": row["gateway_id"],
            "kind": ADDRESS_KINDS[row["channel"]],
            "lane": Lane.BULK.number,
            "limit": limit,
            "since": lost.since,
        }
        total += (await _one(conn, "doubt_uncut", keys))["messages"]
    return total


async def _one(conn: Connection, name: str, keys: dict[str, Any]) -> dict[str, Any]:
    row = await (await conn.execute(SQL[name], keys)).fetchone()
    assert row is not None
    return row


def _detail(lost: LostTime, spared: Sequence[int], made: Quarantined) -> dict[str, Any]:
    return {
        "since": lost.since.isoformat(),
        "until": lost.until.isoformat(),
        "spared": list(spared),
        "opened": made.opened,
        "resting": made.resting,
        "uncut": made.uncut,
    }
