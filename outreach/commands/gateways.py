"""`outreach gateways`: the simulated gateways."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from outreach.commands.running import complaining, console
from outreach.config import load_settings
from outreach.logs import configure_logs
from outreach.rehearsal import NAMES, run_alone, run_simulators

app = typer.Typer()


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

    with complaining():
        uvloop.run(serve())
