"""A month back from its files, for an auditor who wants the rows in their tables."""

import asyncio
import tempfile
from pathlib import Path

from outreach.db.partitions import columns_of, ensure_partition, has_partition, partition_name
from outreach.db.pool import Connection
from outreach.errors import Conflict, NotFound
from outreach.governance.audit import append_audit
from outreach.logs import get_log
from outreach.runtime import Runtime
from outreach.storage.archive import SQL
from outreach.storage.manifest import Manifest, check_files, read_manifest
from outreach.storage.parquet import write_csv
from outreach.storage.rows import SOURCES, Source, copy_in, count_rows


async def restore_period(rt: Runtime, period: int, folder: Path | None, *, by: str) -> Manifest:
    """Bring an archived month's rows back; its files stay. `folder`: where they lie if they have moved.

    Raises NotFound for a month that was never archived, Conflict if its files are not the ones that were
    written, if the rows are here, or if the tables lack a column of theirs: then nothing is changed.
    """
    async with rt.db.begin() as conn:
        row = await (await conn.execute(SQL["archive_of"], {"period": period})).fetchone()
    if row is None:
        raise NotFound(f"{period} 没有归档记录，可用 outreach storage list 查看")
    place = folder or Path(row["folder"])
    manifest, digest = await asyncio.to_thread(read_manifest, place)
    if digest != bytes(row["manifest_hash"]):
        raise Conflict(f"目录 {place} 的清单不是 {period} 归档时写下的那一份，请核对目录。")
    await asyncio.to_thread(check_files, manifest, place)
    async with rt.db.begin() as conn:
        for source in SOURCES:
            if source.leaves:
                await _bring_back(conn, source, manifest, place)
        await conn.execute(SQL["mark_restored"], {"period": period})
        await append_audit(conn, by, "period.restore", f"period:{period}", {"folder": str(place)})
    get_log().info("period.restored", period=period, messages=manifest.table("message").rows)
    return manifest


async def _bring_back(conn: Connection, source: Source, manifest: Manifest, folder: Path) -> None:
    period, table = manifest.period, manifest.table(source.name)
    if await has_partition(conn, source.name, period):
        raise Conflict(f"{period} 的 {source.name} 已在库中，不需要恢复。")
    await ensure_partition(conn, source.name, period)
    here = await columns_of(conn, source.name)
    missing = [column.name for column in table.columns if column not in here]
    if missing:
        raise Conflict(
            f"归档时的结构版本为 {manifest.schema_version}，现有表缺少列 {'、'.join(missing)}，"
            "请在同版本的库中恢复，或直接用 DuckDB 读取文件。",
            columns=missing,
        )
    with tempfile.TemporaryDirectory(prefix="outreach-restore-") as scratch:
        csv = Path(scratch) / "rows.csv"
        for file in table.files:
            await asyncio.to_thread(write_csv, folder / file.name, table.columns, csv)
            await copy_in(conn, partition_name(source.name, period), table.columns, csv)
    if await count_rows(conn, source, period, table.columns) != (table.rows, table.digest):
        raise Conflict(f"{period} 的 {source.name} 恢复后清点不符，未作任何改动。")
