"""A PostgreSQL server whose options a test chooses: a standby, or one that other hosts reach by TCP.

The product's own server listens on a Unix socket alone and waits until it takes writes; neither fits here.
"""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from outreach.embedded import PostgresServer, processes
from outreach.embedded.identity import Identity, choose_identity, place_programs
from outreach.embedded.tuning import tuned_settings

PORT = "5432"
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory, the folder of its socket, and the options of its command line."""

    data: Path
    socket: Path
    options: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()

    @property
    def identity(self) -> Identity:
        """Whose server it is."""
        return choose_identity(self.data)

    def dsn(self, user: str, database: str) -> str:
        """Where it is reached on this machine."""
        return psycopg.conninfo.make_conninfo(host=str(self.socket), port=PORT, user=user, dbname=database)

    @property
    def admin(self) -> str:
        """The superuser's."""
        return self.dsn("postgres", "postgres")

    @property
    def pid(self) -> int:
        """Its postmaster; 0 if it does not run."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except FileNotFoundError:
            return 0
        return pid if processes.is_alive(pid, self.data) else 0

    def start(self) -> None:
        """Start it and wait until it answers, also one that takes no writes."""
        settings = {
            **tuned_settings(),
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": f'"{self.socket}"',
        }
        given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*self.prefix, str(programs(self.data) / "postgres"), "-D", str(self.data), *given]
        processes.launch(self.identity.launch, [*command, *self.options], self.data.with_suffix(".log"))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                psycopg.connect(self.admin).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it and all its children, by default without a word."""
        for pid in processes.processes_in(self.data):
            processes.send_signal(pid, number)
        processes.wait_until_gone(processes.processes_in(self.data), self.data, _PATIENCE_SECONDS)
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def programs(data: Path) -> Path:
    """The folder of PostgreSQL's programs."""
    return place_programs(choose_identity(data))


def primary_of(server: PostgresServer) -> Cluster:
    """A server of the product as a cluster, to be copied or killed."""
    host = psycopg.conninfo.conninfo_to_dict(server.admin_dsn)["host"]
    return Cluster((server.directory / "data").resolve(), Path(str(host)))


def make_standby(primary: Cluster, folder: Path, options: Sequence[str] = ()) -> Cluster:
    """A copy of a running primary that follows it asynchronously; not yet started."""
    socket = folder / "socket"
    socket.mkdir(parents=True, mode=0o700)
    standby = Cluster(folder / "data", socket, tuple(options))
    command = [
        str(programs(primary.data) / "pg_basebackup"),
        *("--host", str(primary.socket), "--port", PORT, "--username", "postgres"),
        *("--pgdata", str(standby.data), "--wal-method", "stream", "--checkpoint", "fast"),
        "--write-recovery-conf",
    ]
    identity = primary.identity
    if identity.foreign:
        for path in (folder, socket):
            os.chown(path, identity.uid, identity.gid)
    done = processes.run(identity.launch, command)
    assert done.returncode == 0, done.stderr
    return standby


def catch_up(primary: Cluster, standby: Cluster) -> None:
    """Wait until the standby has all that the primary has committed."""
    with psycopg.connect(primary.admin) as source:
        (goal,) = source.execute("select pg_current_wal_flush_lsn()").fetchone() or ("",)
    with psycopg.connect(standby.admin, autocommit=True) as copy:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        query = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
        while not (copy.execute(query, (goal,)).fetchone() or (False,))[0]:
            assert time.monotonic() < deadline, "the standby does not follow"
            time.sleep(0.02)


def part(standby: Cluster) -> None:
    """From here on the standby gets nothing more, and the primary does not notice."""
    with psycopg.connect(standby.admin, autocommit=True) as copy:
        copy.execute("alter system set primary_conninfo = ''")
        copy.execute("select pg_reload_conf()")
        while copy.execute("select from pg_stat_wal_receiver").fetchone() is not None:
            time.sleep(0.02)


def promote(standby: Cluster) -> None:
    """The standby becomes the primary, with what it has."""
    with psycopg.connect(standby.admin, autocommit=True) as copy:
        copy.execute("select pg_promote(true, 60)")
