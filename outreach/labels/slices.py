"""Attributes as bit-sliced indexes over bitmaps (O'Neil and Quass, Improved Query Performance with Variant
Indexes, SIGMOD 1997): a comparison is a walk over the bits, a sum is a weighted count of them.

A value is stored as sign and magnitude; zero has no sign. Every write holds the chunks of the `exists` set
first, so the slices of one taxpayer always belong to one value, whatever the number of writers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from pyroaring import AbstractBitMap, BitMap

from outreach.db.pool import Connection
from outreach.labels.bitmaps import EMPTY, Ids, from_array, to_array, union
from outreach.labels.cache import SetCache, Source
from outreach.labels.keys import SLICES, attribute_key, attribute_keys, exists_key, sign_key, slice_key
from outreach.labels.sets import Change, Piece, apply_changes, guard_chunks, log_changes, stored_range
from outreach.labels.units import LARGEST

_FEW = 20_000
# Up to here it is cheaper to cut each slice to the members in question than to carry along all of it.

Values = NDArray[np.int64]
Present = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Slices:
    """The sets of one attribute; `bits` from the lowest up."""

    exists: AbstractBitMap
    sign: AbstractBitMap
    bits: Sequence[AbstractBitMap]

    @classmethod
    def of(cls, code: str, sets: Mapping[str, AbstractBitMap]) -> "Slices":
        """Taken from loaded sets."""
        bits = [sets[slice_key(code, bit)] for bit in range(SLICES)]
        while bits and not bits[-1]:
            bits.pop()
        return cls(sets[exists_key(code)], sets[sign_key(code)], bits)


async def write_values(
    conn: Connection,
    code: str,
    ids: Ids,
    values: Values,
    *,
    source: str,
    as_of: date | None = None,
    import_id: int | None = None,
    clear_missing: bool = False,
) -> Change:
    """Set the attribute for many taxpayers; `values` are stored numbers (`units`), |value| < 2^48.

    Of a repeated id the last value counts. With `clear_missing` everyone else loses the value (a full
    load). Returns who got a new value and who lost it. A transaction that writes several attributes does so
    in ascending order of their codes. Raises ValueError on unequal lengths, ids below 1 or too large values.
    """
    members, ordered, numbers = _prepared(ids, values)
    missing: AbstractBitMap = EMPTY
    if clear_missing:
        missing = await stored_range(conn, exists_key(code)) - members
    held = await guard_chunks(conn, exists_key(code), add=members, remove=missing)
    pieces = _pieces(code, members, ordered, numbers, missing & held)
    return await _write(conn, code, pieces, source=source, as_of=as_of, import_id=import_id)


async def clear_values(
    conn: Connection,
    code: str,
    ids: Ids,
    *,
    source: str,
    as_of: date | None = None,
    import_id: int | None = None,
) -> Change:
    """Take the attribute away from taxpayers, as an empty cell of an import does."""
    members = from_array(ids)
    held = await guard_chunks(conn, exists_key(code), remove=members)
    gone = members & held
    pieces: dict[str, Piece] = dict.fromkeys(attribute_keys(code), (EMPTY, gone))
    return await _write(conn, code, pieces, source=source, as_of=as_of, import_id=import_id)


async def read_values(source: Source, cache: SetCache, code: str, ids: Ids) -> tuple[Values, Present]:
    """Stored values in the order of `ids`, and which of them are there (absent ones read 0)."""
    return (await read_many(source, cache, [code], ids))[code]


async def read_many(
    source: Source, cache: SetCache, codes: Collection[str], ids: Ids
) -> dict[str, tuple[Values, Present]]:
    """`read_values` of several attributes at one moment."""
    sets = await cache.load(source, [key for code in codes for key in attribute_keys(code)])
    unique, inverse = np.unique(ids.astype(np.uint32, copy=False), return_inverse=True)
    probe = from_array(unique)
    found = {code: _read(Slices.of(code, sets), probe, unique) for code in codes}
    return {code: (values[inverse], present[inverse]) for code, (values, present) in found.items()}


async def sum_values(source: Source, cache: SetCache, code: str, members: AbstractBitMap) -> tuple[int, int]:
    """The exact sum of the stored values over a set, and how many of it have a value."""
    slices = Slices.of(code, await cache.load(source, attribute_keys(code)))
    return total(slices, members)


def between(slices: Slices, low: int | None, high: int | None, within: AbstractBitMap) -> AbstractBitMap:
    """Those of `within` whose value lies in [low, high]; None leaves a side open."""
    base = slices.exists & within
    if not slices.sign:
        return _magnitudes(slices, base, max(low or 0, 0), high)
    negative = base & slices.sign
    positive = base - negative
    # A magnitude of -1 is nobody's, so an impossible side selects nothing.
    above = _magnitudes(slices, positive, max(low or 0, 0), high)
    below_low = 1 if high is None else max(-high, 1)
    below = _magnitudes(slices, negative, below_low, None if low is None else -low)
    return above | below


def total(slices: Slices, members: AbstractBitMap) -> tuple[int, int]:
    """The sum of the values over a set, and how many of it have a value."""
    base = slices.exists & members
    negative = base & slices.sign
    positive = base - negative
    result = sum(
        (positive.intersection_cardinality(bits) - negative.intersection_cardinality(bits)) << place
        for place, bits in enumerate(slices.bits)
    )
    return result, len(base)


def _magnitudes(slices: Slices, base: AbstractBitMap, low: int, high: int | None) -> AbstractBitMap:
    if high is not None and high < low:
        return EMPTY
    found = _at_least(slices.bits, base, low)
    return found if high is None else found - _at_least(slices.bits, found, high + 1)


def _at_least(bits: Sequence[AbstractBitMap], base: AbstractBitMap, bound: int) -> AbstractBitMap:
    if bound <= 0:
        return base
    if bound >> len(bits):
        return EMPTY
    # From the low end: so far `found` holds whose lower bits are at least those of the bound. One operation
    # a bit, in place; below the lowest bit of the bound everyone passes.
    lowest = (bound & -bound).bit_length() - 1
    found = BitMap(base & bits[lowest])
    few = len(base) < _FEW
    for place in range(lowest + 1, len(bits)):
        if bound >> place & 1:
            found &= bits[place]
        else:
            found |= base & bits[place] if few else bits[place]
    return found & base


def _prepared(ids: Ids, values: Values) -> tuple[BitMap, NDArray[np.uint32], Values]:
    if ids.shape != values.shape or ids.ndim != 1:
        raise ValueError("ids and values must be one-dimensional and of the same length")
    if len(ids) and int(ids.min()) < 1:
        raise ValueError("ids start at 1")
    plain = ids.astype(np.uint32, copy=False)
    numbers = values.astype(np.int64, copy=False)
    if len(plain) > 1 and not (plain[1:] > plain[:-1]).all():
        ordered, last = np.unique(plain[::-1], return_index=True)
        plain, numbers = ordered, numbers[::-1][last]
    if len(numbers) and (int(numbers.max()) > LARGEST or int(numbers.min()) < -LARGEST):
        raise ValueError(f"a value is beyond ±{LARGEST}")
    return from_array(plain), plain, numbers


def _pieces(
    code: str, members: BitMap, ids: NDArray[np.uint32], values: Values, missing: AbstractBitMap
) -> dict[str, Piece]:
    everyone = members | missing
    magnitudes = np.abs(values)
    sets = {exists_key(code): members, sign_key(code): from_array(ids[values < 0])}
    for bit in range(SLICES):
        chosen = (magnitudes >> bit) & 1 == 1
        sets[slice_key(code, bit)] = from_array(ids[chosen]) if chosen.any() else BitMap()
    return {key: (bits, everyone - bits) for key, bits in sets.items()}


async def _write(
    conn: Connection,
    code: str,
    pieces: Mapping[str, Piece],
    *,
    source: str,
    as_of: date | None,
    import_id: int | None,
) -> Change:
    made = await apply_changes(conn, pieces)
    removed = made[exists_key(code)].removed
    touched = union(part for change in made.values() for part in (change.added, change.removed))
    change = Change(touched - removed, removed)
    key = attribute_key(code)
    await log_changes(conn, {key: change}, source=source, as_of=as_of, import_id=import_id)
    return change


def _read(slices: Slices, probe: BitMap, unique: NDArray[np.uint32]) -> tuple[Values, Present]:
    values = np.zeros(len(unique), np.int64)
    for place, bits in enumerate(slices.bits):
        values[np.searchsorted(unique, to_array(probe & bits))] += 1 << place
    values[np.searchsorted(unique, to_array(probe & slices.sign))] *= -1
    present = np.zeros(len(unique), np.bool_)
    present[np.searchsorted(unique, to_array(probe & slices.exists))] = True
    return values, present
