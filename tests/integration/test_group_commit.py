"""Group commit: durable before it returns, one transaction for many, one bad caller harms nobody else."""

import asyncio
from collections.abc import Sequence

import pytest
from psycopg import DataError

from outreach.db.group_commit import GroupCommit
from outreach.runtime import Runtime


async def test_many_callers_share_few_transactions_and_all_is_durable(rt: Runtime) -> None:
    await rt.db.execute("create table kept (n int)")
    writes = 0

    async def write(items: Sequence[int]) -> None:
        nonlocal writes
        writes += 1
        await rt.db.execute("insert into kept select unnest(%(items)s::int[])", {"items": list(items)})

    group = GroupCommit[int](write)
    await asyncio.gather(*(group.put([n]) for n in range(500)))
    assert await rt.db.fetch_one("select count(*)::int as n from kept") == {"n": 500}
    assert writes < 50
    await group.close()


async def test_one_bad_caller_fails_alone(rt: Runtime) -> None:
    await rt.db.execute("create table kept (t text)")

    async def write(items: Sequence[str]) -> None:
        await rt.db.execute("insert into kept select unnest(%(items)s::text[])", {"items": list(items)})

    group = GroupCommit[str](write, delay=0.05)
    results = await asyncio.gather(
        group.put(["good"]), group.put(["bad\x00"]), group.put(["fine"]), return_exceptions=True
    )
    assert results[0] is None and results[2] is None
    assert isinstance(results[1], DataError)
    rows = await rt.db.fetch("select t from kept order by t")
    assert [row["t"] for row in rows] == ["fine", "good"]
    await group.close()


async def test_what_waits_at_the_end_is_told_so(rt: Runtime) -> None:
    async def write(items: Sequence[int]) -> None:
        await asyncio.sleep(60)

    group = GroupCommit[int](write, delay=0)
    first = asyncio.create_task(group.put([1]))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(group.put([2]))
    await asyncio.sleep(0.05)
    await group.close()
    for waiting in (first, second):
        with pytest.raises(ConnectionError):
            await waiting
