"""Plays the season: starts everything, loads the city, moves business time, checks the sums at the end."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
import uvloop
from rich.console import Console

from outreach.analytics.report import CampaignReport, campaign_report
from outreach.analytics.tables import reach_table
from outreach.books import Comparison, books_table, compare_books
from outreach.config import Settings
from outreach.db.migrate import migrate
from outreach.demo.city import load_city
from outreach.demo.rounds import before_season, play_rounds
from outreach.demo.stage import Stage, open_stage
from outreach.demo.statements import issue_bills
from outreach.errors import Unavailable
from outreach.labels.cache import SetCache
from outreach.ledger.audit import RoundAudit, audit_everything
from outreach.ports import is_unused, unused_port
from outreach.processes import Stack, start_services, start_stack
from outreach.rehearsal import control_addresses
from outreach.runtime import Runtime, close_runtime, open_runtime

_DATABASE = "outreach_demo"
_REDIS_DATABASE = "9"
_DROP_TRIES = 20
_PATIENCE = 90
"""Seconds that the processes may take to come up, on a machine that others use as well."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """As given on the command line. `ends`: stop after the table instead of staying up."""

    taxpayers: int
    seed: int
    ends: bool
    json: Path | None
    workers: int


@dataclass(slots=True)
class Stopwatch:
    """Seconds of each phase, measured."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        begun = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - begun, 2)


def play(settings: Settings, options: DemoOptions, console: Console) -> bool:
    """Play the whole season; whether every sum agrees and the books equal the ledger."""
    watch = Stopwatch()
    with watch.phase("start"):
        console.print("[bold]1/5[/bold] 启动数据库与队列", highlight=False)
        stack = start_stack(settings)
    try:
        with watch.phase("start"):
            stack.settings = _fresh(stack.settings)
        agrees = uvloop.run(_season(stack, options, watch, console))
        if not options.ends:
            _stay(stack, console)
        return agrees
    finally:
        stack.stop()


def _fresh(settings: Settings) -> Settings:
    """An empty database of its own on the same server, and a free port: a demo never touches real data."""
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        _drop(connection)
        connection.execute(f"create database {_DATABASE}")
    return settings.model_copy(
        update={
            "database_url": psycopg.conninfo.make_conninfo(settings.database_url, dbname=_DATABASE),
            "redis_url": f"{settings.redis_url.rstrip('/').removesuffix('/0')}/{_REDIS_DATABASE}",
            "port": _free_port(settings.host, settings.port),
            "secure_cookies": False,
            "tick_seconds": 0.5,
            "lease_seconds": 30.0,
        }
    )


def _drop(connection: psycopg.Connection[Any]) -> None:
    # An autovacuum worker may be at work in the last demo's database; it leaves when it is asked to.
    for _ in range(_DROP_TRIES):
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            connection.execute(f"drop database if exists {_DATABASE} with (force)")
            return
        time.sleep(0.5)
    raise Unavailable(f"上一次演示的数据库 {_DATABASE} 正在使用，请先结束上一次演示")


def _free_port(host: str, wanted: int) -> int:
    if is_unused(wanted, host):
        return wanted
    try:
        return unused_port(host)
    except OSError:
        raise Unavailable(f"{host} 上没有可用的端口") from None


async def _season(stack: Stack, options: DemoOptions, watch: Stopwatch, console: Console) -> bool:
    await migrate(stack.settings.database_url)
    rt = await open_runtime(stack.settings, name="demo")
    try:
        await rt.redis.flushdb()
        with watch.phase("city"):
            console.print("[bold]2/5[/bold] 生成并导入样例城市", highlight=False)
            city = await load_city(rt, options.taxpayers, options.seed, console)
        with watch.phase("services"):
            console.print("[bold]3/5[/bold] 启动网站、工作进程、调度和四个仿真网关", highlight=False)
            # Before the campaign is signed, or its rounds are over by the machine's clock.
            await before_season(rt)
            stage = await open_stage(rt, city, stack.settings.var / "rehearsal.json")
            start_services(stack, workers=options.workers)
            stack.start("gateways", "gateways", "--plan", str(stage.plan))
            await _come_up(rt, stack, stage.plan)
        console.print("[bold]4/5[/bold] 四轮提醒，按日历快进", highlight=False)
        await play_rounds(rt, stage, watch, options.seed, console)
        with watch.phase("bills"):
            console.print("[bold]5/5[/bold] 计算年度账单", highlight=False)
            link = await issue_bills(rt, stage, console)
        return await _conclude(rt, stack, stage, link, watch, options, console)
    finally:
        await close_runtime(rt)


async def _come_up(rt: Runtime, stack: Stack, plan: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        stack.watch()
        with contextlib.suppress(Exception):
            answer = await rt.http.get(f"{rt.settings.base_url}/healthz")
            beating = await rt.db.fetch_one("select 1 as one from worker limit 1")
            if answer.status_code < 500 and beating and len(control_addresses(plan)) == 4:
                return
        await asyncio.sleep(0.1)
    raise Unavailable(f"服务没有在 {_PATIENCE} 秒内就绪，请查看 {stack.settings.var / 'logs'} 下的日志")


async def _conclude(
    rt: Runtime,
    stack: Stack,
    stage: Stage,
    link: str,
    watch: Stopwatch,
    options: DemoOptions,
    console: Console,
) -> bool:
    with watch.phase("proof"):
        report = await campaign_report(rt, SetCache(), stage.campaign_id, stage.city.root)
        audits = await audit_everything(rt)
        books = await compare_books(rt, control_addresses(stage.plan))
    for table in (*reach_table(report), books_table(books)):
        console.print(table)
    _print_proof(audits, books, watch, console)
    _print_links(rt, stage, link, console)
    if options.json is not None:
        figures = _figures(report, books, watch)
        options.json.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    return all(audit.agrees for audit in audits) and all(book.equal for book in books)


def _print_proof(
    audits: list[RoundAudit], books: list[Comparison], watch: Stopwatch, console: Console
) -> None:
    checks = [check for audit in audits for check in audit.checks]
    wrong = [check for check in checks if not check.agrees]
    mark = "[green]全部一致[/green]" if not wrong else f"[red]{len(wrong)} 项不一致[/red]"
    console.print(f"核对 {len(checks)} 项恒等式：{mark}", highlight=False)
    equal = all(book.equal for book in books)
    mark = "[green]逐条相等[/green]" if equal else "[red]有差异[/red]"
    console.print(f"仿真网关的账与台账：{mark}", highlight=False)
    phases = "，".join(f"{name} {seconds:.1f}" for name, seconds in watch.seconds.items())
    console.print(f"用时（秒）：{phases}；合计 {sum(watch.seconds.values()):.1f}", highlight=False)


def _print_links(rt: Runtime, stage: Stage, link: str, console: Console) -> None:
    base = rt.settings.base_url
    console.print(f"\n控制台    {base}/console/", highlight=False)
    console.print(f"登录      {stage.login} / {stage.password}", highlight=False)
    console.print(f"一户账单  {link}", highlight=False)
    sms = control_addresses(stage.plan).get("aliyun_sms", "")
    console.print(f"验证码由仿真短信网关收下，见 {sms}/_sim/books?after=0 末尾\n", highlight=False)


def _figures(report: CampaignReport, books: list[Comparison], watch: Stopwatch) -> dict[str, Any]:
    return {
        "rounds": [
            {
                "name": part.name,
                "audience": part.audience,
                "exclusions": part.exclusions,
                "planned": part.planned,
                "messages": part.messages,
                "outcomes": {state.name.lower(): count for state, count in part.outcomes.items()},
                "acted": part.acted,
            }
            for part in report.rounds
        ],
        "books_equal": all(book.equal for book in books),
        "seconds": watch.seconds,
    }


def _stay(stack: Stack, console: Console) -> None:
    console.print("按 Ctrl-C 结束。", highlight=False)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(0.5)
            stack.watch()
