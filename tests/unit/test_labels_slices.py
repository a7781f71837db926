"""Bit slices against numpy."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from outreach.errors import InvalidInput
from outreach.labels.bitmaps import chunks_of, from_array, serialise, to_array, union
from outreach.labels.slices import Slices, between, total
from outreach.labels.units import LARGEST, from_stored, to_stored, to_text

EDGES = [0, 1, -1, 2, 39_999, 40_000, 40_001, 2**20 - 1, 2**20, -(2**20), LARGEST, -LARGEST]
VALUES = st.sampled_from(EDGES) | st.integers(-300, 300) | st.integers(-LARGEST, LARGEST)
COLUMNS = st.dictionaries(st.integers(1, 400_000), VALUES, max_size=60)


def sliced(column: dict[int, int]) -> Slices:
    bits = [BitMap(i for i, value in column.items() if abs(value) >> bit & 1) for bit in range(48)]
    while bits and not bits[-1]:
        bits.pop()
    return Slices(BitMap(column), BitMap(i for i, value in column.items() if value < 0), bits)


@given(COLUMNS, st.none() | VALUES, st.none() | VALUES, st.booleans())
def test_ranges(column, low, high, halved):
    ids, values = np.array(list(column), np.int64), np.array(list(column.values()), np.int64)
    chosen = np.ones(len(ids), bool)
    if low is not None:
        chosen &= values >= low
    if high is not None:
        chosen &= values <= high
    within = BitMap(range(1, 400_001, 2)) if halved else BitMap(range(400_001))
    expected = {int(i) for i in ids[chosen] if i in within}
    assert set(between(sliced(column), low, high, within)) == expected


@pytest.mark.parametrize("bound", [-1, 0, 1, 40_000, 40_001, 2**21 - 1, 2**21, 10**7])
def test_ranges_of_a_large_column(bound):
    rng = np.random.default_rng(2)
    ids = np.unique(rng.integers(1, 300_000, 60_000))
    values = rng.integers(-(2**22), 2**22, len(ids))
    values[::50] = bound
    bits = [from_array(ids[np.abs(values) >> bit & 1 == 1]) for bit in range(22 + 2)]
    slices = Slices(from_array(ids), from_array(ids[values < 0]), bits)
    within = BitMap(range(300_001))
    assert to_array(between(slices, bound, None, within)).tolist() == ids[values >= bound].tolist()
    assert to_array(between(slices, None, bound, within)).tolist() == ids[values <= bound].tolist()
    assert to_array(between(slices, bound, bound, within)).tolist() == ids[values == bound].tolist()


@given(COLUMNS, st.sets(st.integers(1, 400_000), max_size=30))
def test_sums(column, others):
    members = BitMap(others) | BitMap(list(column)[::2])
    inside = [value for i, value in column.items() if i in members]
    assert total(sliced(column), members) == (sum(inside), len(inside))


@pytest.mark.parametrize("bound", EDGES)
def test_every_edge_belongs_to_itself_only(bound):
    column = dict(enumerate(EDGES, start=1))
    found = between(sliced(column), bound, bound, BitMap(column))
    assert [column[i] for i in found] == [bound]


@given(st.lists(st.integers(0, 2**31 - 1), max_size=50))
def test_arrays_become_bitmaps_and_back(ids):
    members = from_array(np.array(ids, np.int64))
    assert set(members) == set(ids)
    assert to_array(members).tolist() == sorted(set(ids))
    assert BitMap.deserialize(serialise(members)) == members


@given(st.sets(st.integers(0, 2**31 - 1), max_size=50), st.sampled_from([18, 22]))
def test_chunks_cover_exactly_the_members(ids, bits):
    assert list(chunks_of(BitMap(ids), bits)) == sorted({each >> bits for each in ids})


def test_union_of_nothing_is_empty():
    assert len(union([])) == 0
    assert set(union([BitMap([1]), BitMap([2])])) == {1, 2}


@pytest.mark.parametrize(
    ("kind", "stored", "text"),
    [
        ("money", 40_001, "400.01元"),
        ("money", -5, "-0.05元"),
        ("money", 12_000_000, "120000.00元"),
        ("integer", 1_000, "1000"),
        ("percent", 1_250, "12.5%"),
        ("percent", 10_000, "100%"),
        ("date", 739_690, "2026-03-15"),
    ],
)
def test_units(kind, stored, text):
    assert to_text(kind, stored) == text
    value = from_stored(kind, stored)
    if kind != "integer":
        assert to_stored(kind, value) == stored


@pytest.mark.parametrize("value", ["1e30", "NaN", "Infinity", "1e-50", "0.001", "99999999999999999"])
def test_units_refuse_what_does_not_fit(value):
    with pytest.raises(InvalidInput):
        to_stored("money", Decimal(value))
