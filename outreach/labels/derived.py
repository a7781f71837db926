"""Sets that follow from the registry: org units, kinds, industries, reachability, refusals.

They are computed whole from the tables and written as differences, so it does not matter how often or after
what this runs. Facts that move one by one (a bounced number, an opt-out) are written at once by whoever
learns them; here is where the two must agree.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import tuple_row
from pyroaring import AbstractBitMap, BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.bitmaps import from_array
from outreach.labels.keys import (
    CHANNELS,
    INDUSTRY,
    KINDS,
    RCS_READY,
    kind_key,
    label_key,
    optout_key,
    org_key,
    reach_key,
)
from outreach.labels.sets import Change, Piece, change_sets, stored_range

_SQL = load_queries(__file__)
_CARE = "special_care"
_OPT_OUT_BITS = (*CHANNELS, "all")


async def refresh_derived(
    conn: Connection, *, source: str, import_id: int | None = None
) -> dict[str, Change]:
    """Bring all sets that follow from the registry up to date in the caller's transaction.

    `source` is written to the change log. Returns what changed, by key. Persons in special care make their
    households members of the label `special_care`; members that other sources have added stay.
    """
    wanted = {**await _unit_sets(conn), **await _kind_sets(conn), **await _contact_sets(conn)}
    wanted |= await _industry_sets(conn)
    stale = await _stored_keys(conn) - wanted.keys()
    pieces: dict[str, Piece] = {
        key: (members, await stored_range(conn, key) - members) for key, members in wanted.items()
    }
    pieces |= {key: (BitMap(), await stored_range(conn, key)) for key in stale}
    pieces[label_key(_CARE)] = (await _care(conn), BitMap())
    return await change_sets(conn, pieces, source=source, import_id=import_id)


async def _unit_sets(conn: Connection) -> dict[str, AbstractBitMap]:
    rows = await fetch_pairs(conn, _SQL["units"])
    return {org_key(unit): members for unit, members in _grouped(rows)}


async def _kind_sets(conn: Connection) -> dict[str, AbstractBitMap]:
    groups = dict(_grouped(await fetch_pairs(conn, _SQL["kinds"])))
    return {kind_key(kind): groups.get(place, BitMap()) for place, kind in enumerate(KINDS)}


async def _industry_sets(conn: Connection) -> dict[str, AbstractBitMap]:
    rows = await (await conn.execute(_SQL["industries"])).fetchall()
    names = [row["industry"] for row in rows]
    groups = dict(_grouped(await fetch_pairs(conn, _SQL["by_industry"])))
    sets: dict[str, AbstractBitMap] = {}
    for place, name in enumerate(names, start=1):
        key = label_key(INDUSTRY, name)
        sets[key] = sets.get(key, BitMap()) | groups.get(place, BitMap())
    return sets


async def _contact_sets(conn: Connection) -> dict[str, AbstractBitMap]:
    reach = await fetch_pairs(conn, _SQL["reach"])
    refused = await fetch_pairs(conn, _SQL["refused"])
    sets: dict[str, AbstractBitMap] = {
        reach_key(channel): _with_bit(reach, bit) for bit, channel in enumerate(CHANNELS)
    }
    sets[RCS_READY] = _with_bit(reach, len(CHANNELS))
    for bit, channel in enumerate(_OPT_OUT_BITS):
        sets[optout_key(channel)] = _with_bit(refused, bit)
    return sets


async def _care(conn: Connection) -> AbstractBitMap:
    return from_array((await fetch_pairs(conn, _SQL["care"]))[:, 0])


async def _stored_keys(conn: Connection) -> set[str]:
    rows = await (await conn.execute(_SQL["stored"], {"industry": label_key(INDUSTRY, "")})).fetchall()
    return {row["set_key"] for row in rows}


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
