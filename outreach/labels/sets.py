"""Sets in PostgreSQL: chunked Roaring bitmaps that several writers may change at once.

How writers do not get into each other's way, with READ COMMITTED transactions:

- A write says what to add and what to remove; what that changes is computed under the row locks of the
  touched chunks, so no update is lost.
- Locks are taken in the order (set_key, hi), all sets of a call together: two calls cannot deadlock. A
  transaction that makes several calls makes them in ascending order of their keys, or puts everything
  into one call.
- Chunks that do not exist yet are inserted empty first, in the same order; who comes second waits for the
  first there. An empty row is never left behind: it is inserted only where something is to be added.
- A chunk's version is drawn after its lock is held, so it only grows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from psycopg.rows import tuple_row
from pyroaring import AbstractBitMap, BitMap, FrozenBitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.bitmaps import EMPTY, chunk_range, chunks_of, frozen, serialise, union
from outreach.labels.keys import chunk_bits

_SQL = load_queries(__file__)
_BYTES_PER_STATEMENT = 8_000_000

Place = tuple[str, int]
Piece = tuple[AbstractBitMap, AbstractBitMap]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Change:
    """What a write really changed: members that were not there before, members that were."""

    added: FrozenBitMap = EMPTY
    removed: FrozenBitMap = EMPTY

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


async def change_set(
    conn: Connection,
    key: str,
    *,
    add: AbstractBitMap = EMPTY,
    remove: AbstractBitMap = EMPTY,
    source: str,
    as_of: date | None = None,
    import_id: int | None = None,
) -> Change:
    """`change_sets` for one set."""
    made = await change_sets(conn, {key: (add, remove)}, source=source, as_of=as_of, import_id=import_id)
    return made[key]


async def change_sets(
    conn: Connection,
    changes: Mapping[str, Piece],
    *,
    source: str,
    as_of: date | None = None,
    import_id: int | None = None,
) -> dict[str, Change]:
    """Add and remove members of many sets in a handful of round trips, and log the differences.

    `changes` maps a key to (add, remove), which must not overlap. `source` says in Chinese where the facts
    come from, `as_of` the day they describe. Returns a Change for every key; nothing is written, neither
    chunk nor log, where nothing changes.
    """
    made = await apply_changes(conn, changes)
    await log_changes(conn, made, source=source, as_of=as_of, import_id=import_id)
    return made


async def replace_set(
    conn: Connection,
    key: str,
    members: AbstractBitMap,
    *,
    universe: AbstractBitMap | None = None,
    source: str,
    as_of: date | None = None,
    import_id: int | None = None,
) -> Change:
    """A full load: `members` belong to the set, all others of `universe` (default: all ids) do not."""
    everything = await stored_range(conn, key) if universe is None else universe
    remove = everything - members
    return await change_set(
        conn, key, add=members, remove=remove, source=source, as_of=as_of, import_id=import_id
    )


async def apply_changes(conn: Connection, changes: Mapping[str, Piece]) -> dict[str, Change]:
    """`change_sets` without the log."""
    pieces = _pieces(changes)
    await _create_chunks(conn, [place for place, (add, _) in pieces.items() if add])
    stored = await _lock_chunks(conn, list(pieces))
    written: list[tuple[Place, bytes]] = []
    parts: dict[str, list[Change]] = {key: [] for key in changes}
    for place, members in stored.items():
        change = _difference(members, *pieces[place])
        if change:
            parts[place[0]].append(change)
            written.append((place, serialise((members - change.removed) | change.added)))
    await _write_chunks(conn, written)
    return {key: _joined(changes_of_key) for key, changes_of_key in parts.items()}


async def log_changes(
    conn: Connection,
    made: Mapping[str, Change],
    *,
    source: str,
    as_of: date | None = None,
    import_id: int | None = None,
) -> None:
    """One row of the change log for each key that changed."""
    changed = [(key, change) for key, change in sorted(made.items()) if change]
    for batch in _batches(changed, lambda item: len(item[1].added) + len(item[1].removed)):
        bounds = [_bounds(change) for _, change in batch]
        params = {
            "keys": [key for key, _ in batch],
            "lows": [low for low, _ in bounds],
            "highs": [high for _, high in bounds],
            "added": [serialise(change.added) if change.added else None for _, change in batch],
            "removed": [serialise(change.removed) if change.removed else None for _, change in batch],
            "source": source,
            "as_of": as_of,
            "import_id": import_id,
        }
        await conn.execute(_SQL["log"], params)


async def guard_chunks(
    conn: Connection, key: str, *, add: AbstractBitMap = EMPTY, remove: AbstractBitMap = EMPTY
) -> BitMap:
    """Hold the chunks of one set until the end of the transaction, so that sets which must change together
    have one writer at a time. Chunks are created for `add` only; returns all ids of the chunks held.

    A statement after this one sees all that earlier holders wrote.
    """
    bits = chunk_bits(key)
    await _create_chunks(conn, [(key, hi) for hi in chunks_of(add, bits)])
    places = [(key, hi) for hi in chunks_of(add | remove, bits)]
    if not places:
        return BitMap()
    held = await (await conn.execute(_SQL["guard"], _place_params(places))).fetchall()
    return BitMap(union(chunk_range(row["hi"], bits) for row in held))


async def stored_range(conn: Connection, key: str) -> BitMap:
    """All ids of all chunks up to the last one that the set has: a superset of its members."""
    row = await (await conn.execute(_SQL["last_chunk"], {"key": key})).fetchone()
    last = row["hi"] if row else None
    return BitMap() if last is None else BitMap(range((last + 1) << chunk_bits(key)))


def _pieces(changes: Mapping[str, Piece]) -> dict[Place, Piece]:
    pieces: dict[Place, Piece] = {}
    for key, (add, remove) in sorted(changes.items()):
        if add.intersect(remove):
            raise ValueError(f"{key}: the same taxpayer is to be added and removed")
        bits = chunk_bits(key)
        for hi in sorted({*chunks_of(add, bits), *chunks_of(remove, bits)}):
            mask = chunk_range(hi, bits)
            pieces[key, hi] = (add & mask, remove & mask)
    return pieces


def _difference(members: FrozenBitMap, add: AbstractBitMap, remove: AbstractBitMap) -> Change:
    return Change(frozen(add - members), members & remove)


def _joined(parts: list[Change]) -> Change:
    return Change(union(part.added for part in parts), union(part.removed for part in parts))


def _bounds(change: Change) -> tuple[int, int]:
    touched = [ids for ids in (change.added, change.removed) if ids]
    return min(ids.min() for ids in touched), max(ids.max() for ids in touched)


def _place_params(places: Iterable[Place]) -> dict[str, object]:
    keys, his = zip(*places, strict=True)
    return {"keys": list(keys), "his": list(his)}


async def _create_chunks(conn: Connection, places: list[Place]) -> None:
    if places:
        await conn.execute(_SQL["create_chunks"], {**_place_params(places), "data": EMPTY.serialize()})


async def _lock_chunks(conn: Connection, places: list[Place]) -> dict[Place, FrozenBitMap]:
    if not places:
        return {}
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        await cursor.execute(_SQL["lock_chunks"], _place_params(places))
        return {(key, hi): FrozenBitMap.deserialize(data) for key, hi, data in await cursor.fetchall()}


async def _write_chunks(conn: Connection, written: list[tuple[Place, bytes]]) -> None:
    for batch in _batches(written, lambda item: len(item[1])):
        params = _place_params(place for place, _ in batch)
        await conn.execute(_SQL["write_chunks"], {**params, "data": [data for _, data in batch]})


def _batches(items: list[Item], size: Callable[[Item], int]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += size(item)
        if weight >= _BYTES_PER_STATEMENT:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch
