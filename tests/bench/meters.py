"""CPU and memory of processes, read from /proc: which of them a figure is bound by."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from outreach.runtime import Runtime

_TICK = os.sysconf("SC_CLK_TCK")
_BUSY = (0, 1, 2, 5, 6, 7)
"""Columns of /proc/stat: user, nice, system, irq, softirq, steal."""


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds used so far by each named process with its children, and by the whole machine."""

    at: float
    cpu: Mapping[str, float]
    machine: float


@dataclass(frozen=True, slots=True)
class Split:
    """CPU seconds of each named process in a stretch of wall time, and of everything else."""

    seconds: float
    cpu: Mapping[str, float]
    others: float

    @property
    def cores(self) -> float:
        """Cores in use on average, by all named processes together."""
        return sum(self.cpu.values()) / self.seconds

    @property
    def foreign_cores(self) -> float:
        """Cores that something else on the machine kept busy: a figure taken beside it is too low."""
        return max(0.0, self.others / self.seconds)

    def micros(self, name: str, count: int) -> float:
        """Microseconds of CPU that a process spent per message."""
        return self.cpu[name] / count * 1e6


def read(pids: Mapping[str, int]) -> Reading:
    """CPU of the process trees below these pids, by name, and of this process as `bench`."""
    children = _children()
    cpu = {name: sum(map(_cpu, _tree(pid, children))) for name, pid in pids.items()}
    return Reading(time.monotonic(), {**cpu, "bench": _cpu(os.getpid())}, _machine())


def between(before: Reading, after: Reading) -> Split:
    """What was used from one reading to the next."""
    used = {name: after.cpu[name] - before.cpu[name] for name in after.cpu}
    others = after.machine - before.machine - sum(used.values())
    return Split(after.at - before.at, used, others)


def peak_megabytes(pid: int) -> float:
    """The largest resident set that a living process has had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


async def server_pids(rt: Runtime) -> dict[str, int]:
    """The process ids of PostgreSQL and Valkey, both on this machine."""
    row = await rt.db.fetch_one("select pg_backend_pid() as pid")
    info = await rt.redis.info("server")
    assert row is not None
    return {"postgres": _stat(row["pid"])[0], "valkey": int(info["process_id"])}


def _stat(pid: int) -> tuple[int, int]:
    # After the name, which may hold blanks: state, parent, … utime, stime and both of children that ended.
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15]))


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        try:
            children.setdefault(_stat(pid)[0], []).append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return children


def _tree(pid: int, children: Mapping[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _tree(child, children)


def _cpu(pid: int) -> float:
    try:
        return _stat(pid)[1] / _TICK
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _machine() -> float:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[column]) for column in _BUSY) / _TICK
