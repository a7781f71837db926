"""Sets in PostgreSQL: no update lost, no deadlock, nothing written where nothing changes."""

import asyncio
import random
from datetime import date

import psycopg
import pytest
from pyroaring import BitMap

from outreach.labels.cache import SetCache
from outreach.labels.keys import label_key, org_key
from outreach.labels.sets import change_set, change_sets, replace_set

CHUNK = 2**18


async def members(rt, key):
    return set((await SetCache().load(rt, [key]))[key])


async def chunk_rows(rt):
    return await rt.db.fetch("select set_key, hi, version from set_chunk order by set_key, hi")


async def change_rows(rt):
    return await rt.db.fetch(
        "select set_key, as_of, source, low, high, added, removed from set_change order by id"
    )


async def test_changes_are_differences(rt):
    key = label_key("iit.filed")
    async with rt.db.begin() as conn:
        first = await change_set(conn, key, add=BitMap([1, 5, CHUNK, 3 * CHUNK + 7]), source="导入")
        second = await change_set(
            conn, key, add=BitMap([5, 6]), remove=BitMap([1, 99]), source="事件", as_of=date(2026, 3, 1)
        )
    assert set(first.added) == {1, 5, CHUNK, 3 * CHUNK + 7}
    assert (set(second.added), set(second.removed)) == ({6}, {1})
    assert await members(rt, key) == {5, 6, CHUNK, 3 * CHUNK + 7}
    assert [row["hi"] for row in await chunk_rows(rt)] == [0, 1, 3]
    log = await change_rows(rt)
    assert [(row["source"], row["low"], row["high"]) for row in log] == [
        ("导入", 1, 3 * CHUNK + 7),
        ("事件", 1, 6),
    ]
    assert (set(BitMap.deserialize(log[1]["added"])), set(BitMap.deserialize(log[1]["removed"]))) == (
        {6},
        {1},
    )
    assert log[1]["as_of"] == date(2026, 3, 1)


async def test_repeated_import_writes_nothing(rt):
    changes = {label_key("a"): (BitMap([1, 2, CHUNK]), BitMap([3])), org_key(17): (BitMap([1, 2]), BitMap())}
    async with rt.db.begin() as conn:
        assert all((await change_sets(conn, changes, source="导入")).values())
    chunks, log = await chunk_rows(rt), await change_rows(rt)
    async with rt.db.begin() as conn:
        again = await change_sets(conn, changes, source="导入")
    assert not any(again.values())
    assert (await chunk_rows(rt), await change_rows(rt)) == (chunks, log)


async def test_removing_from_what_does_not_exist_writes_nothing(rt):
    async with rt.db.begin() as conn:
        assert not await change_set(conn, "label:a", remove=BitMap([1, CHUNK]), source="导入")
        assert not await change_set(conn, "label:a", source="导入")
        assert await change_sets(conn, {}, source="导入") == {}
    assert await chunk_rows(rt) == []


async def test_contradiction_is_refused(rt):
    with pytest.raises(ValueError, match="label:a"):
        async with rt.db.begin() as conn:
            await change_set(conn, "label:a", add=BitMap([1]), remove=BitMap([1]), source="导入")


async def test_replace_drops_the_rest_of_its_universe_only(rt):
    async with rt.db.begin() as conn:
        await change_set(conn, "label:a", add=BitMap([1, 2, CHUNK, 2 * CHUNK]), source="导入")
        change = await replace_set(conn, "label:a", BitMap([2, 9]), universe=BitMap([1, 2, 9]), source="整表")
        assert (set(change.added), set(change.removed)) == ({9}, {1})
        await replace_set(conn, "label:a", BitMap([9, 5 * CHUNK]), source="整表")
        await replace_set(conn, "label:b", BitMap([4]), source="整表")
    assert await members(rt, "label:a") == {9, 5 * CHUNK}
    assert await members(rt, "label:b") == {4}


async def test_rolled_back_change_is_not_seen(rt):
    cache = SetCache()
    with pytest.raises(ZeroDivisionError):
        async with rt.db.begin() as conn:
            await change_set(conn, "label:a", add=BitMap([1]), source="导入")
            assert set((await cache.load(conn, ["label:a"]))["label:a"]) == {1}
            raise ZeroDivisionError
    assert set((await cache.load(rt, ["label:a"]))["label:a"]) == set()
    async with rt.db.begin() as conn:
        await change_set(conn, "label:a", add=BitMap([2]), source="导入")
    assert set((await cache.load(rt, ["label:a"]))["label:a"]) == {2}


async def test_concurrent_writers_lose_nothing_and_do_not_deadlock(rt):
    keys = [f"label:s{number}" for number in range(6)] + [org_key(1)]
    expected: dict[str, set[int]] = {key: set() for key in keys}
    jobs = []
    chance = random.Random(7)
    for writer in range(24):
        changes = {}
        for key in chance.sample(keys, 4):
            ids = {
                writer + 24 * number + CHUNK * chance.randrange(3)
                for number in range(chance.randrange(1, 40))
            }
            expected[key] |= ids
            changes[key] = (BitMap(ids), BitMap(each + CHUNK * 9 for each in ids))
        jobs.append(changes)

    async def write(changes):
        async with rt.db.begin() as conn:
            await change_sets(conn, changes, source="并发")
            await asyncio.sleep(0.002)

    await asyncio.gather(*map(write, jobs))
    found = await SetCache().load(rt, keys)
    assert {key: set(found[key]) for key in keys} == expected
    logged = {key: set() for key in keys}
    for row in await change_rows(rt):
        logged[row["set_key"]] |= set(BitMap.deserialize(row["added"]))
    assert logged == expected


async def test_writers_that_create_the_same_chunks_at_once(rt):
    keys = [f"label:new{number:02}" for number in range(40)]
    spread = [hi * CHUNK + 5 for hi in range(12)]

    async def create(writer):
        changes = {key: (BitMap(each + writer for each in spread), BitMap()) for key in keys}
        async with rt.db.begin() as conn:
            await change_sets(conn, changes, source="首次导入")

    for _ in range(3):
        await rt.db.execute("truncate set_chunk")
        await asyncio.gather(*map(create, range(6)))
        found = await SetCache().load(rt, keys)
        assert {len(found[key]) for key in keys} == {6 * len(spread)}


async def test_adders_and_removers_of_one_chunk_serialise(rt):
    async with rt.db.begin() as conn:
        await change_set(conn, "label:a", add=BitMap(range(1, 200)), source="导入")

    async def flip(number):
        async with rt.db.begin() as conn:
            await change_set(
                conn, "label:a", add=BitMap([1000 + number]), remove=BitMap([number]), source="事件"
            )

    await asyncio.gather(*(flip(number) for number in range(1, 41)))
    assert await members(rt, "label:a") == set(range(41, 200)) | set(range(1001, 1041))


async def test_cache_fetches_only_what_changed(rt):
    cache = SetCache()
    async with rt.db.begin() as conn:
        await change_set(conn, "label:a", add=BitMap([1, CHUNK + 1, 4 * CHUNK]), source="导入")
    before = (await cache.load(rt, ["label:a"]))["label:a"]
    assert (await cache.load(rt, ["label:a"]))["label:a"] is before
    async with rt.db.begin() as conn:
        await change_set(
            conn, "label:a", add=BitMap([2, 2 * CHUNK]), remove=BitMap([CHUNK + 1]), source="导入"
        )
    after = (await cache.load(rt, ["label:a", "label:none"]))["label:a"]
    assert set(after) == {1, 2, 2 * CHUNK, 4 * CHUNK}
    assert set(before) == {1, CHUNK + 1, 4 * CHUNK}
    async with rt.db.begin() as conn:
        await conn.execute("update set_chunk set data = %s where hi = 0", (BitMap([77]).serialize(),))
    assert set((await cache.load(rt, ["label:a"]))["label:a"]) == set(after)


async def test_version_that_was_drawn_early_and_committed_late_is_seen(rt, fresh_dsn):
    cache = SetCache()
    async with rt.db.begin() as conn:
        await change_set(conn, "label:a", add=BitMap([1, CHUNK + 1]), source="导入")
    async with await psycopg.AsyncConnection.connect(fresh_dsn, row_factory=psycopg.rows.dict_row) as slow:
        await change_set(slow, "label:a", add=BitMap([2]), source="慢")
        async with rt.db.begin() as conn:
            await change_set(conn, "label:a", add=BitMap([CHUNK + 2]), source="快")
        assert set((await cache.load(rt, ["label:a"]))["label:a"]) == {1, CHUNK + 1, CHUNK + 2}
        await slow.commit()
    assert set((await cache.load(rt, ["label:a"]))["label:a"]) == {1, 2, CHUNK + 1, CHUNK + 2}


async def test_cache_stays_within_its_limit_and_right(rt):
    chance = random.Random(3)
    keys = [f"label:s{number}" for number in range(40)]
    truth = {key: BitMap(chance.sample(range(1, 200_000), 3000)) for key in keys}
    async with rt.db.begin() as conn:
        await change_sets(conn, {key: (ids, BitMap()) for key, ids in truth.items()}, source="导入")
    cache = SetCache(limit_bytes=60_000)
    for _ in range(3):
        found = await cache.load(rt, keys)
        assert all(found[key] == truth[key] for key in keys)
        assert cache.held_bytes <= 60_000
        one = chance.choice(keys)
        assert (await cache.load(rt, [one]))[one] == truth[one]


async def test_concurrent_loads_and_writes_agree_in_the_end(rt):
    cache = SetCache()

    async def write(number):
        async with rt.db.begin() as conn:
            await change_set(conn, "label:a", add=BitMap([number, number + CHUNK]), source="事件")

    async def read():
        found = set((await cache.load(rt, ["label:a"]))["label:a"])
        assert {each + CHUNK for each in found if each < CHUNK} == {each for each in found if each > CHUNK}

    await asyncio.gather(*(job for number in range(1, 31) for job in (write(number), read())))
    assert len(await members(rt, "label:a")) == 60
    assert len((await cache.load(rt, ["label:a"]))["label:a"]) == 60
