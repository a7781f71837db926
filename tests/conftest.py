"""Fixtures: the project's own PostgreSQL and Valkey, started once per test process, and a database of its
own for every test, cloned from a migrated template."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from outreach.config import Settings
from outreach.db.migrate import migrate
from outreach.embedded import Servers, start_servers
from outreach.logs import configure_logs
from outreach.runtime import Runtime, close_runtime, open_runtime

_numbers = itertools.count(1)


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


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServers]:
    """PostgreSQL and Valkey from their wheels, on free ports, under a temporary folder."""
    configure_logs("WARNING", as_json=False)
    running: Servers = start_servers(Path(tmp_path_factory.mktemp("servers")))
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
    name = f"test_{next(_numbers)}"
    with psycopg.connect(servers.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template {servers.template}")
    yield dsn_for(servers.dsn, name)
    # As the superuser: an autovacuum worker in the database may be ended by nobody else.
    with psycopg.connect(servers.admin_dsn, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def settings(servers: TestServers, fresh_dsn: str, tmp_path: Path) -> Settings:
    """Settings of a process that uses the test's own database."""
    return Settings(
        database_url=fresh_dsn,
        redis_url=servers.redis_url,
        var=tmp_path,
        master_key=SecretStr("5f" * 32),
        secure_cookies=False,
    )


@pytest.fixture
async def rt(settings: Settings) -> AsyncIterator[Runtime]:
    """An open runtime on the test's own database; Valkey is emptied before."""
    runtime = await open_runtime(settings, name="test")
    await runtime.redis.flushall()
    yield runtime
    await close_runtime(runtime)
