"""The sets that a process holds in memory, always checked against the database before they are used."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from psycopg.rows import tuple_row
from pyroaring import BitMap, FrozenBitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.bitmaps import EMPTY, bytes_held, union
from outreach.labels.keys import chunk_bits, org_key
from outreach.runtime import Runtime

_SQL = load_queries(__file__)

Source = Runtime | Connection
Chunk = tuple[int, int, bytes]


@asynccontextmanager
async def snapshot(source: Source) -> AsyncIterator[Connection]:
    """A connection on which several queries see one moment; a caller's own connection is taken as it is."""
    if not isinstance(source, Runtime):
        yield source
        return
    async with source.db.begin() as conn:
        await conn.execute("set transaction isolation level repeatable read, read only")
        yield conn


@dataclass(frozen=True, slots=True)
class _Entry:
    members: FrozenBitMap
    versions: tuple[int | None, ...]
    literal: str
    size: int


_ABSENT = _Entry(EMPTY, (), "{}", 200)


class SetCache:
    """Sets by key, kept up to `limit_bytes`, the least recently used leave first.

    Safe for any number of tasks of one event loop: entries are immutable, and a task that stores an older
    state than another only makes the next `load` fetch again. A transaction that has written sees its own
    changes, but what it had to fetch is not kept.
    """

    def __init__(self, *, limit_bytes: int = 128 * 2**20) -> None:
        self._limit = limit_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._subtrees: OrderedDict[int, tuple[int, FrozenBitMap]] = OrderedDict()
        self._held = 0

    @property
    def held_bytes(self) -> int:
        """About how much memory the cached sets take."""
        return self._held

    async def load(self, source: Source, keys: Collection[str]) -> Mapping[str, FrozenBitMap]:
        """The current members of each set, all of one moment; a set that does not exist is empty."""
        return {key: entry.members for key, entry in (await self._load(source, keys)).items()}

    async def load_versioned(
        self, source: Source, keys: Collection[str]
    ) -> tuple[dict[str, FrozenBitMap], dict[str, int]]:
        """`load`, and the newest version of each set (0 if it does not exist)."""
        entries = await self._load(source, keys)
        members = {key: entry.members for key, entry in entries.items()}
        return members, {key: _newest(entry) for key, entry in entries.items()}

    async def load_subtrees(
        self, conn: Connection, org_ids: Collection[int]
    ) -> dict[int, tuple[int, FrozenBitMap]]:
        """For each org unit a fingerprint and the taxpayers of it and all units below it."""
        if not org_ids:
            return {}
        rows = await (await conn.execute(_SQL["subtree_stamps"], {"ids": list(org_ids)})).fetchall()
        stamps = {row["id"]: row["stamp"] for row in rows}
        return {org_id: await self._subtree(conn, org_id, stamps.get(org_id, 0)) for org_id in org_ids}

    async def _load(self, source: Source, keys: Collection[str]) -> dict[str, _Entry]:
        wanted = sorted(set(keys))
        if not wanted:
            return {}
        known = {key: self._entries.get(key, _ABSENT) for key in wanted}
        async with snapshot(source) as conn:
            changed, has_written = await _fetch_changed(conn, known)
        fresh = {key: _updated(key, known[key], chunks) for key, chunks in changed.items()}
        entries = {**known, **fresh}
        self._store(known if has_written else entries)
        return entries

    def _store(self, entries: Mapping[str, _Entry]) -> None:
        for key, entry in entries.items():
            before = self._entries.pop(key, None)
            self._entries[key] = entry
            self._held += entry.size - (before.size if before else 0)
        while self._held > self._limit and self._entries:
            _, entry = self._entries.popitem(last=False)
            self._held -= entry.size

    async def _subtree(self, conn: Connection, org_id: int, stamp: int) -> tuple[int, FrozenBitMap]:
        known = self._subtrees.get(org_id)
        if known is None or known[0] != stamp:
            units = await (await conn.execute(_SQL["subtree_units"], {"id": org_id})).fetchall()
            sets = await self.load(conn, [org_key(unit["id"]) for unit in units])
            known = (stamp, union(sets.values()))
        self._keep_subtree(org_id, known)
        return known

    def _keep_subtree(self, org_id: int, entry: tuple[int, FrozenBitMap]) -> None:
        before = self._subtrees.pop(org_id, None)
        self._held += bytes_held(entry[1]) - (bytes_held(before[1]) if before else 0)
        self._subtrees[org_id] = entry
        while len(self._subtrees) > 1 and self._held > self._limit:
            _, (_, members) = self._subtrees.popitem(last=False)
            self._held -= bytes_held(members)


async def _fetch_changed(
    conn: Connection, known: Mapping[str, _Entry]
) -> tuple[dict[str, list[Chunk]], bool]:
    params = {"keys": list(known), "known": [entry.literal for entry in known.values()]}
    changed: dict[str, list[Chunk]] = {}
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        await cursor.execute(_SQL["changed_chunks"], params)
        rows = await cursor.fetchall()
    for key, hi, version, data, _ in rows:
        changed.setdefault(key, []).append((hi, version, data))
    return changed, any(has_written for *_, has_written in rows)


def _updated(key: str, before: _Entry, chunks: list[Chunk]) -> _Entry:
    bits = chunk_bits(key)
    rest = BitMap(before.members)
    versions = list(before.versions)
    for hi, version, _ in chunks:
        versions.extend([None] * (hi + 1 - len(versions)))
        versions[hi] = version
        rest.remove_range(hi << bits, (hi + 1) << bits)
    members = union([rest, *(BitMap.deserialize(data) for _, _, data in chunks)])
    literal = "{" + ",".join("NULL" if each is None else str(each) for each in versions) + "}"
    return _Entry(members, tuple(versions), literal, bytes_held(members) + 3 * len(literal))


def _newest(entry: _Entry) -> int:
    return max((version for version in entry.versions if version is not None), default=0)
