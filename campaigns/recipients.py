"""Whom a round writes down: its recipients, and the frozen sets that say who was told, who was not, and why.

A round that is planned at once and a lap that grows (`trigger_rounds`) write the same rows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb
from pyroaring import AbstractBitMap, BitMap

from campaigns.exclusions import Exclusion, move
from campaigns.persons import IN_CARE, READS_MONGOLIAN, Persons
from campaigns.selection import Selection
from outreach.db.copy import copy_columns
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.evaluate import Frozen
from outreach.ledger.reasons import DETOURS

SQL = load_queries(__file__)

_DETOURS = {"in_care": IN_CARE, "mongolian": READS_MONGOLIAN}


@dataclass(frozen=True, slots=True)
class Written:
    """`planned` have recipients, `exclusions` hold everybody else; `detours` tells, by reason, who of the
    planned takes another way than the ladder's first."""

    planned: BitMap
    exclusions: list[Exclusion]
    detours: list[Exclusion]


async def append_recipients(conn: Connection, period: int, round_id: int, persons: Persons) -> None:
    """Write those whom some rung reaches behind the last position of a round.

    They stand in the order of the organisation, so that a batch touches few org units and its counters few
    rows, and behind the last position, so that nobody who was cut is passed again.
    """
    keys = {"period": period, "round_id": round_id}
    behind = await (await conn.execute(SQL["last_position"], keys)).fetchone()
    assert behind is not None
    told = np.flatnonzero(persons.reach)
    in_order = told[np.argsort(persons.ranks[told], kind="stable")]
    await write_recipients(conn, period, round_id, persons.take(in_order), behind["last"])


async def write_recipients(
    conn: Connection, period: int, round_id: int, persons: Persons, behind: int = 0
) -> None:
    """Write persons whom some rung reaches at the next positions, in the order in which they stand."""
    count = len(persons.ids)
    columns: dict[str, NDArray[Any]] = {
        "period": np.full(count, period, np.int32),
        "round_id": np.full(count, round_id, np.int32),
        "position": np.arange(behind + 1, behind + 1 + count, dtype=np.int32),
        "person_id": persons.ids.astype(np.int32),
        "org_id": persons.org_ids.astype(np.int32),
        "reach": persons.reach.astype(np.int16),
        "first_step": persons.first_rungs().astype(np.int16),
    }
    await copy_columns(conn, "recipient", columns, ("taxpayer_ids", persons.counts, persons.households))


def settle(chosen: Selection, persons: Persons) -> Written:
    """Move whoever turned out to have no way in, or no rung that suits her, to that exclusion."""
    is_reached = persons.reach > 0
    reached, unsuited = persons.households_of(is_reached), persons.households_of(~is_reached)
    exclusions = move(chosen.exclusions, "other_way", unsuited)
    exclusions = move(exclusions, "no_address", chosen.planned - reached - unsuited)
    detours = [
        Exclusion(reason, persons.households_of(is_reached & (persons.apart & _DETOURS[reason] > 0)))
        for reason in DETOURS
    ]
    return Written(reached, exclusions, detours)


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
