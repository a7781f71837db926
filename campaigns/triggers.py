"""What taxpayers do, as the tax systems report it: kept once, and visible to the next count.

An event of a listed type also gives or takes labels, so that whoever has acted falls out of every round
before the next message leaves. An event that meets the condition of a trigger round is noted for it in the
same transaction (`campaigns/trigger_rounds.py` answers it).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from pyroaring import BitMap

from campaigns.trigger_details import check_details
from campaigns.trigger_rules import EVENTS
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.keys import event_key, label_key
from outreach.labels.sets import change_sets
from outreach.runtime import Runtime
from outreach.statements.kinds import DOCUMENT_KINDS

SQL = load_queries(__file__)

GIVES = {
    "filed": ("iit.filed",),
    "paid": ("iit.filed", "iit.paid"),
    "refund_submitted": ("iit.filed", "iit.refund_submitted"),
    "refund_failed": ("iit.refund_failed",),
    "review_rejected": ("iit.review_rejected",),
    "refund_done": ("iit.refund_done",),
    "disputed": ("iit.disputed",),
}
"""Event type to the labels that it gives."""

TAKES = {"refund_done": ("iit.refund_failed", "iit.review_rejected"), "dispute_closed": ("iit.disputed",)}
"""Event type to the labels that it takes away."""

DOCUMENT_TYPES = frozenset(f"{kind}_ready" for kind in DOCUMENT_KINDS)
"""Recorded by `announcing.py` and by nobody else."""

OTHER_TYPES = frozenset({"page_stay", "first_invoice", "credit_changed", "deferral_maturing"})

_REPORTED = frozenset(GIVES) | frozenset(TAKES) | OTHER_TYPES

_CONTESTED = {code for codes in TAKES.values() for code in codes}
_CONTESTING = [
    kind for kind in (*GIVES, *TAKES) if _CONTESTED.intersection(GIVES.get(kind, ()) + TAKES.get(kind, ()))
]


@dataclass(frozen=True, slots=True)
class Happening:
    """One event; `key` is the reporting system's own and makes a repetition harmless. `details`: what its
    type tells beside (`campaigns/trigger_details.py`)."""

    key: str
    taxpayer_id: int
    type: str
    at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


def check_events(told: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Types and details of a report's events, in its order. Raises InvalidInput with each fault's place."""
    check_details(told, _REPORTED)


async def record_events(rt: Runtime, events: Sequence[Happening], *, source: str, scope_org_id: int) -> int:
    """Keep events, move the labels, note what triggers wait for; returns how many were new. Raises
    InvalidInput for an unknown type or details that do not fit.

    Taxpayers outside the scope and keys that this source has used are left out. Where one event gives a label
    and another takes it, the later event decides, in whatever order they are reported.
    """
    check_details([(event.type, event.details) for event in events], _REPORTED | DOCUMENT_TYPES)
    async with rt.db.begin() as conn:
        rows = await (
            await conn.execute(SQL["keep_events"], _columns(events, source, scope_org_id))
        ).fetchall()
        contesting = sorted({row["taxpayer_id"] for row in rows if row["type"] in _CONTESTING})
        keys = {"taxpayers": contesting, "types": _CONTESTING}
        history = await (await conn.execute(SQL["history"], keys)).fetchall() if contesting else []
        moved = _moves(rows, history)
        if moved:
            await change_sets(conn, moved, source=source)
        waited_for = [row["id"] for row in rows if row["type"] in EVENTS]
        if waited_for:
            await conn.execute(SQL["note_triggered"], {"events": waited_for, "campaign_id": None})
        return len(rows)


async def waiting_events(conn: Connection, campaign_id: int) -> list[int]:
    """The events that wait for the rules of a campaign, which are about to be drafted anew."""
    keys = {"campaign_id": campaign_id}
    await conn.execute(SQL["hold_rules"], keys)
    rows = await (await conn.execute(SQL["waiting_events"], keys)).fetchall()
    return [row["event_id"] for row in rows]


async def note_again(conn: Connection, campaign_id: int, events: Sequence[int]) -> int:
    """Let events wait for the rules of a campaign that has been drafted anew; returns how many meet the
    condition of none, and are given up."""
    keys = {"events": list(events), "campaign_id": campaign_id}
    noted = await (await conn.execute(SQL["note_triggered"], keys)).fetchall()
    return len(events) - len({row["event_id"] for row in noted})


def _columns(events: Sequence[Happening], source: str, scope_org_id: int) -> dict[str, Any]:
    return {
        "keys": [event.key for event in events],
        "taxpayers": [event.taxpayer_id for event in events],
        "types": [event.type for event in events],
        "ats": [event.at for event in events],
        "details": [Jsonb(event.details) for event in events],
        "source": source,
        "scope": scope_org_id,
    }


def _moves(
    rows: Sequence[dict[str, Any]], history: Sequence[dict[str, Any]]
) -> dict[str, tuple[BitMap, BitMap]]:
    """Set key to whom it gains and loses. `history`: the contesting events of their taxpayers, in order."""
    moved: dict[str, tuple[BitMap, BitMap]] = defaultdict(lambda: (BitMap(), BitMap()))
    for row in rows:
        moved[event_key(row["type"])][0].add(row["taxpayer_id"])
        for code in GIVES.get(row["type"], ()):
            if code not in _CONTESTED:
                moved[label_key(code)][0].add(row["taxpayer_id"])
    for row in history:
        for code in _CONTESTED.intersection(GIVES.get(row["type"], ())):
            _move(moved[label_key(code)], row["taxpayer_id"])
        for code in _CONTESTED.intersection(TAKES.get(row["type"], ())):
            _move(moved[label_key(code)][::-1], row["taxpayer_id"])
    return dict(moved)


def _move(sides: tuple[BitMap, ...], taxpayer_id: int) -> None:
    sides[0].add(taxpayer_id)
    sides[1].discard(taxpayer_id)
