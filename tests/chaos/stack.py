"""The processes of one run: whoever dies unasked is started again, as a supervisor would."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
from psycopg import Error as DatabaseError

from outreach.books import read_books
from outreach.config import Settings
from outreach.governance.vault import open_vault
from outreach.rehearsal import add_gateways, control_addresses, free_ports, plan_rehearsal, write_plan
from outreach.runtime import Runtime
from tests.chaos.ground import Tempo
from tests.chaos.kinds import Kind
from tests.chaos.mutants import Mutant
from tests.chaos.process import Part, begin

WORKERS = ("worker-1", "worker-2")
_START_SECONDS = 60.0
_STOP_SECONDS = 40.0

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Stack:
    """Running processes by name. `down`: those that a strike holds down; `died`: those that ended unasked;
    `clock_off`: seconds by which the second worker's clock is wrong; `launch` starts one on its host, by its
    name."""

    rt: Runtime
    kind: Kind
    mutant: Mutant | None
    plan: Path
    clock_off: float
    launch: Callable[[str, Part], BaseProcess]
    control: str = ""
    faults: dict[str, Any] = field(default_factory=dict)
    processes: dict[str, BaseProcess] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    died: list[str] = field(default_factory=list)

    def start(self, name: str) -> None:
        """Start a process, or start it again."""
        self.processes[name] = self.launch(
            name,
            Part(
                name.partition("-")[0],
                self.rt.settings,
                self.kind.name,
                self.mutant.name if self.mutant else "",
                self.rt.settings.var / f"{name}.log",
                self.plan,
                self.clock_off if name == WORKERS[1] else 0.0,
            ),
        )

    def owner(self, name: str) -> str:
        """As it stands in batch.owner."""
        return f"{socket.gethostname()}:{self.processes[name].pid}"

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process that may have just ended."""
        process = self.processes[name]
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, number)

    async def ended(self, name: str, seconds: float = _STOP_SECONDS) -> bool:
        """Wait until it has ended; killed after so many seconds."""
        process = self.processes[name]
        await asyncio.to_thread(process.join, seconds)
        if process.is_alive():
            process.kill()
            await asyncio.to_thread(process.join)
            return False
        return True

    def watch(self) -> None:
        """Start again what died without having been struck."""
        for name, process in list(self.processes.items()):
            if name not in self.down and not process.is_alive():
                self.died.append(f"{name}: {process.exitcode}")
                self.start(name)

    async def behave(self, **faults: Any) -> None:
        """Change how the gateway behaves."""
        content = orjson.dumps({**self.faults, **faults})

        async def post() -> httpx.Response:
            return await self.rt.http.post(f"{self.control}/_sim/faults", content=content)

        (await insist(post)).raise_for_status()

    async def booked(self) -> int:
        """How many messages the gateway has accepted."""
        answer = await self.rt.http.get(f"{self.control}/_sim/totals")
        return int(answer.json()["accepted"])

    async def ask(self, query: str, keys: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of the ledger, however long PostgreSQL is away."""
        while True:
            try:
                return await self.rt.db.fetch(query, keys)
            except (DatabaseError, OSError):
                await asyncio.sleep(0.1)

    async def books(self) -> list[dict[str, Any]]:
        """What the gateway has accepted."""
        return await insist(lambda: read_books(self.rt, self.control))

    async def is_caught(self) -> bool:
        """Whether the gateway holds two messages to one address; the campaign has one for each."""
        entries = await self.books()
        return len({entry["address"] for entry in entries}) < len(entries)

    async def stop(self) -> None:
        """End all of them."""
        for name in self.processes:
            self.signal(name, signal.SIGCONT)
            self.signal(name, signal.SIGTERM)
        await asyncio.gather(*(self.ended(name, 10.0) for name in self.processes))


async def insist(question: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask the gateway's control interface until it answers; raises what is wrong after a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return await question()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


@asynccontextmanager
async def staged(
    rt: Runtime,
    kind: Kind,
    count: int,
    mutant: Mutant | None,
    tempo: Tempo,
    clock_off: float,
    *,
    launch: Callable[[str, Part], BaseProcess] = lambda _, part: begin(part),
    ports: dict[str, int] | None = None,
) -> AsyncIterator[Stack]:
    """The gateway account, the gateway, web, scheduler and two workers. `launch`: where they are started, if
    not here; `ports` of the gateways there."""
    ports = ports or free_ports()
    quiet = mutant.quiet if mutant and mutant.quiet is not None else tempo.quiet
    ids = await add_gateways(rt, ports, rate=kind.most, quiet_seconds=quiet, timeout=tempo.timeout)
    await _fit_account(rt, kind, kind.allowance(count, tempo.sending), ids[kind.adapter])
    usual = {"slow_seconds": 1.5 * tempo.timeout, "late_seconds": tempo.late, **kind.faults}
    faults = usual | dict(mutant.faults if mutant else {})
    path = rt.settings.var / "plan.json"
    plan = await plan_rehearsal(rt, ports, ids, faults={kind.adapter: faults}, capable=1.0)
    write_plan(plan, path)
    resting = {"throttle": 0.0, "reject": 0.0, "late": 0.0, "receipts_before_answer": False}
    stack = Stack(rt, kind, mutant, path, clock_off, launch, faults=resting | faults)
    try:
        for name in ("gateways", "web", "scheduler", *WORKERS):
            stack.start(name)
        async with asyncio.timeout(_START_SECONDS):
            while not (controls := _controls(path)) or not _listens(rt.settings):
                await asyncio.sleep(0.05)
        stack.control = controls[kind.adapter]
        yield stack
    finally:
        await stack.stop()


async def _fit_account(rt: Runtime, kind: Kind, allowance: tuple[float, int], gateway_id: int) -> None:
    vault = open_vault(rt.settings)
    row = await rt.db.fetch_one("select config_enc from gateway where id = %(id)s", {"id": gateway_id})
    assert row is not None
    text = vault.decrypt("gateway", "config_enc", gateway_id, bytes(row["config_enc"]))
    config = orjson.dumps({**orjson.loads(text), **kind.config}).decode()
    keys = {
        "id": gateway_id,
        "config": vault.encrypt("gateway", "config_enc", gateway_id, config),
        "rate": allowance[0],
        "burst": allowance[1],
        "window": kind.window,
    }
    await rt.db.execute("update gateway set state = 'closed' where id <> %(id)s", {"id": gateway_id})
    await rt.db.execute(
        "update gateway set config_enc = %(config)s, rate = %(rate)s, burst = %(burst)s,"
        " window_size = %(window)s where id = %(id)s",
        keys,
    )


def _controls(plan: Path) -> dict[str, str]:
    # The file may be read in the moment in which it is written.
    try:
        return control_addresses(plan)
    except ValueError:
        return {}


def _listens(settings: Settings) -> bool:
    try:
        socket.create_connection((settings.host, settings.port), timeout=1).close()
    except OSError:
        return False
    return True
