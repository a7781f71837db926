"""`outreach unknown`: messages of which nobody knows whether they arrived."""

from pathlib import Path
from typing import Annotated

import typer

from outreach.analytics.unknown_sheet import read_unknown, unknown_csv, unknown_tables
from outreach.commands.running import console, run, tell

_MOST_UNKNOWN = 100_000

app = typer.Typer()


@app.command()
def unknown(
    round_id: Annotated[int | None, typer.Option("--round", help="轮次编号")] = None,
    campaign: Annotated[int | None, typer.Option(help="活动编号")] = None,
    org: Annotated[int, typer.Option(help="机构编号")] = 1,
    limit: Annotated[int, typer.Option(help="最多列出几条")] = 50,
    file: Annotated[Path | None, typer.Option("--csv", help="把全部名单写成 CSV 文件，号码已遮盖")] = None,
) -> None:
    """结果未知的消息：按网关和原因的条数，逐条的原因、下一步和回执期限。"""
    if round_id is None and campaign is None:
        raise typer.BadParameter("请给出 --round 或 --campaign")
    most = _MOST_UNKNOWN if file else limit
    found = run(lambda rt: read_unknown(rt, round_id=round_id, campaign_id=campaign, org_id=org, limit=most))
    for table in unknown_tables(found, limit):
        console.print(table)
    if file:
        file.write_bytes(unknown_csv(found.rows))
        tell(f"已写入 {file}，{len(found.rows):,} 条")
