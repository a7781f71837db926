"""The slices of a round, and the rounds that follow from it, as pages and the API show them."""

from typing import Any

from campaigns.slicing import Slices
from campaigns.staggering import name_of
from outreach.db.pool import Connection
from outreach.db.sql import load_queries

_SQL = load_queries(__file__)

MOST = 400
"""Days and groups that a page shows."""


async def slices_of(conn: Connection, round_id: int) -> list[dict[str, Any]]:
    """Day by day and group by group: `persons`, `households`, `busiest` (the fullest hall's persons) with
    `busiest_hall`, `is_open`, `is_cut`, `planned_on` (the day before it was put off), `has_no_day` (put off
    beyond the window). The caller has found the round its own."""
    return await (await conn.execute(_SQL["slices"], {"round_id": round_id, "limit": MOST})).fetchall()


async def occurrences_of(conn: Connection, round_id: int) -> list[dict[str, Any]]:
    """The newest rounds that follow from a round."""
    return await (await conn.execute(_SQL["occurrences"], {"round_id": round_id, "limit": 50})).fetchall()


def slices_ahead(slices: Slices | None) -> list[dict[str, Any]]:
    """The same of a forecast; households are told by the rungs."""
    found: dict[tuple[Any, int], dict[str, Any]] = {}
    for cell in slices.layout.cells if slices else ():
        assert slices is not None
        row = found.setdefault(
            (cell.day, cell.code),
            {
                "day": cell.day,
                "opens_at": slices.opens[cell.day],
                "label": name_of(cell.code, slices.rule),
                "persons": 0,
                "busiest": None,
                "busiest_hall": None,
            },
        )
        row["persons"] += cell.persons
        if cell.hall:
            row["busiest"] = max(row["busiest"] or 0, cell.persons)
    return list(found.values())[:MOST]
