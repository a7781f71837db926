"""A process of the product, started without the command line's own imports: a bench starts many.

python -m tests.bench.process worker | scheduler | web | gateways PLAN NAME[,NAME]
"""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from outreach.config import load_settings
from outreach.logs import configure_logs
from outreach.rehearsal import run_simulators
from outreach.scheduler import main as run_scheduler
from outreach.web.server import main as run_web
from outreach.worker import main as run_worker


async def _run_gateways(plan: Path, names: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_simulators(plan, stop, tuple(names.split(",")))


def main(name: str, *arguments: str) -> None:
    """Run one process until SIGTERM."""
    settings = load_settings()
    match name:
        case "worker":
            run_worker(settings)
        case "scheduler":
            run_scheduler(settings)
        case "web":
            run_web(settings)
        case "gateways":
            configure_logs(settings.log_level, settings.log_json)
            uvloop.run(_run_gateways(Path(arguments[0]), arguments[1]))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
