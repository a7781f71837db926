"""What a process holds while it runs, wired on the top floor and handed down."""

from dataclasses import dataclass
from datetime import datetime

import httpx
from redis.asyncio import Redis

from outreach.config import Settings
from outreach.db.pool import Database


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings and connections of one process."""

    settings: Settings
    db: Database
    redis: Redis
    http: httpx.AsyncClient

    async def now(self) -> datetime:
        """Business time (outreach/clock.py), from the database, so that all processes agree."""
        row = await self.db.fetch_one("select business_now() as now")
        assert row is not None
        moment: datetime = row["now"]
        return moment


async def open_runtime(settings: Settings, *, name: str = "outreach") -> Runtime:
    """Connect to PostgreSQL and Valkey. Raises what the clients raise if they do not answer."""
    database = Database(settings.database_url, size=settings.pool_size, name=name)
    await database.open()
    redis = Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5)
    return Runtime(settings, database, redis, httpx.AsyncClient(timeout=10, trust_env=False))


async def close_runtime(rt: Runtime) -> None:
    """Close what `open_runtime` opened."""
    await rt.http.aclose()
    await rt.redis.aclose()
    await rt.db.close()
