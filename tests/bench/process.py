"""A process of a bench, with the settings of the environment.

    python -m tests.bench.process worker | scheduler | hooks PORT | gateways PLAN NAME[,NAME]
"""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from channels.gateways.base import HttpServer
from outreach.config import load_settings
from outreach.ledger.gateways import Fleet
from outreach.ledger.receipts import ReceiptDesk
from outreach.logs import configure_logs
from outreach.rehearsal import HOST, run_simulators
from outreach.runtime import close_runtime, open_runtime
from outreach.scheduler import main as run_scheduler
from outreach.worker import main as run_worker
from tests.town import _hook


async def _gateways(plan: Path, names: str) -> None:
    await run_simulators(plan, _stop_signal(), tuple(names.split(",")))


async def _hooks(port: int) -> None:
    settings, stop = load_settings(), _stop_signal()
    rt = await open_runtime(settings, name="hooks")
    desk = ReceiptDesk(rt, Fleet(rt))
    server = HttpServer(_hook(desk))
    await server.start(HOST, port)
    await stop.wait()
    await server.stop()
    await desk.close()
    await close_runtime(rt)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def main(name: str, *arguments: str) -> None:
    """Run one process until SIGTERM."""
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_json)
    match name:
        case "worker":
            run_worker(settings)
        case "scheduler":
            run_scheduler(settings)
        case "hooks":
            uvloop.run(_hooks(int(arguments[0])))
        case "gateways":
            uvloop.run(_gateways(Path(arguments[0]), arguments[1]))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
