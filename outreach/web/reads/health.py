"""Is everything at work: live workers, and the accounts with what waits for them."""

from dataclasses import dataclass
from typing import Any

from outreach.analytics.stalls import ALIVE
from outreach.db.pool import Connection
from outreach.db.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Health:
    """What a duty officer asks first. `gateways` are rows that hold their own `backlog` of messages."""

    workers: int
    gateways: list[dict[str, Any]]

    @property
    def backlog(self) -> int:
        """Messages that wait in open batches."""
        return sum(row["backlog"] for row in self.gateways)

    @property
    def good(self) -> bool:
        """Somebody works, and no channel is without an open account."""
        return self.workers > 0 and all(row["state"] == "active" for row in self.gateways)


async def health_of(conn: Connection) -> Health:
    """Live workers and the accounts with what waits for them."""
    gateways = await (await conn.execute(_SQL["gateways"])).fetchall()
    return Health(await workers_alive(conn), gateways)


async def workers_alive(conn: Connection) -> int:
    """How many workers have given a sign of life."""
    row = await (await conn.execute(_SQL["workers"], {"alive": ALIVE})).fetchone()
    return int(row["n"]) if row else 0


async def unknown_messages(conn: Connection, path: str) -> int:
    """Messages of the scope whose outcome nobody can tell yet."""
    row = await (await conn.execute(_SQL["unknown"], {"path": path})).fetchone()
    return int(row["n"]) if row else 0
