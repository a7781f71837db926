"""The rungs below the gateways: at a call or a visit recipients become work for staff.

By the same rule and at the same time as a message would have been cut: those whose ladder begins here, and
those whom the rungs above have not reached. What has become pointless is closed: she has acted, a dispute is
open, her message arrived late, the round is over.
"""

from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_texts
from outreach.ledger.kinds import KINDS, Lane
from outreach.ledger.materialise import Cut
from outreach.runtime import Runtime
from outreach.service.work_items import Handed, Household, close_households, hand_over

SQL = load_queries(__file__)

_PIECE = 5_000


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Households that need nothing more: they acted, or their dispute is open."""

    done: BitMap
    disputed: BitMap


async def hand_over_step(rt: Runtime, cache: SetCache, round_id: int, step: int, *, fallers: bool) -> Cut:
    """Hand the next recipients of a rung to staff; counts households. Nothing if another process is at it."""
    async with rt.db.begin() as conn:
        keys = {"round_id": round_id, "step": step}
        row = await (await conn.execute(SQL["lock_step"], keys)).fetchone()
        if row is None:
            return Cut(0, True)
        parameters: dict[str, Any] = {
            **keys,
            "period": row["period"],
            "cursor": row["cursor_position"],
            "limit": _PIECE,
            "fallers": fallers and step > 0,
            "statutory": KINDS[row["kind"]].lane in (Lane.STATUTORY, Lane.URGENT),
        }
        due = await (await conn.execute(SQL["due"], parameters)).fetchall()
        if not due:
            return Cut(0, False)
        stopped = await _stopped(conn, cache, row)
        households = [
            _household(one, taxpayer_id, stopped) for one in due for taxpayer_id in one["taxpayer_ids"]
        ]
        handed = await hand_over(conn, round_id, step, row["channel"], households, due_at=row["ends_at"])
        last = max((one["position"] for one in due if one["position"] is not None), default=None)
        await conn.execute(SQL["move_cursor"], {**keys, "cursor": last})
        return Cut(handed, len(due) >= _PIECE)


def _household(row: dict[str, Any], taxpayer_id: int, stopped: _Stopped) -> Household:
    named = (taxpayer_id, row["person_id"], row["reach"])
    if taxpayer_id in stopped.done:
        return Household(*named, Handed.DONE, "already_done")
    if taxpayer_id in stopped.disputed:
        return Household(*named, Handed.GIVEN_UP, "disputed")
    return Household(*named)


async def settle_handovers(rt: Runtime, cache: SetCache) -> None:
    """Close what has become pointless."""
    async with rt.db.begin() as conn:
        rows = await (await conn.execute(SQL["rounds_with_open"])).fetchall()
    for row in rows:
        async with rt.db.begin() as conn:
            await _settle(conn, cache, row)


async def _settle(conn: Connection, cache: SetCache, row: dict[str, Any]) -> None:
    waiting = BitMap(row["taxpayers"])
    stopped = await _stopped(conn, cache, row)
    told = await (await conn.execute(SQL["told_meanwhile"], {"round_id": row["id"]})).fetchone()
    reasons = [
        (stopped.done & waiting, Handed.DONE, "already_done"),
        (stopped.disputed & waiting, Handed.GIVEN_UP, "disputed"),
        (BitMap(told["taxpayers"] or () if told else ()), Handed.DONE, "delivered"),
    ]
    if row["over"] or row["state"] in ("cancelled", "finished"):
        word = "cancelled" if row["state"] == "cancelled" else "round_over"
        reasons.append((waiting, Handed.GIVEN_UP, word))
    for households, state, reason in reasons:
        if households:
            await close_households(conn, row["id"], households, state, reason)


async def _stopped(conn: Connection, cache: SetCache, row: dict[str, Any]) -> _Stopped:
    texts = {"done": row["done_segment"], "disputed": row["dispute_segment"]}
    found = await evaluate_texts(conn, cache, texts, row["org_id"])
    return _Stopped(BitMap(found["done"].members), BitMap(found["disputed"].members))
