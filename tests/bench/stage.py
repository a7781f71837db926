"""Where rounds are played: simulated gateways, a receiver of their pushes, a scheduler and workers, each a
process of its own, as in production; only the clock of business time stands still."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from campaigns.templates import save_template
from outreach.processes import environment
from outreach.rehearsal import (
    HOST,
    add_gateways,
    control_addresses,
    free_ports,
    plan_rehearsal,
    write_plan,
)
from outreach.runtime import Runtime
from tests import town
from tests.bench.letter import LETTER
from tests.bench.meters import server_pids

ADAPTERS = {
    "sms": "aliyun_sms",
    "rcs": "fiveg_bot",
    "wechat": "wechat_official",
    "email": "email_smtp",
}
_RATE = 1_000_000
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Running processes. `rt` has the address of the receiver; `pids` are those of everything but workers."""

    rt: Runtime
    gateways: Mapping[str, int]
    controls: Mapping[str, str]
    pids: Mapping[str, int]

    async def behave(self, channel: str, **faults: float) -> None:
        """Change how the channel's gateway behaves (`Faults`)."""
        control = self.controls[ADAPTERS[channel]]
        answer = await self.rt.http.post(f"{control}/_sim/faults", content=orjson.dumps(faults))
        answer.raise_for_status()


@asynccontextmanager
async def staged(rt: Runtime, channels: Sequence[str]) -> AsyncIterator[Stage]:
    """Gateways of the channels, receiver and scheduler; the population must have been written before."""
    await town.set_clock(rt, town.START)
    await write_templates(rt)
    folder, ports, port = rt.settings.var, free_ports(), _free_port()
    settings = rt.settings.model_copy(update={"port": port, "log_level": "WARNING"})
    own = replace(rt, settings=settings)
    ids = await add_gateways(own, ports, rate=_RATE, quiet_seconds=900.0)
    plan_file = folder / "rehearsal.json"
    write_plan(await plan_rehearsal(own, ports, ids, faults={}, capable=1.0), plan_file)
    names = ",".join(ADAPTERS[channel] for channel in channels)
    commands = {
        "gateways": ("gateways", str(plan_file), names),
        "receiver": ("hooks", str(port)),
        "scheduler": ("scheduler",),
    }
    with contextlib.ExitStack() as stack:
        pids = {name: stack.enter_context(process(own, name, *command)) for name, command in commands.items()}
        controls = await _controls(plan_file)
        yield Stage(own, ids, controls, {**await server_pids(rt), **pids})


async def write_templates(rt: Runtime) -> None:
    """A template of code `remind` for each channel; the letter has 6 KB."""
    for channel, content in (town.CONTENT | {"email": LETTER}).items():
        await save_template(
            rt, "editor", code="remind", name="提醒", channel=channel, content=content, org_id=town.PROVINCE
        )


@contextlib.contextmanager
def process(rt: Runtime, name: str, *command: str) -> Iterator[int]:
    """A process of tests/bench/process.py; yields its pid, ends it afterwards."""
    with (rt.settings.var / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.process", *command],
            env={**os.environ, **environment(rt.settings)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(25)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@asynccontextmanager
async def working(stage: Stage, count: int) -> AsyncIterator[dict[str, int]]:
    """So many workers, warm; yields their pids by name."""
    await stage.rt.db.execute("delete from worker")
    with contextlib.ExitStack() as stack:
        names = [f"worker-{number + 1}" for number in range(count)]
        pids = {name: stack.enter_context(process(stage.rt, name, "worker")) for name in names}
        async with asyncio.timeout(_START_SECONDS):
            while (await stage.rt.db.fetch_one("select count(*)::int as n from worker")) != {"n": count}:
                await asyncio.sleep(0.05)
        yield pids


async def _controls(plan: Path) -> dict[str, str]:
    async with asyncio.timeout(_START_SECONDS):
        while not (controls := control_addresses(plan)):
            await asyncio.sleep(0.05)
    return controls


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port
