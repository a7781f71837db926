"""`outreach demo`: a season in time-lapse."""

from pathlib import Path
from typing import Annotated

import typer

from outreach.commands.running import complaining, console, interruptible
from outreach.config import load_settings
from outreach.demo.play import DemoOptions, play
from outreach.logs import configure_logs

app = typer.Typer()


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
    with complaining(), interruptible():
        agrees = play(settings, DemoOptions(taxpayers, seed, exit, json, workers), console)
    if not agrees:
        raise typer.Exit(1)
