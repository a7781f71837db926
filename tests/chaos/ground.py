"""Where runs are played: servers of our own, which may be killed, and a template database with the people."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from campaigns.templates import save_template
from outreach.config import Settings
from outreach.db.migrate import migrate
from outreach.embedded import Servers, start_postgres, start_valkey
from outreach.embedded.processes import processes_in
from outreach.ports import unused_port
from outreach.runtime import Runtime, close_runtime, open_runtime
from tests import town
from tests.bench.population import settle

TEMPLATE = "chaos_template"


@dataclass(frozen=True, slots=True)
class Tempo:
    """Seconds: lease, request time-out, the rest of an unknown outcome, which covers both and the latest
    acceptance of the gateway (`late`), and how long it takes to send everything at the account's rate."""

    lease: float = 4.0
    timeout: float = 1.0
    quiet: float = 7.0
    late: float = 1.4
    sending: float = 9.0

    @property
    def sleep(self) -> float:
        """How long a worker may be frozen: it may have been about to send, when its lease was good for a
        request still, and what it sends may be accepted late; nobody may ask before that."""
        return self.timeout + self.quiet - self.late


BRISK = Tempo(lease=2.5, timeout=0.7, quiet=4.2, late=0.9, sending=4.0)
STEADY = Tempo(lease=7.0, timeout=0.7, quiet=9.0, late=0.9, sending=4.0)
CALM = Tempo(lease=60.0, timeout=30.0, quiet=80.0, late=1.0, sending=6.0)
"""For `make test`: the short one, where an unknown outcome is found out; the one where it is not, so that no
lease may run out because the machine stands still for some seconds; and one in which nothing runs out."""
SOAK = Tempo(sending=1500.0)
"""A million messages for about an hour: what is struck costs more than half of the time."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Running servers and how many people live in the template database."""

    servers: Servers
    folder: Path
    people: int
    tempo: Tempo

    def settings(self, database: str, folder: Path) -> Settings:
        """The settings of all processes of a run."""
        return Settings(
            database_url=make_conninfo(self.servers.dsn, dbname=database),
            redis_url=self.servers.redis_url,
            var=folder,
            master_key=SecretStr("5f" * 32),
            secure_cookies=False,
            port=unused_port(),
            lease_seconds=self.tempo.lease,
            tick_seconds=0.2,
            log_level="WARNING",
        )

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[Settings]:
        """A fresh database with its people, and Valkey empty; both gone afterwards."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        clone(self.servers.postgres.admin_dsn, name)
        try:
            yield self.settings(name, folder)
        finally:
            self.servers.revive()
            drop(self.servers.postgres.admin_dsn, name)

    def kill_postgres(self) -> None:
        """kill -9 of the postmaster and all its children at once."""
        pid = self.servers.postgres.pid
        if pid is not None:
            home = Path(os.readlink(f"/proc/{pid}/cwd"))
            for one in [pid, *processes_in(home)]:
                _kill(one)

    def kill_valkey(self) -> None:
        """kill -9."""
        pid = self.servers.valkey.pid
        if pid is not None:
            _kill(pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@asynccontextmanager
async def prepared(
    folder: Path, people: int, tempo: Tempo, postgres: Mapping[str, str] | None = None
) -> AsyncIterator[Ground]:
    """Start the servers and write the template database; `postgres` are parameters over the usual ones."""
    database = await asyncio.to_thread(start_postgres, folder / "postgres", settings=postgres or {})
    valkey = await asyncio.to_thread(start_valkey, folder / "valkey")
    servers = Servers(database, valkey)
    ground = Ground(servers, folder, people, tempo)
    try:
        await write_template(servers.dsn, ground.settings(TEMPLATE, folder), people)
        yield ground
    finally:
        servers.revive()
        servers.stop()


async def write_template(dsn: str, settings: Settings, people: int) -> None:
    """The database that the runs' own are cloned from; `settings` name it, `dsn` another one beside it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE}")
    rt = await open_runtime(settings, name="chaos")
    try:
        await migrate(rt.settings.database_url)
        await _populate(rt, people)
    finally:
        await close_runtime(rt)


def clone(admin_dsn: str, name: str) -> None:
    """Make a fresh database with the people."""
    drop(admin_dsn, name)
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE} owner outreach")


def drop(admin_dsn: str, name: str) -> None:
    """Take it away, whoever is connected."""
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")


async def _populate(rt: Runtime, people: int) -> None:
    await settle(rt, people, 0)
    for channel, content in town.CONTENT.items():
        await save_template(
            rt, "editor", code="remind", name="提醒", channel=channel, content=content, org_id=town.PROVINCE
        )
    await town.set_clock(rt, town.START)
