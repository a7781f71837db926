"""Import of a GBK CSV of a million taxpayers with those who act for them, and of 22 labels for each (a
hundred thousand when quick): validated, personal fields encrypted, indexed, compared with what is there.

The ceiling is a bare binary COPY of the very same rows into empty tables with the same indexes, in the same
run. The budget is that of taxpayers and labels together: rows through the time of both files.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from outreach.db.pool import Connection
from outreach.imports.report import ImportReport
from outreach.labels.catalogue import load_builtin
from outreach.labels.derived import refresh_derived
from outreach.labels.imports import import_labels
from outreach.registry.imports_taxpayers import import_taxpayers
from outreach.registry.imports_units import import_org_units
from outreach.runtime import Runtime
from outreach.sample.generate import generate
from tests.bench.rows import Row, cost, rate

BUDGET = 25_000
_TABLES = ("taxpayer", "person", "role", "contact", "address")

Import = Callable[..., Awaitable[ImportReport]]


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """Measure on an empty migrated database."""
    size = 100_000 if quick else 1_000_000
    async with rt.db.begin() as conn:
        await load_builtin(conn)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = await _timed(_generate(folder, size))
        await _import(rt, import_org_units, folder / "org_units.csv")
        taxpayers = await _timed(_import(rt, import_taxpayers, folder / "taxpayers.csv"))
        derived = await _timed(_derive(rt))
        labels = await _timed(_import(rt, import_labels, folder / "labels.csv"))
        again = await _timed(_import(rt, import_taxpayers, folder / "taxpayers.csv"))
    bare = await _bare_copy(rt)
    both, ceiling = size / (taxpayers + labels), size / bare
    return [
        rate("taxpayers and 22 labels", both, unit="rows/s", budget=BUDGET, ceiling=ceiling),
        rate("taxpayers", size / taxpayers, unit="rows/s", ceiling=ceiling),
        rate("22 labels", size / labels, unit="rows/s"),
        rate("the same taxpayers again, nothing changes", size / again, unit="rows/s"),
        cost("sets that follow from the registry", derived, unit="s"),
        cost("the made-up city itself, per 100,000", made * 100_000 / size, unit="s", budget=15),
    ]


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _generate(folder: Path, size: int) -> None:
    generate(folder, size, 7)


async def _import(rt: Runtime, how: Import, path: Path) -> None:
    report = await how(rt, path, name=path.name, by="bench", scope_org_id=None)
    if report.good < report.read * 0.99:
        raise RuntimeError(f"{path.name}: {report.bad} of {report.read} rows refused")


async def _derive(rt: Runtime) -> None:
    async with rt.db.begin() as conn:
        await refresh_derived(conn, source="bench")


async def _bare_copy(rt: Runtime) -> float:
    """Seconds to copy the rows of the registry's tables into twins of these tables."""
    seconds = 0.0
    async with rt.db.begin() as conn:
        for table in _TABLES:
            data = await _read(conn, table)
            await conn.execute(f"create table bare_{table} (like {table} including all)")
            await conn.commit()
            began = time.perf_counter()
            async with (
                conn.cursor() as cursor,
                cursor.copy(f"copy bare_{table} from stdin (format binary)") as copy,
            ):
                for part in data:
                    await copy.write(part)
            await conn.commit()
            seconds += time.perf_counter() - began
    return seconds


async def _read(conn: Connection, table: str) -> list[bytes]:
    """The rows of a table as the server sends them, in larger pieces."""
    rows: list[bytes] = []
    async with conn.cursor() as cursor, cursor.copy(f"copy {table} to stdout (format binary)") as copy:
        async for part in copy:
            rows.append(bytes(part))
    return [b"".join(rows[start : start + 2000]) for start in range(0, len(rows), 2000)]
