"""A month leaves: to Parquet, counted again from the files, and only then dropped; and back for an auditor.

The files are written from one snapshot. What could still change in an old month is a state, and states only
climb: equal sums by state at the end mean that nothing has moved since (docs/decisions/0010).
"""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb
from pyroaring import BitMap

from outreach.clock import utc_now
from outreach.db.partitions import (
    columns_of,
    drop_partition,
    has_partition,
    months_between,
    partition_name,
)
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, NotFound, Unavailable
from outreach.governance.audit import append_audit
from outreach.logs import get_log
from outreach.runtime import Runtime
from outreach.storage.manifest import (
    FileEntry,
    Manifest,
    RoundEntry,
    StepSum,
    TableEntry,
    check_files,
    entry_of,
    read_manifest,
    write_manifest,
)
from outreach.storage.parquet import read_back, sums_in, write_parquet
from outreach.storage.rows import SOURCES, Source, copy_out, count_rows, pieces_of

SQL = load_queries(__file__)

QUOTA_MONTHS = 3
"""The contact quota of a round looks at this month and the two before it."""
_LOCK_TRIES = 10
_LOCK_PAUSE = 2.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Blockers:
    """What keeps a month here: counts, and how old the month is."""

    this_month: int
    open_rounds: int
    awaited: int
    unmerged: int

    def reasons(self, period: int) -> list[str]:
        """In Chinese, each with what it waits for; none: the month may leave."""
        return [
            reason
            for holds, reason in (
                (
                    months_between(period, self.this_month) < QUOTA_MONTHS,
                    f"触达频次要看最近 {QUOTA_MONTHS} 个月，本月份还在其中",
                ),
                (self.open_rounds > 0, f"有 {self.open_rounds} 个轮次没有结束"),
                (self.awaited > 0, f"有 {self.awaited} 条消息还在等待回执或核实"),
                (self.unmerged > 0, f"有 {self.unmerged} 条回执还没有并入"),
            )
            if holds
        ]


@dataclass(frozen=True, slots=True)
class Archive:
    """A month that was archived. `is_away`: its rows are in the files only."""

    period: int
    folder: str
    messages: int
    archived_at: datetime
    is_away: bool


async def list_archives(conn: Connection) -> list[Archive]:
    """Every month that was ever archived, oldest first."""
    return [Archive(**row) for row in await (await conn.execute(SQL["archives"])).fetchall()]


async def blockers_of(conn: Connection, period: int) -> Blockers:
    """What keeps a month here."""
    row = await (await conn.execute(SQL["blockers"], {"period": period})).fetchone()
    assert row is not None
    return Blockers(**row)


async def archive_period(rt: Runtime, period: int, base: Path, *, by: str, progress: Progress) -> Manifest:
    """Move a month's messages and recipients into `base/PERIOD` and drop their tables.

    Raises NotFound without such a month, Conflict while it may still move, or when what was read back is not
    what was written: then nothing is dropped. Repeating it after a crash goes on where it stood.
    """
    folder = base.resolve() / str(period)
    async with rt.db.begin() as conn:
        if not await has_partition(conn, "message", period):
            raise NotFound(f"没有 {period} 月份的消息，可用 outreach storage list 查看现有月份")
        await _refuse_if_moving(conn, period)
    was_there = await asyncio.to_thread(folder.exists)
    if not was_there:
        partial = folder.with_name(f"{period}.partial")
        await _write(rt, period, partial, progress)
        await asyncio.to_thread(partial.rename, folder)
    progress("正在从文件重新清点")
    manifest, digest = await asyncio.to_thread(verify_archive, folder)
    if was_there:
        await _compare(rt, manifest, folder)
    await _leave(rt, manifest, digest, folder, by)
    get_log().info("period.archived", period=period, messages=manifest.table("message").rows)
    return manifest


def verify_archive(folder: Path) -> tuple[Manifest, bytes]:
    """Count an archive again from its files alone. Raises Conflict if it is not what its manifest says."""
    manifest, digest = read_manifest(folder)
    check_files(manifest, folder)
    for table in manifest.tables:
        if read_back(_paths(table, folder), table.columns) != (table.rows, table.digest):
            raise Conflict(f"归档 {folder} 中 {table.name} 的内容与清单不符，请从备份取回后再试。")
    messages = _paths(manifest.table("message"), folder)
    for one in manifest.rounds:
        if sums_in(messages, one.round_id) != one.sums:
            raise Conflict(f"归档 {folder} 中轮次 {one.round_id} 的各状态合计与清单不符。")
    return manifest, digest


def _paths(table: TableEntry, folder: Path) -> list[Path]:
    return [folder / file.name for file in table.files]


async def _refuse_if_moving(conn: Connection, period: int) -> None:
    reasons = (await blockers_of(conn, period)).reasons(period)
    if reasons:
        raise Conflict(f"{period} 还不能归档：" + "；".join(reasons) + "。", reasons=reasons)


async def _write(rt: Runtime, period: int, folder: Path, progress: Progress) -> None:
    await asyncio.to_thread(_empty, folder)
    async with rt.db.begin() as conn:
        await conn.execute("set transaction isolation level repeatable read, read only")
        tables = [await _write_table(conn, source, period, folder, progress) for source in SOURCES]
        rounds = await _rounds(conn, period)
        version = await (await conn.execute(SQL["schema_version"])).fetchone()
    assert version is not None
    manifest = Manifest(period, utc_now().isoformat(), version["name"], tuple(tables), tuple(rounds))
    await asyncio.to_thread(write_manifest, manifest, folder)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)


async def _write_table(
    conn: Connection, source: Source, period: int, folder: Path, progress: Progress
) -> TableEntry:
    columns = await columns_of(conn, source.name)
    rows, digest = await count_rows(conn, source, period, columns)
    files: list[FileEntry] = []
    for piece in await pieces_of(conn, source, period):
        progress(f"正在写出 {source.name} {piece}")
        csv, target = folder / "rows.csv", folder / f"{source.name}-{piece}.parquet"
        count = await copy_out(conn, source, period, piece, columns, csv)
        await asyncio.to_thread(write_parquet, csv, columns, target)
        await asyncio.to_thread(csv.unlink)
        files.append(await asyncio.to_thread(entry_of, target, count))
    return TableEntry(source.name, rows, digest, tuple(columns), tuple(files))


async def _rounds(conn: Connection, period: int) -> list[RoundEntry]:
    sums = await _sums(conn, period)
    rows = await (await conn.execute(SQL["rounds_of"], {"period": period})).fetchall()
    return [RoundEntry(**row, sums=sums[row["round_id"]]) for row in rows]


async def _sums(conn: Connection, period: int) -> dict[int, tuple[StepSum, ...]]:
    sums: dict[int, tuple[StepSum, ...]] = defaultdict(tuple)
    for row in await (await conn.execute(SQL["sums_of"], {"period": period})).fetchall():
        sums[row.pop("round_id")] += (StepSum(**row),)
    return sums


async def _compare(rt: Runtime, manifest: Manifest, folder: Path) -> None:
    # What was there before may be another database's, or older than the last receipt.
    async with rt.db.begin() as conn:
        await conn.execute("set transaction isolation level repeatable read, read only")
        for source in SOURCES:
            table = manifest.table(source.name)
            counted = await count_rows(conn, source, manifest.period, table.columns)
            if counted != (table.rows, table.digest):
                raise Conflict(
                    f"目录 {folder} 中已有的归档与台账现在的内容不同，请移走该目录后再归档。",
                    table=table.name,
                )


async def _leave(rt: Runtime, manifest: Manifest, digest: bytes, folder: Path, by: str) -> None:
    period = manifest.period
    reached = await _reached(rt, period)
    for _ in range(_LOCK_TRIES):
        try:
            async with rt.db.begin() as conn:
                await conn.execute("set local lock_timeout = '2s'")
                await _lock(conn, period)
                await _refuse_if_moving(conn, period)
                written = {one.round_id: one.sums for one in manifest.rounds if one.sums}
                if await _sums(conn, period) != written:
                    raise Conflict(f"{period} 在归档期间又有变动，请移走目录 {folder} 后再执行一次。")
                await _keep(conn, manifest, digest, folder, by, reached)
                for source in SOURCES:
                    if source.leaves:
                        await drop_partition(conn, source.name, period)
                detail = {"folder": str(folder), "manifest": digest.hex()}
                await append_audit(conn, by, "period.archive", f"period:{period}", detail)
                return
        except LockNotAvailable:
            await asyncio.sleep(_LOCK_PAUSE)
    raise Unavailable(f"数据库一直繁忙，{period} 的数据已写出但没有移走，请稍后再执行一次。")


async def _lock(conn: Connection, period: int) -> None:
    # Readers go on; nothing of the month moves any more until it has left.
    names = [sql.Identifier(partition_name(source.name, period)) for source in SOURCES if source.leaves]
    await conn.execute(sql.SQL("lock table {} in share mode").format(sql.SQL(", ").join(names)))


async def _reached(rt: Runtime, period: int) -> dict[int, BitMap]:
    rows = await rt.db.fetch(SQL["reached_of"], {"period": period})
    return {row["round_id"]: BitMap(row["ids"]) for row in rows}


async def _keep(
    conn: Connection, manifest: Manifest, digest: bytes, folder: Path, by: str, reached: dict[int, BitMap]
) -> None:
    keys: dict[str, Any] = {"period": manifest.period, "folder": str(folder), "hash": digest, "by": by}
    await conn.execute(SQL["keep_archive"], {**keys, "messages": manifest.table("message").rows})
    for one in manifest.rounds:
        sums = [
            {"step": item.step, "state": item.state, "n": item.n, "households": item.households}
            for item in one.sums
        ]
        await conn.execute(
            SQL["keep_round"],
            {
                "round_id": one.round_id,
                "period": manifest.period,
                "recipients": one.recipients,
                "households": one.households,
                "sums": Jsonb(sums),
                "reached": reached.get(one.round_id, BitMap()).serialize(),
            },
        )
