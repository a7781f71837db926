"""Processes of the embedded servers, seen through /proc (Linux).

A process id alone proves nothing, it may have been given to another program since. A server of ours is
recognised by its working directory, which PostgreSQL and Valkey both set to their data directory.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from outreach.errors import Unavailable

_LAUNCHER = Path(__file__).with_name("launch.py")


def launch(identity: str, command: Sequence[str], log: Path) -> int:
    """Start a server that outlives us if need be; returns its process id.

    Raises Unavailable when it cannot even be started.
    """
    done = _run_launcher(identity, "detach", command, log)
    if done.returncode != 0:
        raise Unavailable("内置服务无法启动：" + _last_line(done.stderr), program=command[0])
    return int(done.stdout)


def run(identity: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end under the identity; the caller looks at the return code."""
    return _run_launcher(identity, "run", command, Path(os.devnull))


def _run_launcher(
    identity: str, mode: str, command: Sequence[str], log: Path
) -> subprocess.CompletedProcess[str]:
    # A bare environment: PGDATA, PGOPTIONS or a foreign locale would change what the server does.
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, "-I", "-S", str(_LAUNCHER), identity, mode, str(log), *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["?"])[-1]


def exists(pid: int) -> bool:
    """Whether a process of this id runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def is_alive(pid: int, directory: Path) -> bool:
    """Whether this process runs in this directory."""
    try:
        return exists(pid) and Path(os.readlink(f"/proc/{pid}/cwd")) == directory.resolve()
    except OSError:
        return False


def processes_in(directory: Path) -> list[int]:
    """All live processes that work in the directory."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if is_alive(pid, directory)]


def send_signal(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have just ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_until_gone(pids: Sequence[int], directory: Path, seconds: float) -> bool:
    """Wait for processes to end; False if one still runs after so many seconds."""
    deadline = time.monotonic() + seconds
    while any(is_alive(pid, directory) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def log_tail(log: Path, offset: int = 0, lines: int = 5) -> str:
    """The last lines that a server wrote behind the offset (bytes)."""
    with suppress(OSError), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(offset, size - 8192))
        return "\n".join(file.read().decode("utf-8", "replace").strip().splitlines()[-lines:])
    return ""
