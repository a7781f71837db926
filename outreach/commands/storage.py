"""The commands of the technician who looks after what is stored: `outreach storage --help`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from outreach.commands.running import complaining, console, run, tell
from outreach.db.partitions import PARENTS, ensure_partition, is_period, list_partitions
from outreach.db.pool import Connection
from outreach.errors import Conflict, InvalidInput
from outreach.runtime import Runtime
from outreach.storage.archive import archive_period, blockers_of, list_archives, verify_archive
from outreach.storage.manifest import Manifest
from outreach.storage.restore import restore_period
from outreach.storage.retention import archive_folder, retain

_MEBIBYTE = 1 << 20

Period = Annotated[int, typer.Argument(help="月份，如 202603")]

app = typer.Typer(no_args_is_help=True, help="存储：分区、归档、恢复、保存期限")


@app.command("list")
def list_() -> None:
    """各月份的分区、行数、大小、未结束的轮次，以及已归档的月份。"""
    for table in run(_tables):
        console.print(table)


@app.command()
def create(period: Period) -> None:
    """提前建立一个月份的分区。"""
    run(lambda rt: _create(rt, period))
    tell(f"{period} 的分区已就绪")


@app.command()
def archive(
    period: Period,
    to: Annotated[Path | None, typer.Option("--to", help="归档目录；省略则用设置中的目录")] = None,
) -> None:
    """把一个月份的消息和接收人写成 Parquet 文件，从文件重新清点无误后才从库中移走。"""
    found = run(
        lambda rt: archive_period(rt, _checked(period), to or archive_folder(rt), by="cli", progress=tell)
    )
    tell(f"{period} 已归档：{_summary(found)}")


@app.command()
def verify(folder: Annotated[Path, typer.Argument(help="归档目录")]) -> None:
    """只凭归档文件重新清点，不需要数据库。"""
    with complaining():
        found, _ = verify_archive(folder)
    tell(f"{folder} 与清单一致：{_summary(found)}")


@app.command()
def restore(
    period: Period,
    folder: Annotated[Path | None, typer.Option("--from", help="归档目录；省略则用归档时的目录")] = None,
) -> None:
    """把已归档的月份恢复到库中，供审计查询；再次 archive 即移走。"""
    found = run(lambda rt: restore_period(rt, _checked(period), folder, by="cli"))
    tell(f"{period} 已恢复：{_summary(found)}")


@app.command("retain")
def retain_() -> None:
    """立即执行保存期限；调度进程每天执行一次。"""
    found = run(retain)
    if found is None:
        tell("另一个进程正在执行")
        return
    for name, count in found.deleted.items():
        tell(f"{name}：删除 {count:,} 行")
    tell(f"回执月份移除 {len(found.dropped)} 个，消息月份归档 {len(found.archived)} 个")
    for reason in found.refused.values():
        tell(reason)


def _checked(period: int) -> int:
    if not is_period(period):
        raise InvalidInput(f"{period} 不是月份，请写成 202603 这样的六位数", field="period")
    return period


async def _create(rt: Runtime, period: int) -> None:
    _checked(period)
    async with rt.db.begin() as conn:
        if any(one.period == period for one in await list_archives(conn) if one.is_away):
            raise Conflict(f"{period} 已经归档，如需查询请用 outreach storage restore {period}")
        for parent in PARENTS:
            await ensure_partition(conn, parent, period)


async def _tables(rt: Runtime) -> list[Table]:
    async with rt.db.begin() as conn:
        return [await _partitions(conn), await _archives(conn)]


async def _partitions(conn: Connection) -> Table:
    table = Table("月份", "表", title="库中的月份", title_justify="left")
    for header in ("约行数", "大小（MB）", "未结束的轮次"):
        table.add_column(header, justify="right")
    for one in await list_partitions(conn):
        found = await blockers_of(conn, one.period) if one.parent == "message" else None
        rows = f"{one.rows:,}" if one.rows >= 0 else "未统计"
        still = str(found.open_rounds) if found else ""
        table.add_row(str(one.period), one.parent, rows, f"{one.bytes / _MEBIBYTE:,.1f}", still)
    return table


async def _archives(conn: Connection) -> Table:
    table = Table("月份", "状态", "消息", "归档时间", "目录", title="已归档的月份", title_justify="left")
    for one in await list_archives(conn):
        state = "已移走" if one.is_away else "已恢复到库中"
        at = one.archived_at.strftime("%Y-%m-%d %H:%M")
        table.add_row(str(one.period), state, f"{one.messages:,}", at, one.folder)
    return table


def _summary(manifest: Manifest) -> str:
    files = [file for table in manifest.tables for file in table.files]
    size = sum(file.bytes for file in files) / _MEBIBYTE
    return (
        f"{manifest.table('message').rows:,} 条消息，{manifest.table('recipient').rows:,} 位接收人，"
        f"{len(manifest.rounds)} 个轮次，{len(files)} 个文件，{size:,.1f} MB"
    )
