"""Gateways, web, worker and scheduler in one process, for the short form: read once instead of four times.

python -m tests.season.together PLAN
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
import uvloop

from outreach.config import Settings, load_settings
from outreach.logs import configure_logs
from outreach.processes import environment
from outreach.rehearsal import run_simulators
from outreach.runtime import Runtime, close_runtime, open_runtime
from outreach.scheduler import run_scheduler
from outreach.web.app import close_app, create_app
from outreach.worker import run_worker

_STOP_SECONDS = 25


@contextmanager
def all_in_one(rt: Runtime, plan: Path) -> Iterator[None]:
    """The process, ended afterwards; what it says goes to a log beside the plan."""
    with plan.with_name("together.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.season.together", str(plan)],
            env={**os.environ, **environment(rt.settings)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def _main(settings: Settings, plan: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    web, worker, scheduler = [
        await open_runtime(settings, name=one) for one in ("web", "worker", "scheduler")
    ]
    app = create_app(web)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_config=None, access_log=False, lifespan="off"
    )
    async with asyncio.TaskGroup() as group:
        for one in (run_simulators(plan, stop), run_worker(worker, stop), run_scheduler(scheduler, stop)):
            group.create_task(one)
        await uvicorn.Server(config).serve()
        stop.set()
    await close_app(app)
    for rt in (web, worker, scheduler):
        await close_runtime(rt)


if __name__ == "__main__":
    # prctl(PR_SET_PDEATHSIG): whoever is killed leaves nothing behind.
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    _settings = load_settings()
    configure_logs(_settings.log_level, _settings.log_json)
    uvloop.run(_main(_settings, Path(sys.argv[1])))
