"""Receipts applied: matched to messages, merged by rank, in sets of thousands."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg.rows import tuple_row

from outreach.db.pool import Connection
from outreach.ledger.keys import DIRECT_FROM, MESSAGES_PER_BATCH, shard_of
from outreach.ledger.receipts import SQL
from outreach.ledger.states import State
from outreach.runtime import Runtime

_AT_ONCE = 10_000
_FIRST_ORPHAN_PAUSE = 0.5
_REACH = 100
"""Messages that a request carries as a rule: those of one batch that are looked at behind its first key."""
_NOT_RCS_CODES = frozenset({"2"})

Row = dict[str, Any]
Place = tuple[int, int]


async def merge_receipts(rt: Runtime) -> int:
    """Apply the next receipts of the inbox; returns how many were read, 0 if another process is at it."""
    async with rt.db.begin() as conn:
        if await (await conn.execute(SQL["lock_cursor"])).fetchone() is None:
            return 0
        rows = await (await conn.execute(SQL["merge_batch"], {"limit": _AT_ONCE})).fetchall()
        if not rows:
            return 0
        await _apply(conn, rows)
        last = rows[-1]
        await conn.execute(SQL["move_cursor"], {"arrived_in": last["arrived_in"], "id": last["id"]})
        return len(rows)


async def merge_orphans(rt: Runtime) -> int:
    """Look again at receipts whose message could not be told; returns how many were looked at."""
    async with rt.db.begin() as conn:
        rows = await (await conn.execute(SQL["take_orphans"], {"limit": _AT_ONCE})).fetchall()
        for row in rows:
            row["attempts"] += 1
        await _apply(conn, rows)
        return len(rows)


async def _apply(conn: Connection, rows: Sequence[Row]) -> None:
    direct = [row for row in rows if row["message_id"] is not None and row["message_id"] >= DIRECT_FROM]
    keyed = [row for row in rows if row["message_id"] is not None and row["message_id"] < DIRECT_FROM]
    loose = [row for row in rows if row["message_id"] is None]
    if direct:
        await conn.execute(SQL["merge_direct"], _columns((row["message_id"], row) for row in direct))
    found, orphans = await _match_keys(conn, keyed)
    by_reference, unmatched = await _match_references(conn, loose)
    for place, pairs in by_reference.items():
        found[place] += pairs
    for (period, shard), pairs in sorted(found.items()):
        await conn.execute(SQL["merge_states"], {**_columns(pairs), "period": period, "shard": shard})
    await _keep(conn, orphans + unmatched)
    await _learn(conn, rows)


def _columns(pairs: Iterable[tuple[int, Row]]) -> dict[str, Any]:
    held = list(pairs)
    return {
        "ids": [message_id for message_id, _ in held],
        "states": [row["state"] for _, row in held],
        # Only a failure keeps its code, and a text costs more on the way to the database than all else.
        "codes": [row["code"] if row["state"] == State.FAILED else None for _, row in held],
    }


async def _match_keys(
    conn: Connection, rows: Sequence[Row]
) -> tuple[dict[Place, list[tuple[int, Row]]], list[Row]]:
    found: dict[Place, list[tuple[int, Row]]] = defaultdict(list)
    if not rows:
        return found, []
    ids = {row["message_id"] // MESSAGES_PER_BATCH for row in rows}
    keys = {"ids": list(ids), "shards": sorted({shard_of(row["message_id"]) for row in rows})}
    batches = await (await conn.execute(SQL["periods_of"], keys)).fetchall()
    periods = {batch["id"]: batch["period"] for batch in batches}
    shared: dict[Place, list[Row]] = defaultdict(list)
    orphans: list[Row] = []
    for row in rows:
        period = periods.get(row["message_id"] // MESSAGES_PER_BATCH)
        place = (period or 0, shard_of(row["message_id"]))
        if period is None:
            orphans.append(row)
        elif row["whole_request"]:
            shared[place].append(row)
        else:
            found[place].append((row["message_id"], row))
    for place, group in shared.items():
        matched = await _match_destinations(conn, place, group)
        found[place] += matched
        known = {id(row) for _, row in matched}
        orphans += [row for row in group if id(row) not in known]
    return found, orphans


async def _match_destinations(conn: Connection, place: Place, rows: Sequence[Row]) -> list[tuple[int, Row]]:
    near = await _behind_keys(conn, place, sorted({row["message_id"] for row in rows}))
    matched = [(near.get((row["message_id"], row["dest"])), row) for row in rows]
    found = [(message_id, row) for message_id, row in matched if message_id is not None]
    rest = [row for message_id, row in matched if message_id is None]
    return found + await _match_farther(conn, place, rest)


async def _behind_keys(conn: Connection, place: Place, firsts: Sequence[int]) -> dict[tuple[int, int], int]:
    """For the key of a request and a destination, the first message at or close behind it that goes there."""
    keys = {"period": place[0], "shard": place[1], "firsts": firsts, "reach": _REACH}
    near: dict[tuple[int, int], int] = {}
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        await cursor.execute(SQL["behind_keys"], keys)
        for first, message_id, dest in await cursor.fetchall():
            if near.setdefault((first, dest), message_id) > message_id:
                near[first, dest] = message_id
    return near


async def _match_farther(conn: Connection, place: Place, rows: Sequence[Row]) -> list[tuple[int, Row]]:
    if not rows:
        return []
    keys = {
        "period": place[0],
        "shard": place[1],
        "ns": list(range(len(rows))),
        "firsts": [row["message_id"] for row in rows],
        "dests": [row["dest"] for row in rows],
    }
    matched = await (await conn.execute(SQL["by_destination"], keys)).fetchall()
    return [(match["id"], rows[match["n"]]) for match in matched]


async def _match_references(
    conn: Connection, rows: Sequence[Row]
) -> tuple[dict[Place, list[tuple[int, Row]]], list[Row]]:
    found: dict[Place, list[tuple[int, Row]]] = defaultdict(list)
    if not rows:
        return found, []
    keys = {
        "ns": list(range(len(rows))),
        "dests": [row["dest"] for row in rows],
        "refs": [row["ref"] for row in rows],
    }
    matched = await (await conn.execute(SQL["by_reference"], keys)).fetchall()
    for match in matched:
        found[match["period"], match["shard"]].append((match["id"], rows[match["n"]]))
    known = {match["n"] for match in matched}
    return found, [row for n, row in enumerate(rows) if n not in known]


async def _keep(conn: Connection, rows: Sequence[Row]) -> None:
    if not rows:
        return
    await conn.execute(
        SQL["keep_orphans"],
        {
            "gateway_ids": [row["gateway_id"] for row in rows],
            "message_ids": [row["message_id"] for row in rows],
            "whole": [row["whole_request"] for row in rows],
            "dests": [row["dest"] for row in rows],
            "refs": [row["ref"] for row in rows],
            "states": [row["state"] for row in rows],
            "codes": [row["code"] for row in rows],
            "fallbacks": [row["fallback"] for row in rows],
            "ats": [row["at"] for row in rows],
            "arrived": [row["arrived_at"] for row in rows],
            "attempts": [row.get("attempts", 0) for row in rows],
            "first": _FIRST_ORPHAN_PAUSE,
        },
    )


async def _learn(conn: Connection, rows: Sequence[Row]) -> None:
    # A 5G message that fell back to SMS, or failed because the phone cannot show it, tells about the phone.
    learned = [
        (row["dest"], not row["fallback"] and row["state"] != State.FAILED)
        for row in rows
        if row["dest"] is not None
        and (row["fallback"] or (row["state"] == State.FAILED and row["code"] in _NOT_RCS_CODES))
    ]
    if learned:
        keys = {"dests": [dest for dest, _ in learned], "ables": [able for _, able in learned]}
        await conn.execute(SQL["learn_rcs"], keys)
