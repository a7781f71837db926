"""Receipts applied: matched to messages, merged by rank, in sets of thousands."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import args_row, tuple_row

from outreach.db.pool import Connection
from outreach.ledger.keys import DIRECT_FROM, MESSAGES_PER_BATCH, shard_of
from outreach.ledger.receipts import SQL
from outreach.ledger.states import State, rank
from outreach.runtime import Runtime

_AT_ONCE = 10_000
_FIRST_ORPHAN_PAUSE = 0.5
_REACH = 100
"""Messages that a request carries as a rule: those of one batch that are looked at behind its first key."""
_MANY = 8
"""So many receipts of one request are worth reading all that it may have carried; fewer, as of requests of
one message, are looked for one by one."""
_NOT_RCS_CODES = frozenset({"2"})
_NO_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""Status codes (RFC 3463) that speak of the address and not of us."""
FELL_BACK = "sms_fallback"
"""The code of a 5G message that the operator delivered as SMS."""


class Arrival(NamedTuple):
    """A receipt as it lies in the inbox, or, tried `attempts` times, among the orphans. `arrived_in` and `id`
    are its place in the inbox. A named tuple, because thousands are read at once."""

    gateway_id: int
    message_id: int | None
    whole_request: bool
    dest: int | None
    ref: str | None
    state: int
    code: str | None
    fallback: bool
    at: datetime | None
    arrived_at: datetime
    attempts: int
    arrived_in: str
    id: int


Place = tuple[int, int]
Match = tuple[int, Arrival]


async def merge_receipts(rt: Runtime) -> int:
    """Apply the next receipts of the inbox; returns how many were read, 0 if another process is at it."""
    async with rt.db.begin() as conn:
        if await (await conn.execute(SQL["lock_cursor"])).fetchone() is None:
            return 0
        rows = await _read(conn, "merge_batch")
        if not rows:
            return 0
        await _apply(conn, rows)
        await conn.execute(SQL["move_cursor"], {"arrived_in": rows[-1].arrived_in, "id": rows[-1].id})
        return len(rows)


async def merge_orphans(rt: Runtime) -> int:
    """Look again at receipts whose message could not be told; returns how many were looked at."""
    async with rt.db.begin() as conn:
        rows = await _read(conn, "take_orphans")
        await _apply(conn, rows)
        return len(rows)


async def _read(conn: Connection, query: str) -> list[Arrival]:
    async with conn.cursor(row_factory=args_row(Arrival), binary=True) as cursor:
        await cursor.execute(SQL[query], {"limit": _AT_ONCE})
        return await cursor.fetchall()


async def _apply(conn: Connection, rows: Sequence[Arrival]) -> None:
    keyed: list[Match] = []
    direct: list[Match] = []
    loose: list[Arrival] = []
    for row in rows:
        if row.message_id is None:
            loose.append(row)
        else:
            (direct if row.message_id >= DIRECT_FROM else keyed).append((row.message_id, row))
    found, orphans = await _match_keys(conn, keyed)
    by_reference, left = await _match_references(conn, loose)
    matched, unmatched = await _match_direct(conn, left)
    direct += matched
    if direct:
        await conn.execute(SQL["merge_direct"], _columns(direct))
    for place, matches in by_reference.items():
        found[place] += matches
    for (period, shard), matches in sorted(found.items()):
        await merge_matches(conn, period, shard, matches)
    await _keep(conn, orphans + unmatched)
    await _learn(conn, rows)


async def merge_matches(conn: Connection, period: int, shard: int, matches: Iterable[Match]) -> None:
    """Move messages of one shard to what was reported of them, if that ranks higher."""
    # Nearly all are of accepted messages: the others, reported before they were settled or once more, are
    # locked and judged by rank.
    keys = {"period": period, "shard": shard}
    columns = _columns(matches)
    cursor = await conn.execute(SQL["merge_accepted"], {**columns, **keys})
    rest = {row["id"] for row in await cursor.fetchall()}
    if rest:
        places = [place for place, message_id in enumerate(columns["ids"]) if message_id in rest]
        left = {name: [values[place] for place in places] for name, values in columns.items()}
        await conn.execute(SQL["merge_states"], {**left, **keys})


def _columns(matches: Iterable[Match]) -> dict[str, list[Any]]:
    """Of each message its highest report, in the order of the ids: in that order they are locked."""
    best: dict[int, Arrival] = {}
    for message_id, row in matches:
        held = best.get(message_id)
        if held is None or rank(State(row.state)) > rank(State(held.state)):
            best[message_id] = row
    ids = sorted(best)
    rows = [best[message_id] for message_id in ids]
    return {
        "ids": ids,
        "states": [row.state for row in rows],
        # Only a failure keeps its code, and a text costs more on the way to the database than all else.
        "codes": [
            row.code if row.state == State.FAILED else FELL_BACK if row.fallback else None for row in rows
        ],
    }


async def _match_keys(
    conn: Connection, matches: Sequence[Match]
) -> tuple[dict[Place, list[Match]], list[Arrival]]:
    found: dict[Place, list[Match]] = defaultdict(list)
    if not matches:
        return found, []
    ids = {message_id // MESSAGES_PER_BATCH for message_id, _ in matches}
    keys = {"ids": list(ids), "shards": sorted({shard_of(message_id) for message_id, _ in matches})}
    batches = await (await conn.execute(SQL["periods_of"], keys)).fetchall()
    periods = {batch["id"]: batch["period"] for batch in batches}
    shared: dict[Place, list[Match]] = defaultdict(list)
    orphans: list[Arrival] = []
    for match in matches:
        message_id, row = match
        period = periods.get(message_id // MESSAGES_PER_BATCH)
        if period is None:
            orphans.append(row)
        else:
            (shared if row.whole_request else found)[period, shard_of(message_id)].append(match)
    for place, group in shared.items():
        matched, unmatched = await _match_destinations(conn, place, group)
        found[place] += matched
        orphans += unmatched
    return found, orphans


async def _match_destinations(
    conn: Connection, place: Place, matches: Sequence[Match]
) -> tuple[list[Match], list[Arrival]]:
    counts = Counter([first for first, _ in matches])
    many = sorted(first for first, count in counts.items() if count >= _MANY)
    near = await _behind_keys(conn, place, many) if many else {}
    found: list[Match] = []
    rest: list[Match] = []
    for first, row in matches:
        message_id = near.get((first, row.dest))
        if message_id is None:
            rest.append((first, row))
        else:
            found.append((message_id, row))
    farther = await _match_farther(conn, place, rest)
    orphans = [row for number, (_, row) in enumerate(rest) if number not in farther]
    return found + [(message_id, rest[number][1]) for number, message_id in farther.items()], orphans


async def _behind_keys(
    conn: Connection, place: Place, firsts: Sequence[int]
) -> dict[tuple[int, int | None], int]:
    """For the key of a request and a destination, the first message at or close behind it that goes there."""
    keys = {"period": place[0], "shard": place[1], "firsts": firsts, "reach": _REACH}
    near: dict[tuple[int, int | None], int] = {}
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        await cursor.execute(SQL["behind_keys"], keys)
        for first, message_id, dest in await cursor.fetchall():
            if near.setdefault((first, dest), message_id) > message_id:
                near[first, dest] = message_id
    return near


async def _match_farther(conn: Connection, place: Place, matches: Sequence[Match]) -> dict[int, int]:
    """The place of each match that could be told, and its message."""
    if not matches:
        return {}
    keys = {
        "period": place[0],
        "shard": place[1],
        "ns": list(range(len(matches))),
        "firsts": [first for first, _ in matches],
        "dests": [row.dest for _, row in matches],
    }
    rows = await (await conn.execute(SQL["by_destination"], keys)).fetchall()
    return {row["n"]: row["id"] for row in rows}


async def _match_references(
    conn: Connection, rows: Sequence[Arrival]
) -> tuple[dict[Place, list[Match]], list[Arrival]]:
    found: dict[Place, list[Match]] = defaultdict(list)
    if not rows:
        return found, []
    keys = {
        "ns": list(range(len(rows))),
        "dests": [row.dest for row in rows],
        "refs": [row.ref for row in rows],
    }
    matched = await (await conn.execute(SQL["by_reference"], keys)).fetchall()
    for match in matched:
        found[match["period"], match["shard"]].append((match["id"], rows[match["n"]]))
    known = {match["n"] for match in matched}
    return found, [row for n, row in enumerate(rows) if n not in known]


async def _match_direct(conn: Connection, rows: Sequence[Arrival]) -> tuple[list[Match], list[Arrival]]:
    if not rows:
        return [], []
    keys = {
        "ns": list(range(len(rows))),
        "gateways": [row.gateway_id for row in rows],
        "dests": [row.dest for row in rows],
        "refs": [row.ref for row in rows],
    }
    matched = await (await conn.execute(SQL["direct_by_reference"], keys)).fetchall()
    known = {match["n"] for match in matched}
    found = [(match["id"], rows[match["n"]]) for match in matched]
    return found, [row for n, row in enumerate(rows) if n not in known]


async def _keep(conn: Connection, rows: Sequence[Arrival]) -> None:
    if not rows:
        return
    await conn.execute(
        SQL["keep_orphans"],
        {
            "gateway_ids": [row.gateway_id for row in rows],
            "message_ids": [row.message_id for row in rows],
            "whole": [row.whole_request for row in rows],
            "dests": [row.dest for row in rows],
            "refs": [row.ref for row in rows],
            "states": [row.state for row in rows],
            "codes": [row.code for row in rows],
            "fallbacks": [row.fallback for row in rows],
            "ats": [row.at for row in rows],
            "arrived": [row.arrived_at for row in rows],
            "attempts": [row.attempts for row in rows],
            "first": _FIRST_ORPHAN_PAUSE,
        },
    )


async def _learn(conn: Connection, rows: Sequence[Arrival]) -> None:
    # A 5G message that fell back to SMS, or failed because the phone cannot show it, tells about the phone.
    learned = [
        (row.dest, not row.fallback and row.state != State.FAILED, row.gateway_id)
        for row in rows
        if row.dest is not None
        and (row.fallback or (row.state == State.FAILED and row.code in _NOT_RCS_CODES))
    ]
    if learned:
        dests, ables, gateways = map(list, zip(*learned, strict=True))
        await conn.execute(SQL["learn_rcs"], {"dests": dests, "ables": ables, "gateways": gateways})
    bounced = [
        (row.dest, row.code, row.gateway_id)
        for row in rows
        if row.state == State.FAILED and row.dest is not None and row.code in _NO_MAILBOX
    ]
    if bounced:
        dests, codes, gateways = map(list, zip(*bounced, strict=True))
        await conn.execute(SQL["close_bounced"], {"dests": dests, "codes": codes, "gateways": gateways})
