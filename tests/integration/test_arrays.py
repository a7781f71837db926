"""Numpy columns on their way into PostgreSQL and back."""

import numpy as np
import pytest

from outreach.db.arrays import fetch_arrays
from outreach.db.copy import copy_columns
from outreach.runtime import Runtime


@pytest.mark.parametrize("values", [[], [7], [-(2**31), -1, 0, 1, 2**31 - 1]])
async def test_integers_go_and_come_back(rt: Runtime, values: list[int]) -> None:
    query = "select %(ids)s::int[] as small, %(ids)s::bigint[] as large, 'x' as name, null as none"
    async with rt.db.begin() as conn:
        (row,) = await fetch_arrays(conn, query, {"ids": np.array(values, np.int64)})
    assert row["small"].tolist() == row["large"].tolist() == values
    assert row["name"] == "x" and len(row["none"]) == 0


async def test_large_integers_come_back(rt: Runtime) -> None:
    async with rt.db.begin() as conn:
        (row,) = await fetch_arrays(conn, "select array[1::bigint << 40, -5] as ids", {})
    assert row["ids"].tolist() == [1 << 40, -5]


@pytest.mark.parametrize("count", [0, 1, 20_000, 40_001])
async def test_rows_with_lists_of_any_length_are_copied(rt: Runtime, count: int) -> None:
    lengths = 1 + np.arange(count) % 7 % 3
    values = np.arange(int(lengths.sum())) - 5
    columns = {"id": np.arange(count, dtype=np.int32), "small": (np.arange(count) % 9).astype(np.int16)}
    async with rt.db.begin() as conn:
        await conn.execute("create temp table row_ (values int[], small smallint, id int) on commit drop")
        await copy_columns(conn, "row_", columns, ("values", lengths, values))
        rows = await (await conn.execute("select id, small, values from row_ order by id")).fetchall()
    assert [row["id"] for row in rows] == list(range(count))
    assert [row["small"] for row in rows] == columns["small"].tolist()
    assert [len(row["values"]) for row in rows] == lengths.tolist()
    assert [value for row in rows for value in row["values"]] == values.tolist()
