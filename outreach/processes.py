"""One command for all processes: servers, web, workers, scheduler, and simulated gateways if wanted.

Each runs as a child; one that dies is started again after a pause that grows. The servers are those of the
settings, or ours under `var/`.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from outreach.config import Settings
from outreach.embedded import Servers, start_servers
from outreach.logs import get_log

_STOP_SECONDS = 25.0
_LONGEST_PAUSE = 30.0


@dataclass(slots=True)
class Child:
    """A process of ours: the words of its command, its log, when it may be started again."""

    name: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class Stack:
    """Everything that `outreach up` runs."""

    settings: Settings
    servers: Servers | None = None
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, *command: str) -> Child:
        """Start one more child: `outreach COMMAND…` with the stack's settings."""
        child = Child(name, command)
        self.children.append(child)
        self._launch(child)
        return child

    def watch(self) -> None:
        """Start again what has died: a server of ours, or a child. Called now and then."""
        if self.servers is not None and self.servers.revive():
            get_log().warning("server.revived")
        for child in self.children:
            if child.process is None or child.process.poll() is None:
                continue
            if child.not_before == 0.0:
                child.deaths += 1
                child.not_before = time.monotonic() + min(_LONGEST_PAUSE, 0.2 * 2.0**child.deaths)
                get_log().warning("process.died", process=child.name, code=child.process.returncode)
            elif time.monotonic() >= child.not_before:
                child.not_before = 0.0
                self._launch(child)

    def stop(self) -> None:
        """End all children, in the order that settles what they hold, then the servers of ours."""
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self.children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        if self.servers is not None:
            self.servers.stop()

    def _launch(self, child: Child) -> None:
        logs = self.settings.var / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{child.name}.log").open("ab") as log:
            child.process = subprocess.Popen(
                [sys.executable, "-m", "outreach.cli", *child.command],
                env={**os.environ, **environment(self.settings)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )


def _end_with_parent() -> None:
    # prctl(PR_SET_PDEATHSIG): a child of a killed parent gets SIGTERM and settles what it holds.
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as a child reads them."""
    values = settings.model_dump()
    values["master_key"] = settings.master_key.get_secret_value()
    return {f"OUTREACH_{name.upper()}": str(value) for name, value in values.items()}


def start_stack(settings: Settings) -> Stack:
    """The servers: those of the settings, or ours under `var/`; no children yet."""
    if settings.database_url and settings.redis_url:
        return Stack(settings)
    servers = start_servers(settings.var)
    reached = settings.model_copy(
        update={
            "database_url": settings.database_url or servers.dsn,
            "redis_url": settings.redis_url or servers.redis_url,
        }
    )
    return Stack(reached, servers)


def start_services(stack: Stack, *, workers: int = 1) -> None:
    """Web, workers and scheduler."""
    stack.start("web", "web")
    for number in range(workers):
        stack.start(f"worker-{number + 1}", "worker")
    stack.start("scheduler", "scheduler")
