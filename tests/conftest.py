"""Fixtures: the project's own PostgreSQL and Valkey, started once per test process, and a database of its
own for every test, cloned from a migrated template."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from pydantic import SecretStr

from outreach.config import Settings
from outreach.db.migrate import migrate
from outreach.embedded import Servers, start_servers
from outreach.logs import configure_logs
from outreach.runtime import Runtime, close_runtime, open_runtime

# Examples are counted and not timed: 200 ms for one, a second for the first ten, is broken by any machine
# that stands still for a moment, whatever the code does.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")

_numbers = itertools.count(1)
# Tests end processes and not machines, so what was written is there; syncing each clone takes long.
_WITHOUT_SYNCING = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class TestServers:
    """Running servers and the name of the migrated template database."""

    __test__ = False
    dsn: str
    admin_dsn: str
    redis_url: str
    template: str


def dsn_for(dsn: str, database: str) -> str:
    """The same server, another database."""
    return psycopg.conninfo.make_conninfo(dsn, dbname=database)


@contextmanager
def database(servers: TestServers, name: str) -> Iterator[str]:
    """A migrated database of a name; yields its address, and it goes away afterwards."""
    with psycopg.connect(servers.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template {servers.template} strategy file_copy")
    try:
        yield dsn_for(servers.dsn, name)
    finally:
        # As the superuser: an autovacuum worker in the database may be ended by nobody else.
        with psycopg.connect(servers.admin_dsn, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServers]:
    """PostgreSQL and Valkey from their wheels, on free ports, under a temporary folder."""
    configure_logs("WARNING", as_json=False)
    running: Servers = start_servers(
        Path(tmp_path_factory.mktemp("servers")), postgres_settings=_WITHOUT_SYNCING
    )
    try:
        with psycopg.connect(running.dsn, autocommit=True) as connection:
            connection.execute("create database outreach_template")
        asyncio.run(migrate(dsn_for(running.dsn, "outreach_template")))
        yield TestServers(running.dsn, running.postgres.admin_dsn, running.redis_url, "outreach_template")
    finally:
        running.stop()


@pytest.fixture
def fresh_dsn(servers: TestServers) -> Iterator[str]:
    """The address of an empty, migrated database that goes away after the test."""
    with database(servers, f"test_{next(_numbers)}") as dsn:
        yield dsn


def settings_of(servers: TestServers, dsn: str, folder: Path, **more: Any) -> Settings:
    """Settings of a process that uses one database."""
    return Settings(
        database_url=dsn,
        redis_url=servers.redis_url,
        var=folder,
        master_key=SecretStr("5f" * 32),
        secure_cookies=False,
        **more,
    )


@asynccontextmanager
async def runtime_on(servers: TestServers, name: str, folder: Path, **more: Any) -> AsyncIterator[Runtime]:
    """An open runtime on a database of its own, for what several tests look at."""
    with database(servers, name) as dsn:
        rt = await open_runtime(settings_of(servers, dsn, folder, **more), name=name)
        try:
            yield rt
        finally:
            await close_runtime(rt)


@pytest.fixture
def settings(servers: TestServers, fresh_dsn: str, tmp_path: Path) -> Settings:
    """Settings of a process that uses the test's own database."""
    return settings_of(servers, fresh_dsn, tmp_path)


@pytest.fixture
async def rt(settings: Settings) -> AsyncIterator[Runtime]:
    """An open runtime on the test's own database; Valkey is emptied before."""
    runtime = await open_runtime(settings, name="test")
    await runtime.redis.flushall()
    yield runtime
    await close_runtime(runtime)
