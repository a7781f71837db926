"""The command line, for technicians and scripts: `outreach --help`.

Commands that work on data use the servers of the settings, or those that `outreach up` runs under `var/`.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from outreach import scheduler as scheduler_process
from outreach import worker as worker_process
from outreach.analytics.report import campaign_report
from outreach.analytics.stalls import RoundProgress, round_progress
from outreach.analytics.tables import reach_table
from outreach.analytics.unknown_sheet import read_unknown, unknown_csv, unknown_tables
from outreach.books import books_table, compare_books
from outreach.cli_findings import add_scan
from outreach.cli_service import evidence_commands
from outreach.cli_statements import statement_commands
from outreach.cli_storage import add_quarantine, storage_commands
from outreach.clock import in_beijing
from outreach.config import Settings, load_settings
from outreach.db.migrate import migrate as apply_migrations
from outreach.demo.play import DemoOptions, play
from outreach.embedded import start_servers
from outreach.errors import OutreachError
from outreach.importing import KINDS as IMPORT_KINDS
from outreach.importing import import_file
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import count as count_segment
from outreach.labels.explain import Explanation
from outreach.labels.explain import explain as explain_segment
from outreach.ledger.audit import RoundAudit, audit_everything, audit_round
from outreach.ledger.pace_log import LoggedChange, list_changes
from outreach.logs import configure_logs
from outreach.processes import start_services, start_stack
from outreach.rehearsal import NAMES, control_addresses, run_alone, run_simulators
from outreach.runtime import Runtime, close_runtime, open_runtime
from outreach.sample.generate import generate
from outreach.setup import ensure_first_use
from outreach.web import server as web_process

app = typer.Typer(no_args_is_help=True, help="税务触达平台 Outreach", pretty_exceptions_enable=False)
segment = typer.Typer(no_args_is_help=True, help="人群表达式")
app.add_typer(segment, name="segment")

console = Console()
_MOST_UNKNOWN = 100_000
Result = TypeVar("Result")


@contextmanager
def _reached(settings: Settings) -> Iterator[Settings]:
    """The settings with servers that answer: given ones, or ours, joined or started."""
    if settings.database_url and settings.redis_url:
        yield settings
        return
    servers = start_servers(settings.var)
    try:
        yield settings.model_copy(update={"database_url": servers.dsn, "redis_url": servers.redis_url})
    finally:
        servers.stop()


def _run(work: Callable[[Runtime], Awaitable[Result]]) -> Result:
    settings = load_settings()
    configure_logs("WARNING", settings.log_json)

    async def inside(reached: Settings) -> Result:
        await apply_migrations(reached.database_url)
        rt = await open_runtime(reached, name="cli")
        try:
            return await work(rt)
        finally:
            await close_runtime(rt)

    try:
        with _reached(settings) as reached:
            return uvloop.run(inside(reached))
    except OutreachError as error:
        console.print(f"[red]{error.message}[/red]（{error.code}）", highlight=False)
        raise typer.Exit(1) from None


@app.command()
def up(workers: Annotated[int, typer.Option(help="工作进程数")] = 1) -> None:
    """启动全部服务：数据库、队列、网站、工作进程、调度。按 Ctrl-C 停止。"""
    settings = load_settings()
    configure_logs("WARNING", as_json=False)
    stack = start_stack(settings)
    try:
        uvloop.run(_first_use(stack.settings))
        start_services(stack, workers=workers)
        console.print(f"控制台：{stack.settings.base_url}/console/", highlight=False)
        with _interruptible():
            while True:
                time.sleep(0.5)
                stack.watch()
    except KeyboardInterrupt:
        console.print("正在停止……")
    finally:
        stack.stop()


async def _first_use(settings: Settings) -> None:
    await apply_migrations(settings.database_url)
    rt = await open_runtime(settings, name="setup")
    try:
        password = await ensure_first_use(rt)
    finally:
        await close_runtime(rt)
    if password:
        console.print(
            f"首次使用：登录名 [bold]admin[/bold]，口令 [bold]{password}[/bold]（只显示这一次）",
            highlight=False,
        )


@contextmanager
def _interruptible() -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    yield


@app.command()
def demo(
    taxpayers: Annotated[int, typer.Option(help="样例城市的纳税人户数")] = 100_000,
    seed: Annotated[int, typer.Option(help="随机种子")] = 2026,
    exit: Annotated[bool, typer.Option("--exit", help="打印结果后结束，不继续运行")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="把结果写成 JSON 文件")] = None,
    workers: Annotated[int, typer.Option(help="工作进程数")] = 1,
) -> None:
    """一分钟看完一个汇算季：样例城市、四轮提醒、回执、账单、报告。"""
    settings = load_settings()
    configure_logs("ERROR", as_json=False)
    try:
        with _interruptible():
            agrees = play(settings, DemoOptions(taxpayers, seed, exit, json, workers), console)
    except OutreachError as error:
        console.print(f"[red]{error.message}[/red]（{error.code}）", highlight=False)
        raise typer.Exit(1) from None
    if not agrees:
        raise typer.Exit(1)


@app.command()
def web() -> None:
    """网站进程。"""
    web_process.main(load_settings())


@app.command()
def worker() -> None:
    """工作进程。"""
    worker_process.main(load_settings())


@app.command()
def scheduler() -> None:
    """调度进程。"""
    scheduler_process.main(load_settings())


@app.command()
def gateways(
    plan: Annotated[Path, typer.Option(help="演练计划文件，由演示或培训环境写出")] = Path(
        "var/rehearsal.json"
    ),
    only: Annotated[str, typer.Option(help="只启动这些网关，用逗号分隔")] = ",".join(NAMES),
    port: Annotated[int, typer.Option(help="不用计划文件，在此端口单独启动一个网关，如 cmpp")] = 0,
) -> None:
    """仿真网关：各运营商和平台的真实协议，只收不发。"""
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_json)

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if port:
            await run_alone(only, port, stop, console.print)
        else:
            await run_simulators(plan, stop, tuple(only.split(",")))

    try:
        uvloop.run(serve())
    except OutreachError as error:
        console.print(f"[red]{error.message}[/red]（{error.code}）", highlight=False)
        raise typer.Exit(1) from None


@app.command()
def migrate() -> None:
    """更新数据库结构。"""
    settings = load_settings()
    configure_logs(settings.log_level, as_json=False)
    with _reached(settings) as reached:
        applied = asyncio.run(apply_migrations(reached.database_url))
    console.print(f"已执行 {len(applied)} 个更新", highlight=False)


@app.command("import")
def import_(
    kind: Annotated[str, typer.Argument(help="、".join(IMPORT_KINDS))],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    mapping: Annotated[str, typer.Option(help="已保存的列对应关系的名称")] = "",
) -> None:
    """导入 CSV 或 Excel 文件；有问题的行写入报告，不影响其他行。"""

    async def work(rt: Runtime) -> None:
        with _bar() as bar:
            task = bar.add_task(f"导入 {file.name}", total=None)

            def show(done: int, total: int | None) -> None:
                bar.update(task, completed=done, total=total)

            report = await import_file(rt, kind, file, by="cli", mapping=mapping or None, progress=show)
        console.print(
            f"读取 {report.read} 行：有效 {report.good}，问题 {report.bad}；"
            f"新增 {report.new}，变更 {report.changed}，无变化 {report.same}",
            highlight=False,
        )
        if report.bad:
            console.print(f"问题行报告：{report.errors_path}", highlight=False)

    _run(work)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


@segment.command()
def count(expression: str, org: Annotated[int, typer.Option(help="机构编号")] = 1) -> None:
    """有多少户符合表达式。"""
    found = _run(lambda rt: count_segment(rt, SetCache(), expression, org))
    console.print(f"{found:,} 户", highlight=False)


@segment.command()
def explain(expression: str, taxpayer: int, org: Annotated[int, typer.Option(help="机构编号")] = 1) -> None:
    """一户为什么符合，或为什么不符合。"""
    explanation = _run(lambda rt: explain_segment(rt, SetCache(), expression, org, taxpayer))
    _show_explanation(explanation, 0)


def _show_explanation(node: Explanation, depth: int) -> None:
    mark = "✔" if node.holds else "✘"
    source = f"（{node.origin.source}）" if node.origin else ""
    console.print(f"{'  ' * depth}{mark} {node.sentence}{source}", highlight=False)
    for child in node.children:
        _show_explanation(child, depth + 1)


@app.command()
def report(campaign: int, org: Annotated[int, typer.Option(help="机构编号")] = 1) -> None:
    """一个活动的触达报告。"""
    found = _run(lambda rt: campaign_report(rt, SetCache(), campaign, org))
    for table in reach_table(found):
        console.print(table)


@app.command()
def audit(round_id: Annotated[int | None, typer.Argument(help="轮次编号；省略则核对全部")] = None) -> None:
    """重新清点一轮或全部轮次，逐项核对报表的数。"""

    async def work(rt: Runtime) -> list[RoundAudit]:
        return [await audit_round(rt, round_id)] if round_id else await audit_everything(rt)

    audits = _run(work)
    for found in audits:
        table = Table("核对项", "左", "右", "", title=f"{found.round_id} {found.name}", title_justify="left")
        for check in found.checks:
            mark = "[green]一致[/green]" if check.agrees else "[red]不一致[/red]"
            table.add_row(check.name, f"{check.left:,}", f"{check.right:,}", mark)
        console.print(table)
    if not all(found.agrees for found in audits):
        raise typer.Exit(1)


@app.command()
def why(round_id: Annotated[int, typer.Argument(help="轮次编号")]) -> None:
    """一轮为什么没动：真实原因按影响大小排列，每条附处理办法。"""

    async def work(rt: Runtime) -> RoundProgress:
        async with rt.db.begin() as conn:
            return await round_progress(conn, round_id)

    found = _run(work)
    console.print(f"等待发出 {found.waiting:,} 条，尚未编批 {found.uncut:,} 户", highlight=False)
    if found.finish_at:
        console.print(f"预计 {in_beijing(found.finish_at):%Y-%m-%d %H:%M} 发完", highlight=False)
    for number, stall in enumerate(found.stalls, 1):
        console.print(f"{number}. {stall.text}\n   {stall.advice}", highlight=False)


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
    found = _run(lambda rt: read_unknown(rt, round_id=round_id, campaign_id=campaign, org_id=org, limit=most))
    for table in unknown_tables(found, limit):
        console.print(table)
    if file:
        file.write_bytes(unknown_csv(found.rows))
        console.print(f"已写入 {file}，{len(found.rows):,} 条", highlight=False)


@app.command("gateways-log")
def gateways_log(
    gateway: Annotated[int | None, typer.Argument(help="网关编号；省略则全部")] = None,
    limit: Annotated[int, typer.Option(help="最多几条")] = 50,
) -> None:
    """网关熔断、恢复、权重和改道的记录，最新的在前，每条带原因。"""

    async def work(rt: Runtime) -> list[LoggedChange]:
        async with rt.db.begin() as conn:
            return await list_changes(conn, gateway_id=gateway, limit=limit)

    table = Table("时间", "网关", "变化", "原因")
    for change in _run(work):
        table.add_row(f"{in_beijing(change.at):%Y-%m-%d %H:%M:%S}", change.gateway, change.what, change.text)
    console.print(table)


@app.command()
def books(plan: Annotated[Path, typer.Option(help="演练计划文件")] = Path("var/rehearsal.json")) -> None:
    """仿真网关的账与台账逐条核对。"""
    found = _run(lambda rt: compare_books(rt, control_addresses(plan)))
    console.print(books_table(found))
    if not all(row.equal for row in found):
        raise typer.Exit(1)


@app.command()
def sample(
    folder: Path,
    taxpayers: Annotated[int, typer.Option(help="户数")] = 100_000,
    seed: Annotated[int, typer.Option(help="随机种子")] = 2026,
) -> None:
    """生成一座虚构城市的数据文件（GBK、Excel、UTF-8 都有）。"""
    manifest = generate(folder, taxpayers, seed)
    console.print(f"已生成到 {folder}：{manifest}", highlight=False)


app.add_typer(storage_commands(_run, console), name="storage")
add_quarantine(app, _run, console)
app.add_typer(statement_commands(_run, console), name="statements")
app.add_typer(evidence_commands(_run, console), name="evidence")
add_scan(app, _run, console)

if __name__ == "__main__":
    app()
