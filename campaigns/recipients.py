"""Whom a round writes down: its recipients, and the frozen sets that say who was told, who was not, and why.

A round that is planned at once and a lap that grows (`trigger_rounds`) write the same rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb
from pyroaring import AbstractBitMap, BitMap

from campaigns.exclusions import Exclusion, move
from campaigns.selection import Selection
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.evaluate import Frozen
from outreach.ledger.reasons import DETOURS

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Written:
    """`planned` have recipients, `exclusions` hold everybody else; `detours` tells, by reason, who of the
    planned takes another way than the ladder's first."""

    planned: BitMap
    exclusions: list[Exclusion]
    detours: list[Exclusion]


async def append_recipients(
    conn: Connection, period: int, round_id: int, reach: Mapping[str, Any]
) -> dict[str, Any]:
    """Write recipients behind the last position of a round; the households `reached`, those whom no rung
    suits (`unsuited`), and who takes which detour. `reach` is what `persons_reached` wants."""
    keys = {"period": period, "round_id": round_id, **reach}
    filled = await (await conn.execute(SQL["append_recipients"], keys)).fetchone()
    assert filled is not None
    return filled


def settle(chosen: Selection, filled: Mapping[str, Any]) -> Written:
    """Move whoever turned out to have no way in to that exclusion."""
    reached, unsuited = BitMap(filled["reached"]), BitMap(filled["unsuited"])
    exclusions = move(chosen.exclusions, "other_way", unsuited)
    exclusions = move(exclusions, "no_address", chosen.planned - reached - unsuited)
    return Written(reached, exclusions, [Exclusion(reason, BitMap(filled[reason])) for reason in DETOURS])


async def keep_set(
    conn: Connection,
    round_id: int,
    ordinal: int,
    kind: str,
    reason: str,
    members: AbstractBitMap,
    frozen: Frozen | None = None,
) -> None:
    """Freeze a set of a round at its place, or what it has grown to; with the audience, what defines it."""
    await conn.execute(
        SQL["keep_set"],
        {
            "round_id": round_id,
            "ordinal": ordinal,
            "kind": kind,
            "reason": reason,
            "size": len(members),
            "data": members.serialize(),
            "expression": frozen.text if frozen else "",
            "versions": Jsonb(dict(frozen.versions) if frozen else {}),
        },
    )
