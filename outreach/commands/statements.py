"""The commands for documents: `outreach statements --help`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from outreach.clock import in_beijing
from outreach.commands.running import complaining, run, tell, tell_progress
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime
from outreach.statements.due import parse_deadline
from outreach.statements.export import Beside, Wish, export_documents
from outreach.statements.issue import issue_documents
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.leaflets import leaflet, render_leaflet, topics_in
from outreach.statements.links import revoke_campaign

_KINDS = "；".join(f"{kind.name} {kind.title}" for kind in DOCUMENT_KINDS.values())

Kind = Annotated[str, typer.Option("--kind", help=f"文书种类：{_KINDS}")]
Year = Annotated[int, typer.Option("--year", help="年度，如 2025")]
Org = Annotated[int, typer.Option("--org", help="机构编号，含下级机构")]
Processes = Annotated[int, typer.Option("--processes", help="同时计算的进程数")]

app = typer.Typer(no_args_is_help=True, help="文书：出具、导出、明白纸")


@app.command()
def issue(
    year: Year,
    org: Org,
    kind: Kind = "yearly_bill",
    reason: Annotated[str, typer.Option("--reason", help="更正原因，写给内容有变化的户")] = "",
    deadline: Annotated[
        list[str] | None,
        typer.Option("--deadline", help="按公布的通知填写的申报截止日，如 202610=2026-10-26，可多次填写"),
    ] = None,
    processes: Processes = 1,
) -> None:
    """为一个机构的所有户出具文书；内容没有变化的户不产生新版本。"""
    with complaining():
        deadlines = dict(map(parse_deadline, deadline or ()))
    made = run(
        lambda rt: issue_documents(
            rt,
            kind,
            year,
            scope_org_id=org,
            by="cli",
            reason=reason,
            deadlines=deadlines,
            processes=processes,
            progress=tell_progress,
        )
    )
    tell(
        f"{made.households:,} 户：出具 {made.documents:,} 份（其中更正 {made.corrections:,} 份），"
        f"未变 {made.unchanged:,} 户，无内容 {made.empty:,} 户；含优惠 {made.benefits:,} 项"
    )


@app.command("revoke-links")
def revoke_links(
    campaign: Annotated[int, typer.Option("--campaign", help="活动编号")],
    reason: Annotated[str, typer.Option("--reason", help="为什么作废，写进审计日志")],
) -> None:
    """作废一个活动发出的所有账单链接；打开的人看到的页面与过期的一样。"""
    count = run(lambda rt: _revoke(rt, campaign, reason))
    tell(f"已作废 {count:,} 个链接")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="导出目录；同一目录再次执行会接着做完")],
    year: Year,
    org: Org,
    kind: Kind = "yearly_bill",
    round_: Annotated[int | None, typer.Option("--round", help="只导出这一轮次名单中的户")] = None,
    merged: Annotated[bool, typer.Option("--merged", help="每包合并成一个 PDF，便于打印")] = False,
    mongolian: Annotated[
        Beside,
        typer.Option("--mongolian", help="蒙古文标题：none 不加；readers 只给使用蒙古文的户；all 每份都加"),
    ] = "none",
    large: Annotated[
        Beside,
        typer.Option("--large", help="大字版：none 不用；readers 只给老年人和特殊关怀的户；all 每份都用"),
    ] = "none",
    processes: Processes = 1,
) -> None:
    """按主管机构分包导出 PDF，每包附目录，用于邮寄或到厅领取。"""
    wish = Wish(kind, year, org, round_, merged, mongolian, large)
    made = run(
        lambda rt: export_documents(
            rt,
            folder,
            wish,
            by="cli",
            processes=processes,
            progress=lambda n, of: tell(f"{n:,} / {of:,}"),
        )
    )
    tell(f"{made.documents:,} 份文书，{made.bundles:,} 包（其中 {made.kept:,} 包此前已完成）：{folder}")


@app.command()
def leaflets(
    folder: Annotated[Path, typer.Argument(help="导出目录")],
    month: Annotated[int, typer.Option("--month", help="月份，如 202603；省略则为本月")] = 0,
    mongolian: Annotated[bool, typer.Option("--mongolian", help="加蒙古文标题")] = False,
    large: Annotated[bool, typer.Option("--large", help="大字版")] = False,
) -> None:
    """把执行中的优惠按主题写成明白纸（PDF）。"""
    names = run(lambda rt: _write_leaflets(rt, folder, month, mongolian, large))
    tell(f"{len(names)} 份明白纸：{folder}")


async def _write_leaflets(rt: Runtime, folder: Path, month: int, mongolian: bool, large: bool) -> list[str]:
    wanted = month or _month_of(await rt.now())
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for topic in topics_in(wanted):
        one = leaflet(topic, wanted)
        name = f"{one.title}_{wanted}.pdf"
        body = render_leaflet(one, rt.settings.signature, mongolian=mongolian, large=large)
        (folder / name).write_bytes(body)
        names.append(name)
    return names


def _month_of(now: datetime) -> int:
    here = in_beijing(now)
    return here.year * 100 + here.month


async def _revoke(rt: Runtime, campaign_id: int, reason: str) -> int:
    count = await revoke_campaign(rt, campaign_id)
    async with rt.db.begin() as conn:
        detail = {"links": count, "reason": reason}
        await append_audit(conn, "cli", "links.revoke", f"campaign:{campaign_id}", detail)
    return count
