"""Count of an expression of five labels and a comparison over 10 M taxpayers x 30 labels (2 M when quick).

Everything goes through the product's own path: writers, PostgreSQL, cache with its version check, parser,
names, evaluation. The ceiling of the count is the same algebra on the same bitmaps in memory.

    .venv/bin/python -m tests.bench.bench_count [--quick]
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypedDict

import numpy as np
from pydantic import SecretStr
from pyroaring import BitMap, FrozenBitMap

from outreach.config import Settings
from outreach.db.migrate import migrate
from outreach.embedded import start_servers
from outreach.labels.bitmaps import from_array
from outreach.labels.cache import SetCache
from outreach.labels.catalogue import import_attributes, import_labels
from outreach.labels.evaluate import count
from outreach.labels.keys import attribute_keys, label_key, org_key
from outreach.labels.sets import change_set, change_sets
from outreach.labels.slices import Slices, between, read_values, write_values
from outreach.runtime import Runtime, close_runtime, open_runtime

LABELS = [f"label.l{number:02}" for number in range(30)]
USED = (LABELS[1], LABELS[7], LABELS[3], LABELS[20], LABELS[12])
TEXT = f"({USED[0]} or {USED[1]}) and {USED[2]} and {USED[3]} and not {USED[4]} and amount_due > 400"
UNITS = 300
PROVINCE = 1


class Row(TypedDict):
    """One measured figure; `ratio` is how much of the raw ceiling is reached (1 is all of it)."""

    name: str
    value: float
    unit: str
    budget: float | None
    ok: bool
    ceiling: float | None
    ratio: float | None


async def run(quick: bool) -> list[Row]:
    """Measure on servers of its own in a temporary folder."""
    size = 2_000_000 if quick else 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        servers = start_servers(Path(folder))
        try:
            await migrate(servers.dsn)
            settings = Settings(
                database_url=servers.dsn, redis_url=servers.redis_url, master_key=SecretStr("5f" * 32)
            )
            rt = await open_runtime(settings, name="bench")
            try:
                return await _measure(rt, size)
            finally:
                await close_runtime(rt)
        finally:
            servers.stop()


async def _measure(rt: Runtime, size: int) -> list[Row]:
    rng = np.random.default_rng(1)
    await _build_catalogue(rt)
    await _build_sets(rt, size, rng)
    written = await _write_amounts(rt, size, rng)
    cache = SetCache(limit_bytes=400 * 2**20)
    cold = await _timed(lambda: count(rt, cache, TEXT, PROVINCE))
    warm, raw = await _counts(rt, cache)
    changed = [await _change_and_count(rt, cache, number) for number in range(1, 41)]
    reads = [await _read_batch(rt, cache, size, rng) for _ in range(40)]
    label = f"{size // 1_000_000} M x {len(LABELS)} labels"
    return [
        _row(f"count, {label}, p95", _p95(warm), "ms", 50, _p95(raw)),
        _row(f"count, {label}, median", statistics.median(warm), "ms", None, statistics.median(raw)),
        _row("first count of a process", cold, "ms", None, None),
        _row("change committed and seen by the next count, p95", _p95(changed), "ms", 1000, None),
        _row("attribute values written, 1 M", written, "ms", 2000, None),
        _row("one attribute of 1,000 taxpayers read, p95", _p95(reads), "ms", 20, None),
    ]


async def _build_catalogue(rt: Runtime) -> None:
    labels = [{"code": code, "name": f"标签{code}", "kind": "flag"} for code in LABELS]
    async with rt.db.begin() as conn:
        await import_labels(conn, labels, version="bench")
        amount = [{"code": "amount_due", "name": "应补税额", "type": "money"}]
        await import_attributes(conn, amount, version="bench")
        await conn.execute("insert into org_unit (id, level, code, name, path) values (1, 1, '1', 'p', '1.')")
        await conn.execute(
            "insert into org_unit (id, parent_id, level, code, name, path)"
            " select n, 1, 2, n::text, 'u' || n, '1.' || n || '.' from generate_series(2, %s) n",
            (UNITS + 1,),
        )


async def _build_sets(rt: Runtime, size: int, rng: np.random.Generator) -> None:
    ids = np.arange(1, size + 1, dtype=np.uint32)
    for number, code in enumerate(LABELS):
        share = 0.02 + 0.6 * ((number * 7) % 30) / 30
        chosen = from_array(ids[rng.random(size) < share])
        async with rt.db.begin() as conn:
            await change_set(conn, label_key(code), add=chosen, source="bench")
    units = {org_key(2 + unit): (from_array(ids[unit::UNITS]), BitMap()) for unit in range(UNITS)}
    async with rt.db.begin() as conn:
        await change_sets(conn, units, source="bench")


async def _write_amounts(rt: Runtime, size: int, rng: np.random.Generator) -> float:
    """Four taxpayers in ten have an amount; returns the time of the last million, in ms."""
    ids = np.flatnonzero(rng.random(size + 1) < 0.4)[1:].astype(np.int32)
    values = rng.lognormal(11, 2, len(ids)).astype(np.int64)
    last = 0.0
    for start in range(0, len(ids), 1_000_000):
        part = slice(start, start + 1_000_000)
        began = time.perf_counter()
        async with rt.db.begin() as conn:
            await write_values(conn, "amount_due", ids[part], values[part], source="bench")
        if len(ids[part]) >= 700_000:
            last = (time.perf_counter() - began) * 1e3 * 1_000_000 / len(ids[part])
    return last


async def _change_and_count(rt: Runtime, cache: SetCache, number: int) -> float:
    before = await count(rt, cache, USED[4], PROVINCE)
    began = time.perf_counter()
    async with rt.db.begin() as conn:
        change = await change_set(conn, label_key(USED[4]), add=BitMap([number * 1009]), source="bench")
    after = await count(rt, cache, USED[4], PROVINCE)
    assert after == before + len(change.added)
    return (time.perf_counter() - began) * 1e3


async def _read_batch(rt: Runtime, cache: SetCache, size: int, rng: np.random.Generator) -> float:
    ids = rng.choice(size, 1000, replace=False) + 1
    return await _timed(lambda: read_values(rt, cache, "amount_due", ids))


async def _counts(rt: Runtime, cache: SetCache) -> tuple[list[float], list[float]]:
    """Counts and the bare algebra in turn, so that both meet the same load of the machine."""
    expected = await count(rt, cache, TEXT, PROVINCE)
    sets = await cache.load(rt, [*(label_key(code) for code in USED), *attribute_keys("amount_due")])
    counted, raw = [], []
    for _ in range(200):
        counted.append(await _timed(lambda: count(rt, cache, TEXT, PROVINCE)))
        began = time.perf_counter()
        found = _bare(sets)
        raw.append((time.perf_counter() - began) * 1e3)
        assert found == expected
    return counted, raw


def _bare(sets: Mapping[str, FrozenBitMap]) -> int:
    first, second, third, fourth, fifth = (sets[label_key(code)] for code in USED)
    chosen = ((first | second) & third & fourth) - fifth
    return len(between(Slices.of("amount_due", sets), 40_001, None, chosen))


async def _timed(job: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await job()
    return (time.perf_counter() - began) * 1e3


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def _row(name: str, value: float, unit: str, budget: float | None, ceiling: float | None) -> Row:
    ratio = round(ceiling / value, 3) if ceiling else None
    ok = budget is None or value <= budget
    return Row(
        name=name,
        value=round(value, 2),
        unit=unit,
        budget=budget,
        ok=ok,
        ceiling=round(ceiling, 2) if ceiling else None,
        ratio=ratio,
    )


if __name__ == "__main__":
    for row in asyncio.run(run("--quick" in sys.argv)):
        print(row)
