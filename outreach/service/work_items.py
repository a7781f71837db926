"""Work items: what a ladder that ends at a doorstep hands to staff.

A call belongs to one person and names all households that any open round wants told; a visit belongs to one
household, whichever offices want it. The handover, one row per round, rung and household, keeps the sums:
handed over = open + done + given up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound

SQL = load_queries(__file__)


class Handed(IntEnum):
    """The states of a handover, as stored."""

    OPEN = 0
    DONE = 1
    GIVEN_UP = 2


HANDED_NAMES = {Handed.OPEN: "办理中", Handed.DONE: "已告知或办结", Handed.GIVEN_UP: "已终止"}
"""What staff read."""


@dataclass(frozen=True, slots=True)
class Household:
    """A household whose turn has come at a rung. `state` other than OPEN: it needs nothing, for `reason`."""

    taxpayer_id: int
    person_id: int
    reach: int
    state: Handed = Handed.OPEN
    reason: str = ""


async def hand_over(
    conn: Connection,
    round_id: int,
    step: int,
    kind: str,
    households: Sequence[Household],
    *,
    due_at: datetime,
) -> int:
    """Make, or join, the calls or visits (`kind`) of these households; returns how many are new here."""
    waiting = [one for one in households if one.state is Handed.OPEN]
    if waiting:
        query = SQL["open_calls" if kind == "call" else "open_visits"]
        keys = {
            "persons": [one.person_id for one in waiting],
            "taxpayers": [one.taxpayer_id for one in waiting],
        }
        await conn.execute(query, {**keys, "due_at": due_at})
    row = await (
        await conn.execute(
            SQL["keep_handovers"],
            {
                "round_id": round_id,
                "step": step,
                "kind": kind,
                "taxpayers": [one.taxpayer_id for one in households],
                "persons": [one.person_id for one in households],
                "reaches": [one.reach for one in households],
                "states": [int(one.state) for one in households],
                "reasons": [one.reason for one in households],
            },
        )
    ).fetchone()
    assert row is not None
    return int(row["n"])


async def close_households(
    conn: Connection, round_id: int, taxpayers: Iterable[int], state: Handed, reason: str
) -> None:
    """These need no call and no visit of this round any more; an item that is for nothing else closes."""
    keys = {"round_id": round_id, "taxpayers": list(taxpayers)}
    rows = await (await conn.execute(SQL["lock_items_of"], keys)).fetchall()
    await conn.execute(SQL["close_households"], {**keys, "state": int(state), "reason": reason})
    await conn.execute(SQL["close_idle"], {"items": [row["id"] for row in rows], "reason": reason})


async def lock_item(conn: Connection, path: str, item_id: int) -> dict[str, Any]:
    """An item within a scope, held until the transaction ends. Raises NotFound."""
    row = await (await conn.execute(SQL["lock_item"], {"item_id": item_id, "path": path})).fetchone()
    if row is None:
        raise NotFound("没有这项外呼或走访任务，或者它不在您的数据范围内。")
    return row


async def open_handovers(conn: Connection, item_id: int) -> list[dict[str, Any]]:
    """The households that an item is still for, by round; `visit_step` is the rung below a call."""
    return await (await conn.execute(SQL["open_handovers"], {"item_id": item_id})).fetchall()


async def close_item(conn: Connection, item_id: int, state: Handed, reason: str) -> None:
    """Close an item with everything that it is for; `reason` is the result's code."""
    name = "done" if state is Handed.DONE else "given_up"
    keys = {"item_id": item_id, "number": int(state), "state": name, "reason": reason}
    await conn.execute(SQL["close_item"], keys)
