"""One import from its first block to its report.

Blocks are committed one by one, each with its counts and its errors, under an advisory lock that lets one
import of a group run at a time. Every row is written under its own key and compared before, so an import
that was cut off is simply repeated: what had been committed is found unchanged, the rest follows, nothing
is lost or doubled. A run that a crash left as `running` is marked `failed` by the next one.
"""

import csv
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.types.string import BytesBinaryDumper

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict
from outreach.imports.blocks import Problem
from outreach.imports.cells import mask
from outreach.imports.pipeline import CheckedBlock
from outreach.imports.source import Source
from outreach.logs import get_log
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
_LOCK_SPACE = 7_640_101
_FORMULA_STARTS = tuple("=+-@\t\r\n\0＝＋－＠")
_ERROR_COLUMNS = [
    ("import_id", "int4"),
    ("row_number", "int4"),
    ("field", "text"),
    ("value_masked", "text"),
    ("reason", "text"),
    ("refused", "bool"),
]

Progress = Callable[[int, int | None], None]
"""Told after each block: rows done, rows in all (None if not known)."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file. read = good + bad and good = new + changed + same.

    `bad` rows were refused whole; `left_out` counts single values that were refused in good rows (a wrong
    mobile number). `errors_path` lists all of them, None if there are none. `unused` are headers of columns
    that no field was found for.
    """

    id: int
    read: int
    good: int
    bad: int
    new: int
    changed: int
    same: int
    left_out: int
    errors_path: Path | None
    unused: tuple[str, ...] = ()


@dataclass(slots=True)
class ImportRun:
    """A running import: its connection (between transactions when handed out) and its counts."""

    rt: Runtime
    conn: Connection
    id: int
    source: Source
    progress: Progress | None
    read: int = 0
    bad: int = 0
    new: int = 0
    changed: int = 0
    left_out: int = 0

    @property
    def same(self) -> int:
        """Good rows that said nothing new."""
        return self.read - self.bad - self.new - self.changed

    async def commit_block(
        self, block: CheckedBlock[Any], problems: Iterable[Problem], new: int, changed: int
    ) -> None:
        """Count the block, write down its problems and commit; `problems` have row numbers of the block."""
        found = sorted({*map(block.in_file, block.problems), *map(block.in_file, problems)})
        refused = {problem.row for problem in found if problem.refused}
        self.read += block.rows
        self.bad += len(refused)
        self.left_out += sum(not problem.refused for problem in found)
        self.new += new
        self.changed += changed
        rows = [(self.id, p.row, p.field, mask(p.value), p.reason, p.refused) for p in found]
        await copy_rows(self.conn, "import_error", _ERROR_COLUMNS, rows)
        await self.save("running")
        await self.conn.commit()
        if self.progress:
            self.progress(self.read, max(self.source.total, self.read) or None)

    async def save(self, state: str) -> None:
        """Write the counts in the open transaction."""
        await self.conn.execute(
            _SQL["save"],
            {
                "id": self.id,
                "state": state,
                "read": self.read,
                "bad": self.bad,
                "new": self.new,
                "changed": self.changed,
                "same": self.same,
                "left_out": self.left_out,
            },
        )

    async def report(self) -> ImportReport:
        """The report, with the list of errors written to a file."""
        path = await write_errors(self.rt, self.id)
        return ImportReport(
            self.id,
            self.read,
            self.read - self.bad,
            self.bad,
            self.new,
            self.changed,
            self.same,
            self.left_out,
            path,
            tuple(self.source.unused),
        )


@asynccontextmanager
async def open_run(
    rt: Runtime,
    kind: str,
    source: Source,
    *,
    group: str,
    name: str,
    by: str,
    org_id: int | None,
    mapping: str | None = None,
    progress: Progress | None = None,
) -> AsyncIterator[ImportRun]:
    """Begin an import and end it as finished or failed. Raises Conflict while another of the group runs."""
    async with rt.db.begin() as conn, _alone(conn, group):
        params = {
            "kind": kind,
            "name": name,
            "sha256": source.sha256,
            "mapping": mapping,
            "by": by,
            "org_id": org_id,
        }
        # The dumper that psycopg picks by type for bytea is written in Python; this one is in C.
        conn.adapters.register_dumper(bytes, BytesBinaryDumper)
        await conn.execute(_SQL["bury"], {"kind": kind})
        row = await (await conn.execute(_SQL["start"], params)).fetchone()
        assert row is not None
        await conn.commit()
        run = ImportRun(rt, conn, row["id"], source, progress)
        try:
            yield run
        except BaseException:
            if not conn.closed:
                await conn.rollback()
                await run.save("failed")
                await conn.commit()
            raise
        await run.save("finished")
        await conn.commit()
        get_log().info(
            "import.finished", import_id=run.id, kind=kind, read=run.read, bad=run.bad, new=run.new,
            changed=run.changed, same=run.same,
        )  # fmt: skip


@asynccontextmanager
async def _alone(conn: Connection, group: str) -> AsyncIterator[None]:
    params = {"space": _LOCK_SPACE, "group": group}
    row = await (await conn.execute(_SQL["lock"], params)).fetchone()
    await conn.commit()
    if row is None or not row["locked"]:
        raise Conflict("另一个文件正在导入，请等它完成后再试")
    try:
        yield
    finally:
        if not conn.closed:
            await conn.rollback()
            await conn.execute(_SQL["unlock"], params)
            await conn.commit()


async def write_errors(rt: Runtime, import_id: int) -> Path | None:
    """Write the list of errors as CSV with a byte order mark, so that Excel opens it; None if there are none.

    Cells that a spreadsheet would take for a formula get an apostrophe (ASVS 5.0, 1.2.10).
    """
    path = rt.settings.var / "imports" / f"{import_id}-errors.csv"
    rows = await rt.db.fetch(_SQL["errors"], {"id": import_id})
    if not rows:
        return None
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("文件", "行号", "列", "内容（已遮盖）", "原因", "处理"))
        for row in rows:
            outcome = "整行未导入" if row["refused"] else "仅此内容未导入"
            cells = (
                row["name"],
                row["row_number"],
                row["field"],
                row["value_masked"],
                row["reason"],
                outcome,
            )
            writer.writerow([formula_safe(str(cell)) for cell in cells])
    return path


def formula_safe(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet would compute it."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
