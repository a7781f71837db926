"""PostgreSQL and Valkey from their wheels: the whole product with one command and nothing installed.

    servers = start_servers(Path("var"))
    servers.dsn, servers.redis_url
    servers.stop()

Several processes may start the servers of one directory: the first starts them, the others join, the last
one that leaves stops them. A process that is killed leaves them running for the next one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from outreach.embedded.postgres import PostgresServer, start_postgres
from outreach.embedded.valkey import ValkeyServer, start_valkey

__all__ = ["PostgresServer", "Servers", "ValkeyServer", "start_postgres", "start_servers", "start_valkey"]


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers; `dsn` is for psycopg, `redis_url` for redis-py and arq."""

    postgres: PostgresServer
    valkey: ValkeyServer

    @property
    def dsn(self) -> str:
        """Conninfo of the application's database."""
        return self.postgres.dsn

    @property
    def redis_url(self) -> str:
        """URL of Valkey with its password."""
        return self.valkey.url

    def revive(self) -> bool:
        """Start again whichever has died (out of memory, killed); True if one had. Raises Unavailable."""
        dead = [server for server in (self.postgres, self.valkey) if server.pid is None]
        for server in dead:
            server.start()
        return bool(dead)

    def stop(self) -> None:
        """Stop using both."""
        self.valkey.stop()
        self.postgres.stop()


def start_servers(
    var: Path,
    *,
    postgres_settings: Mapping[str, str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Servers:
    """Start both under `var/postgres` and `var/valkey`; blocks until they answer. Raises Unavailable."""
    postgres = start_postgres(var / "postgres", settings=postgres_settings, progress=progress)
    try:
        return Servers(postgres, start_valkey(var / "valkey", progress=progress))
    except BaseException:
        postgres.stop()
        raise
