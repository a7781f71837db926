"""Attributes in PostgreSQL: written in sets, read in batches, always one whole value per taxpayer."""

import asyncio
from datetime import date

import numpy as np
import pytest
from pyroaring import BitMap

from outreach.labels.cache import SetCache
from outreach.labels.slices import (
    clear_values,
    read_many,
    read_values,
    sum_values,
    write_values,
)

CHUNK = 2**18


async def write(rt, code, column, **options):
    async with rt.db.begin() as conn:
        ids, values = np.array(list(column), np.int32), np.array(list(column.values()), np.int64)
        return await write_values(conn, code, ids, values, **{"source": "导入", **options})


async def read(rt, code, ids):
    values, present = await read_values(rt, SetCache(), code, np.array(ids, np.int64))
    return [value if there else None for value, there in zip(values.tolist(), present.tolist(), strict=True)]


async def test_values_come_back_in_the_order_asked(rt):
    column = {7: 40_001, CHUNK + 3: -5, 2: 0, 9 * CHUNK: 2**48 - 1}
    assert set((await write(rt, "amount_due", column)).added) == set(column)
    assert await read(rt, "amount_due", [9 * CHUNK, 1, 2, 7, 7, CHUNK + 3]) == [
        2**48 - 1,
        None,
        0,
        40_001,
        40_001,
        -5,
    ]
    assert await read(rt, "other", [7]) == [None]
    assert await read(rt, "amount_due", []) == []


async def test_write_again_changes_only_what_differs(rt):
    await write(rt, "amount_due", {1: 100, 2: 200, 3: -300})
    change = await write(rt, "amount_due", {1: 100, 2: 1_000_000, 3: 300, 4: 0}, as_of=date(2026, 2, 28))
    assert (set(change.added), set(change.removed)) == ({2, 3, 4}, set())
    assert await read(rt, "amount_due", [1, 2, 3, 4]) == [100, 1_000_000, 300, 0]
    versions = await rt.db.fetch("select set_key, hi, version from set_chunk order by 1, 2")
    assert not await write(rt, "amount_due", {1: 100, 4: 0})
    assert await rt.db.fetch("select set_key, hi, version from set_chunk order by 1, 2") == versions
    log = await rt.db.fetch("select set_key, as_of, added from set_change order by id")
    assert [row["set_key"] for row in log] == ["attr:amount_due"] * 2
    assert set(BitMap.deserialize(log[1]["added"])) == {2, 3, 4}


async def test_last_value_of_a_repeated_id_counts(rt):
    async with rt.db.begin() as conn:
        await write_values(conn, "a", np.array([5, 3, 5]), np.array([1, 2, 9]), source="导入")
    assert await read(rt, "a", [3, 5]) == [2, 9]


async def test_clearing(rt):
    await write(rt, "a", {1: 7, 2: 8, CHUNK: 9})
    async with rt.db.begin() as conn:
        change = await clear_values(conn, "a", np.array([2, 50, 5 * CHUNK]), source="导入")
        assert not await clear_values(conn, "b", np.array([2]), source="导入")
    assert (set(change.added), set(change.removed)) == (set(), {2})
    assert await read(rt, "a", [1, 2, CHUNK]) == [7, None, 9]
    assert set((await write(rt, "a", {1: 6}, clear_missing=True)).removed) == {CHUNK}
    assert await read(rt, "a", [1, CHUNK]) == [6, None]


@pytest.mark.parametrize(
    ("ids", "values"), [([1, 2], [1]), ([0], [1]), ([-4], [1]), ([1], [2**48]), ([1], [-(2**63)])]
)
async def test_impossible_input_is_refused(rt, ids, values):
    with pytest.raises(ValueError):
        async with rt.db.begin() as conn:
            await write_values(conn, "a", np.array(ids), np.array(values), source="导入")


async def test_two_writers_never_mix_their_bits(rt):
    ids = list(range(1, 30)) + list(range(CHUNK, CHUNK + 30))

    async def overwrite(value):
        await write(rt, "a", dict.fromkeys(ids, value))

    worth = [0, 1, -1, 2**20, 2**40 - 1, -(2**47), 5]
    for _ in range(3):
        await rt.db.execute("truncate set_chunk")
        await asyncio.gather(*map(overwrite, worth))
        found = set(await read(rt, "a", ids))
        assert len(found) == 1 and found <= set(worth)


async def test_a_large_random_column(rt):
    rng = np.random.default_rng(5)
    ids = rng.choice(3 * CHUNK, 20_000, replace=False).astype(np.int32) + 1
    values = rng.integers(-(10**9), 10**9, len(ids))
    async with rt.db.begin() as conn:
        await write_values(conn, "a", ids, values, source="导入")
        await write_values(conn, "b", ids[:50], np.abs(values[:50]), source="导入")
    cache = SetCache()
    found = await read_many(rt, cache, ["a", "b"], ids[:1000])
    assert (found["a"][0] == values[:1000]).all() and found["a"][1].all()
    assert found["b"][1].sum() == 50
    assert await sum_values(rt, cache, "a", BitMap(ids.tolist())) == (int(values.sum()), len(ids))
    assert await sum_values(rt, cache, "a", BitMap()) == (0, 0)
