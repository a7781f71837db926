"""Receipts of texts that were sent in several parts, where the provider reports each part by itself.

The reference of such a message is that of its parts, joined by `+`. Receipts that name one of them wait with
those that cannot be told (merge.py), and are told here: the part is marked in the reference, `=` for
delivered and `!` for failed, signs that no reference ends with, so what was reported is kept with the message
and repetition changes nothing. A message is delivered when all its parts are, and has failed when one of them
has.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.ledger.receipts import SQL as RECEIPTS
from outreach.ledger.states import State
from outreach.runtime import Runtime

SQL = load_queries(__file__)

SEPARATOR = "+"
_AT_ONCE = 10_000
_OUTSIDE = 0
_MARKS = {State.DELIVERED: "=", State.FAILED: "!"}
_RANKS = ("", "!", "=")

Row = dict[str, Any]
Place = tuple[int, int, int]


async def merge_parts(rt: Runtime) -> int:
    """Apply waiting receipts that name a part of a message; returns how many."""
    async with rt.db.begin() as conn:
        rows = await (await conn.execute(SQL["take_parts"], {"limit": _AT_ONCE})).fetchall()
        if not rows:
            return 0
        told: dict[Place, list[Row]] = defaultdict(list)
        for row in rows:
            told[row["period"], row["shard"], row["message_id"]].append(row)
        places = sorted(place for place in told if place[0] != _OUTSIDE)
        refs = await _lock(conn, places)
        marked = {place: mark_parts(refs[place], _evidence(told[place])) for place in refs}
        await conn.execute(SQL["mark_parts"], _columns(marked))
        await _decide(conn, marked, told)
        if len(places) < len(told):
            await _merge_direct(conn, {place[2]: told[place] for place in told if place[0] == _OUTSIDE})
        await conn.execute(SQL["forget"], {"ids": [row["orphan"] for row in rows]})
        return len(rows)


def _evidence(rows: Iterable[Row]) -> list[tuple[str, State]]:
    return [(row["ref"], State(row["state"])) for row in rows]


def mark_parts(ref: str, evidence: Iterable[tuple[str, State]]) -> str:
    """The joined reference with what receipts say of single parts. Arrival outranks a report of failure."""
    marks = {part.rstrip("=!"): part[len(part.rstrip("=!")) :] for part in ref.split(SEPARATOR)}
    for part, state in evidence:
        mark = _MARKS.get(state, "")
        if part in marks and _RANKS.index(mark) > _RANKS.index(marks[part]):
            marks[part] = mark
    return SEPARATOR.join(part + mark for part, mark in marks.items())


def outcome_of(ref: str) -> State | None:
    """What the marks of a joined reference say of the message; None while parts are open."""
    marks = [part[-1:] for part in ref.split(SEPARATOR)]
    if "!" in marks:
        return State.FAILED
    return State.DELIVERED if all(mark == "=" for mark in marks) else None


async def _merge_direct(conn: Connection, told: dict[int, list[Row]]) -> None:
    """The same for messages outside any round: one-time codes and test sends."""
    rows = await (await conn.execute(SQL["lock_direct"], {"ids": sorted(told)})).fetchall()
    refs = {row["id"]: mark_parts(row["ref"], _evidence(told[row["id"]])) for row in rows}
    states = [outcome_of(ref) or State.ACCEPTED for ref in refs.values()]
    codes = [_failure(told[message_id]) for message_id in refs]
    keys = {"ids": list(refs), "refs": list(refs.values()), "states": list(map(int, states)), "codes": codes}
    await conn.execute(SQL["mark_direct"], keys)


def _failure(rows: Iterable[Row]) -> str | None:
    return next((row["code"] for row in rows if row["state"] == State.FAILED), None)


async def _lock(conn: Connection, places: Sequence[Place]) -> dict[Place, str]:
    keys = {
        "periods": [period for period, _, _ in places],
        "shards": [shard for _, shard, _ in places],
        "ids": [message_id for _, _, message_id in places],
    }
    rows = await (await conn.execute(SQL["lock_messages"], keys)).fetchall()
    return {(row["period"], row["shard"], row["id"]): row["ref"] for row in rows}


def _columns(marked: dict[Place, str]) -> dict[str, Any]:
    return {
        "periods": [period for period, _, _ in marked],
        "shards": [shard for _, shard, _ in marked],
        "ids": [message_id for _, _, message_id in marked],
        "refs": list(marked.values()),
    }


async def _decide(conn: Connection, marked: dict[Place, str], told: dict[Place, list[Row]]) -> None:
    decided: dict[tuple[int, int], list[tuple[int, State, str | None]]] = defaultdict(list)
    for (period, shard, message_id), ref in marked.items():
        state = outcome_of(ref)
        if state is not None:
            code = _failure(told[period, shard, message_id]) if state is State.FAILED else None
            decided[period, shard].append((message_id, state, code))
    for (period, shard), found in sorted(decided.items()):
        keys = {
            "period": period,
            "shard": shard,
            "ids": [message_id for message_id, _, _ in found],
            "states": [int(state) for _, state, _ in found],
            "codes": [code for _, _, code in found],
        }
        await conn.execute(RECEIPTS["merge_states"], keys)
