"""Where rounds are played: simulated gateways, web process, scheduler and workers, each a process of its own
as in production; only the clock of business time stands still."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

import orjson

from campaigns.templates import save_template
from outreach.ports import unused_port
from outreach.processes import environment
from outreach.rehearsal import HOST, add_gateways, control_addresses, free_ports, plan_rehearsal, write_plan
from outreach.runtime import Runtime
from tests import town
from tests.bench.letter import LETTER
from tests.bench.meters import server_pids

ADAPTERS = {"sms": "aliyun_sms", "rcs": "fiveg_bot", "wechat": "wechat_official", "email": "email_smtp"}
_RATE = 1_000_000
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Running processes. `rt` has the address of the web process; `pids` are those of all but workers."""

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
    """Gateways of the channels, web and scheduler; the population must have been written before."""
    await town.set_clock(rt, town.START)
    await write_templates(rt)
    ports, port = free_ports(), unused_port()
    own = replace(rt, settings=rt.settings.model_copy(update={"port": port, "log_level": "WARNING"}))
    ids = await add_gateways(own, ports, rate=_RATE, quiet_seconds=900.0)
    plan_file = rt.settings.var / "rehearsal.json"
    write_plan(await plan_rehearsal(own, ports, ids, faults={}, capable=1.0), plan_file)
    names = ",".join(ADAPTERS[channel] for channel in channels)
    commands = {
        "gateways": ("gateways", str(plan_file), names),
        "web": ("web",),
        "scheduler": ("scheduler",),
    }
    with ExitStack() as stack:
        pids = {name: stack.enter_context(process(own, name, *command)) for name, command in commands.items()}
        async with asyncio.timeout(_START_SECONDS):
            while not (controls := control_addresses(plan_file)) or not listens(port):
                await asyncio.sleep(0.05)
        yield Stage(own, ids, controls, {**await server_pids(rt), **pids})


async def write_templates(rt: Runtime) -> None:
    """A template of code `remind` for each channel; the letter has 6 KB."""
    for channel, content in (town.CONTENT | {"email": LETTER}).items():
        await save_template(
            rt, "editor", code="remind", name="提醒", channel=channel, content=content, org_id=town.PROVINCE
        )


@contextmanager
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
async def serving(rt: Runtime) -> AsyncIterator[str]:
    """The web process alone; yields its address."""
    port = unused_port()
    told = {"port": port, "log_level": "ERROR", "secure_cookies": False}
    own = replace(rt, settings=rt.settings.model_copy(update=told))
    with process(own, "web", "web"):
        async with asyncio.timeout(_START_SECONDS):
            while not listens(port):
                await asyncio.sleep(0.05)
        yield f"http://{HOST}:{port}"


@asynccontextmanager
async def working(stage: Stage, count: int) -> AsyncIterator[dict[str, int]]:
    """So many workers, warm; yields their pids by name."""
    await stage.rt.db.execute("delete from worker")
    with ExitStack() as stack:
        names = [f"worker-{number + 1}" for number in range(count)]
        pids = {name: stack.enter_context(process(stage.rt, name, "worker")) for name in names}
        async with asyncio.timeout(_START_SECONDS):
            await all_at_work(stage.rt, count)
        yield pids


async def all_at_work(rt: Runtime, count: int) -> None:
    """Wait until so many workers have reported."""
    while (await rt.db.fetch_one("select count(*)::int as n from worker")) != {"n": count}:
        await asyncio.sleep(0.05)


def listens(port: int) -> bool:
    """Whether somebody answers at a port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
