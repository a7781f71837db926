"""A round starts: its segment is evaluated, the exclusions fall out, the recipients are written down.

All of it is one transaction on one locked row: a crash leaves a scheduled round, a second scheduler finds
nothing due.
"""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb
from pyroaring import BitMap

from campaigns.approval import still_binds
from campaigns.exclusions import Exclusion, move
from campaigns.selection import reach_parameters, select_households
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import OutreachError
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import Frozen
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
            stuck.append(error.round_id)
        else:
            if found is None:
                return started
            started += found


class _Stuck(Exception):
    def __init__(self, round_id: int) -> None:
        super().__init__(round_id)
        self.round_id = round_id


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
            raise _Stuck(row["id"]) from error
    get_log().info("round.started", round=row["id"], audience=audience, planned=planned)
    return [row["id"]]


async def _plan(conn: Connection, cache: SetCache, row: dict[str, Any]) -> tuple[int, int]:
    steps = await (await conn.execute(SQL["steps_of"], {"round_id": row["id"]})).fetchall()
    await conn.execute("select ensure_period('message', %s)", (row["period"],))
    await conn.execute("select ensure_period('recipient', %s)", (row["period"],))
    channels = [step["channel"] for step in steps]
    chosen = await select_households(conn, cache, row, channels, moment=row["now"])
    planned, exclusions = await _fill(conn, row, steps, chosen.planned, chosen.exclusions)
    await _keep(conn, row["id"], chosen.frozen, planned, exclusions)
    sizes = {"audience": len(chosen.audience), "planned": len(planned)}
    await conn.execute(SQL["begin_round"], {"round_id": row["id"], "period": row["period"], **sizes})
    return len(chosen.audience), len(planned)


async def _fill(
    conn: Connection,
    row: dict[str, Any],
    steps: Sequence[dict[str, Any]],
    planned: BitMap,
    exclusions: list[Exclusion],
) -> tuple[BitMap, list[Exclusion]]:
    """Write the recipients; whoever turns out to have no way in is moved to that exclusion."""
    keys = {"period": row["period"], "round_id": row["id"], **reach_parameters(row, steps, planned)}
    filled = await (await conn.execute(SQL["fill_recipients"], keys)).fetchone()
    assert filled is not None
    reached = BitMap(filled["reached"])
    return reached, move(exclusions, "no_address", planned - reached)


async def _keep(
    conn: Connection, round_id: int, frozen: Frozen, planned: BitMap, exclusions: Sequence[Exclusion]
) -> None:
    rows = [
        ("audience", "", BitMap(frozen.members)),
        *(("exclusion", item.reason, item.members) for item in exclusions),
        ("planned", "", planned),
    ]
    for ordinal, (kind, reason, members) in enumerate(rows):
        whole = kind == "audience"
        await conn.execute(
            SQL["keep_set"],
            {
                "round_id": round_id,
                "ordinal": ordinal,
                "kind": kind,
                "reason": reason,
                "size": len(members),
                "data": members.serialize(),
                "expression": frozen.text if whole else "",
                "versions": Jsonb(dict(frozen.versions) if whole else {}),
            },
        )
