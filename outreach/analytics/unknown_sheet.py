"""The unknown set as a file and as tables for the terminal; addresses are masked in both."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from outreach.analytics.unknown import (
    Choice,
    UnknownCount,
    UnknownMessage,
    count_unknown,
    list_unknown,
    path_of,
)
from outreach.analytics.unknown_reasons import CHANNELS
from outreach.clock import in_beijing
from outreach.imports.report import formula_safe
from outreach.runtime import Runtime

_HEAD = (
    "消息编号", "轮次", "级", "渠道", "网关", "联系方式（已遮盖）", "机构", "原因和下一步", "网关代码",
    "首次未知", "已尝试次数", "回执期限", "已过期限",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnknownSet:
    """The sums of a choice, and its first messages."""

    counts: Sequence[UnknownCount]
    rows: Sequence[UnknownMessage]


async def read_unknown(
    rt: Runtime, *, round_id: int | None, campaign_id: int | None, org_id: int, limit: int
) -> UnknownSet:
    """The unknown set of a round or campaign within a unit. Raises NotFound for a unit that is not there."""
    async with rt.db.begin() as conn:
        choice = Choice(await path_of(conn, org_id), campaign_id=campaign_id, round_id=round_id)
        counts = await count_unknown(conn, choice)
    return UnknownSet(counts, await list_unknown(rt, choice, limit=limit))


def unknown_csv(rows: Sequence[UnknownMessage]) -> bytes:
    """UTF-8 with a byte order mark, so that Excel opens it; what Excel would compute gets an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(_HEAD)
    for row in rows:
        cells = (
            row.id,
            row.round_id,
            row.step + 1,
            CHANNELS[row.channel],
            row.gateway,
            row.address,
            row.org_name,
            row.reason,
            row.code or "",
            f"{in_beijing(row.at):%Y-%m-%d %H:%M:%S}",
            row.tries,
            f"{in_beijing(row.deadline):%Y-%m-%d %H:%M}",
            "是" if row.is_overdue else "否",
        )
        writer.writerow([formula_safe(str(cell)) for cell in cells])
    return buffer.getvalue().encode("utf-8-sig")


def unknown_tables(found: UnknownSet, limit: int) -> list[Table]:
    """The sums by account and reason, and the first messages themselves."""
    title = f"结果未知 {sum(count.n for count in found.counts):,} 条"
    sums = Table("网关", "原因", "条数", "已过回执期限", title=title, title_justify="left")
    for count in found.counts:
        sums.add_row(count.gateway, count.reason.word, f"{count.n:,}", f"{count.overdue:,}")
    lines = Table("编号", "联系方式", "网关", "原因和下一步", "首次未知")
    for row in found.rows[:limit]:
        lines.add_row(
            str(row.id), row.address, row.gateway, row.reason, f"{in_beijing(row.at):%Y-%m-%d %H:%M}"
        )
    return [sums, lines]
