"""Sets that follow from the registry: org units, kinds, industries, reachability, refusals.

They are computed whole from the tables and written as differences, so it does not matter how often or after
what this runs. Facts that move one by one (a bounced number, an opt-out) are written at once by whoever
learns them. So that a refresh does not undo what was learned while it read, it holds those sets before it
reads: who has written before is seen, who comes later waits and writes after it.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import tuple_row
from pyroaring import AbstractBitMap, BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.bitmaps import EMPTY, from_array
from outreach.labels.keys import (
    CHANNELS,
    INDUSTRY,
    KINDS,
    RCS_READY,
    TOPICS,
    chunk_bits,
    kind_key,
    label_key,
    optout_key,
    org_key,
    reach_key,
)
from outreach.labels.sets import Change, change_sets, guard_chunks, stored_range

_SQL = load_queries(__file__)
_LOCK = 7_640_102
_CARE = "special_care"
_OPT_OUT_BITS = (*CHANNELS, "all", *TOPICS)

Sets = Mapping[str, AbstractBitMap]
Read = Callable[[Connection], Awaitable[Sets]]


async def refresh_derived(
    conn: Connection, *, source: str, import_id: int | None = None
) -> dict[str, Change]:
    """Bring all sets that follow from the registry up to date in the caller's transaction.

    `source` is written to the change log. Returns what changed, by key. Persons in special care make their
    households members of the label `special_care`; members that other sources have added stay. The call
    locks sets in ascending order of their keys (sets.py) and lets no other refresh run beside it.
    """
    await conn.execute(_SQL["lock"], {"lock": _LOCK})
    made: dict[str, Change] = {}
    optouts = [optout_key(channel) for channel in _OPT_OUT_BITS]
    reaches = [RCS_READY, *map(reach_key, CHANNELS)]
    steps: tuple[tuple[str, Sequence[str], Read], ...] = (
        ("kind:", (), _kind_sets),
        (label_key(INDUSTRY, ""), (), _industry_sets),
        ("", (), _care_set),
        ("", optouts, _optout_sets),
        ("org:", (), _unit_sets),
        ("", reaches, _reach_sets),
    )
    for prefix, guarded, read in steps:
        held = await _hold(conn, guarded) if guarded else await _stored(conn, prefix)
        wanted = await read(conn)
        pieces = {
            key: (members := wanted.get(key, EMPTY), held.get(key, EMPTY) - members)
            for key in {*wanted, *held}
        }
        made |= await change_sets(conn, pieces, source=source, import_id=import_id)
    return made


async def _hold(conn: Connection, keys: Sequence[str]) -> dict[str, AbstractBitMap]:
    """Lock sets that others write too; the ids of the chunks that are held."""
    return {key: await guard_chunks(conn, key, remove=await stored_range(conn, key)) for key in sorted(keys)}


async def _stored(conn: Connection, prefix: str) -> dict[str, AbstractBitMap]:
    """Sets that only a refresh writes, each with all ids that it may hold."""
    if not prefix:
        return {}
    rows = await (await conn.execute(_SQL["stored"], {"prefix": prefix})).fetchall()
    return {row["set_key"]: BitMap(range((row["hi"] + 1) << chunk_bits(row["set_key"]))) for row in rows}


async def _unit_sets(conn: Connection) -> Sets:
    return {org_key(unit): members for unit, members in _grouped(await fetch_pairs(conn, _SQL["units"]))}


async def _kind_sets(conn: Connection) -> Sets:
    groups = dict(_grouped(await fetch_pairs(conn, _SQL["kinds"])))
    return {kind_key(kind): groups.get(place, BitMap()) for place, kind in enumerate(KINDS)}


async def _industry_sets(conn: Connection) -> Sets:
    rows = await (await conn.execute(_SQL["industries"])).fetchall()
    groups = dict(_grouped(await fetch_pairs(conn, _SQL["by_industry"])))
    sets: dict[str, AbstractBitMap] = {}
    for place, row in enumerate(rows, start=1):
        key = label_key(INDUSTRY, row["industry"])
        sets[key] = sets.get(key, BitMap()) | groups.get(place, BitMap())
    return sets


async def _reach_sets(conn: Connection) -> Sets:
    pairs = await fetch_pairs(conn, _SQL["reach"])
    sets = {reach_key(channel): _with_bit(pairs, bit) for bit, channel in enumerate(CHANNELS)}
    return sets | {RCS_READY: _with_bit(pairs, len(CHANNELS))}


async def _optout_sets(conn: Connection) -> Sets:
    pairs = await fetch_pairs(conn, _SQL["refused"])
    return {optout_key(channel): _with_bit(pairs, bit) for bit, channel in enumerate(_OPT_OUT_BITS)}


async def _care_set(conn: Connection) -> Sets:
    return {label_key(_CARE): from_array((await fetch_pairs(conn, _SQL["care"]))[:, 0])}


def _grouped(pairs: NDArray[np.int64]) -> Iterator[tuple[int, BitMap]]:
    # Rows are (id, group).
    if not len(pairs):
        return
    order = np.argsort(pairs[:, 1], kind="stable")
    groups, starts = np.unique(pairs[order, 1], return_index=True)
    for group, members in zip(groups.tolist(), np.split(pairs[order, 0], starts[1:]), strict=True):
        yield group, from_array(members)


def _with_bit(pairs: NDArray[np.int64], bit: int) -> BitMap:
    return from_array(pairs[pairs[:, 1] >> bit & 1 == 1, 0])


async def fetch_pairs(conn: Connection, query: str) -> NDArray[np.int64]:
    """The one value of a query, big-endian int4 pairs as int4send writes them, as an array of shape (n, 2):
    a million rows arrive in one piece instead of a million pieces."""
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        row = await (await cursor.execute(query)).fetchone()
    data = row[0] if row and row[0] else b""
    return np.frombuffer(data, dtype=">i4").reshape(-1, 2).astype(np.int64)
