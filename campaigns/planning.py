"""A round starts: its segment is evaluated, the exclusions fall out, the recipients are written down.

All of it is one transaction on one locked row: a crash leaves a scheduled round, a second scheduler finds
nothing due.
"""

from collections.abc import Sequence
from typing import Any

from pyroaring import BitMap

from campaigns.approval import still_binds
from campaigns.persons import find_persons
from campaigns.recipients import Written, append_recipients, keep_set, settle
from campaigns.selection import Selection, reach_parameters, select_households
from campaigns.slicing import cut_slices, fill_slices, refuse_overflow
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import OutreachError
from outreach.labels.bitmaps import union
from outreach.labels.cache import SetCache
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)


async def start_due_rounds(rt: Runtime, cache: SetCache) -> list[int]:
    """Plan and start every round that is due; their ids. One that cannot be planned is logged and holds up
    none of the others; one whose approval no longer fits sends its campaign back to review."""
    started: list[int] = []
    stuck: list[int] = []
    while True:
        try:
            found = await _start_due_round(rt, cache, stuck)
        except _Stuck as error:
            get_log().error("round.stuck", round=error.round_id, error=type(error.__cause__).__name__)
            await rt.db.execute(SQL["note_stuck"], {"round_id": error.round_id, "reason": error.reason})
            stuck.append(error.round_id)
        else:
            if found is None:
                return started
            started += found


class _Stuck(Exception):
    def __init__(self, round_id: int, reason: str) -> None:
        super().__init__(round_id)
        self.round_id, self.reason = round_id, reason


async def _start_due_round(rt: Runtime, cache: SetCache, stuck: Sequence[int]) -> list[int] | None:
    """The round that has started, nothing if it may not, None if none is due."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute(SQL["take_round"], {"stuck": list(stuck)})).fetchone()
        if row is None:
            return None
        if not await still_binds(conn, row["campaign_id"]):
            return []
        try:
            audience, planned = await _plan(conn, cache, row)
        except OutreachError as error:
            raise _Stuck(row["id"], error.message) from error
    get_log().info("round.started", round=row["id"], audience=audience, planned=planned)
    return [row["id"]]


async def _plan(conn: Connection, cache: SetCache, row: dict[str, Any]) -> tuple[int, int]:
    steps = await (await conn.execute(SQL["steps_of"], {"round_id": row["id"]})).fetchall()
    await conn.execute("select ensure_period('message', %s)", (row["period"],))
    await conn.execute("select ensure_period('recipient', %s)", (row["period"],))
    channels = [step["channel"] for step in steps]
    earlier = await _planned_earlier(conn, row)
    chosen = await select_households(conn, cache, row, channels, moment=row["now"], leave_out=earlier)
    written = await _fill(conn, cache, row, steps, chosen)
    await _keep(conn, row["id"], chosen, written)
    sizes = {"audience": len(chosen.audience), "planned": len(written.planned)}
    await conn.execute(SQL["begin_round"], {"round_id": row["id"], "period": row["period"], **sizes})
    return len(chosen.audience), len(written.planned)


async def _planned_earlier(conn: Connection, row: dict[str, Any]) -> BitMap | None:
    """Whom the approved round or another occurrence of it has planned; None where that does not matter."""
    if not row["leaves_out_earlier"]:
        return None
    rows = await (await conn.execute(SQL["planned_earlier"], {"parent_id": row["parent_id"]})).fetchall()
    return BitMap(union(BitMap.deserialize(found["data"]) for found in rows))


async def _fill(
    conn: Connection,
    cache: SetCache,
    row: dict[str, Any],
    steps: Sequence[dict[str, Any]],
    chosen: Selection,
) -> Written:
    """Write the recipients, all at once or in slices."""
    persons = await find_persons(conn, reach_parameters(row, steps, chosen))
    slices = await cut_slices(conn, cache, row, chosen, persons, moment=row["now"])
    if slices is None:
        await append_recipients(conn, row["period"], row["id"], persons)
    else:
        refuse_overflow(slices, row["name"])
        await fill_slices(conn, row, slices)
    return settle(chosen, persons)


async def _keep(conn: Connection, round_id: int, chosen: Selection, written: Written) -> None:
    rows = [
        ("audience", "", chosen.audience),
        *(("exclusion", item.reason, item.members) for item in written.exclusions),
        ("planned", "", written.planned),
        *(("detour", item.reason, item.members) for item in written.detours if item.members),
    ]
    for ordinal, (kind, reason, members) in enumerate(rows):
        frozen = chosen.frozen if kind == "audience" else None
        await keep_set(conn, round_id, ordinal, kind, reason, members, frozen)
