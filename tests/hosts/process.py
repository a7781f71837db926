"""The processes of the hosts. They are forked from one that has read the whole product already: five that
read it at once would cost a small machine half a minute.
"""

import asyncio
import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

from outreach import rehearsal
from outreach.config import Settings
from outreach.logs import configure_logs
from outreach.scheduler import main as run_scheduler
from outreach.web.server import main as run_web
from outreach.worker import main as run_worker
from tests.hosts.net import Host

ROLES = {"web": run_web, "worker": run_worker, "scheduler": run_scheduler}


def begin(host: Host, role: str, settings: Settings, log: Path, plan: Path) -> BaseProcess:
    """Start a worker, scheduler, web process or the gateways on a host; `log` is appended to."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_main, args=(host, role, settings, log, plan), daemon=True)
    process.start()
    return process


def _main(host: Host, role: str, settings: Settings, log: Path, plan: Path) -> None:
    os.setsid()
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with host.inside():
        if role == "gateways":
            configure_logs("WARNING", as_json=False)
            asyncio.run(_run_gateways(settings.host, plan))
        else:
            ROLES[role](settings)


async def _run_gateways(address: str, plan: Path) -> None:
    rehearsal.HOST = address
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await rehearsal.run_simulators(plan, stop, ("aliyun_sms",))
