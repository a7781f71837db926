"""The processes that are killed. They are forked from one that has read the whole product already: a process
that is started anew fifteen times a run must not cost two seconds of reading each time.
"""

import asyncio
import ctypes
import multiprocessing
import os
import signal
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import uvloop

from channels.gateways.aliyun_sms.server import AliyunSmsSimulator
from outreach import rehearsal
from outreach.config import Settings
from outreach.ledger import breaker
from outreach.logs import configure_logs
from outreach.scheduler import main as run_scheduler
from outreach.web.server import main as run_web
from outreach.worker import main as run_worker
from tests.chaos.clocks import shift_clock
from tests.chaos.kinds import KINDS, declare
from tests.chaos.mutants import MUTANTS

_REPEAT_SCALE = 0.02
"""The provider repeats a push after 1, 5 and 10 minutes; a run has no such time."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a process of a run is: worker, scheduler, web or gateways. `log` is appended to; `plan` is that of
    the gateways; `clock_off`: seconds by which its host's clock is wrong."""

    role: str
    settings: Settings
    kind: str
    mutant: str
    log: Path
    plan: Path
    clock_off: float = 0.0


def begin(part: Part) -> BaseProcess:
    """Start a process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=play, args=(part,), daemon=True)
    process.start()
    return process


def play(part: Part) -> None:
    """Be a part of a run, in a process of its own, until it ends."""
    os.setsid()
    # prctl(PR_SET_PDEATHSIG): the processes of a killed driver end with it.
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    descriptor = os.open(part.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    declare(KINDS[part.kind])
    if part.clock_off:
        shift_clock(part.clock_off)
    settings = part.settings
    match part.role:
        case "worker":
            _hasten_breaker()
            if part.mutant:
                MUTANTS[part.mutant].alter()
            run_worker(settings)
        case "scheduler":
            run_scheduler(settings)
        case "web":
            run_web(settings)
        case "gateways":
            configure_logs(settings.log_level, settings.log_json)
            rehearsal.HOST = settings.host
            rehearsal.AliyunSmsSimulator = partial(AliyunSmsSimulator, repeat_scale=_REPEAT_SCALE)  # type: ignore[misc, assignment]
            uvloop.run(_run_gateways(part.plan, KINDS[part.kind].adapter))


def _hasten_breaker() -> None:
    # An account that pauses for minutes would be a run in which nothing is sent.
    for name, seconds in (("_FIRST_PAUSE", 0.5), ("_LONGEST_PAUSE", 3.0)):
        if not hasattr(breaker, name):
            raise LookupError(f"the breaker no longer has {name}")
        setattr(breaker, name, seconds)


async def _run_gateways(plan: Path, name: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await rehearsal.run_simulators(plan, stop, (name,))
