"""What a process holds while it runs, wired on the top floor and handed down."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

from outreach.config import Settings
from outreach.db.pool import Database
from outreach.errors import InvalidInput

_SENTINEL = "redis+sentinel"
_SENTINEL_PORT = 26379
_VALKEY_SECONDS = 5.0
_SENTINEL_SECONDS = 1.0


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
    redis = open_valkey(settings.redis_url)
    return Runtime(settings, database, redis, httpx.AsyncClient(timeout=10, trust_env=False))


def open_valkey(url: str) -> Redis:
    """A client of Valkey, by its own address or by that of its sentinels:

        redis+sentinel://[[user]:password@]host:port[,host:port…]/name[/db][?sentinel_password=…]

    A connection that breaks, or whose server has become a replica, asks the sentinels for the primary anew.
    The time-outs hold for every connection, also arq's, which shares this pool. Raises InvalidInput.
    """
    parts = urlsplit(url)
    if parts.scheme != _SENTINEL:
        client: Redis = Redis.from_url(
            url, socket_timeout=_VALKEY_SECONDS, socket_connect_timeout=_VALKEY_SECONDS
        )
        return client
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    name, _, number = parts.path.strip("/").partition("/")
    if not (hosts and name and (number or "0").isdigit()):
        raise InvalidInput(
            "OUTREACH_REDIS_URL 应形如 redis+sentinel://主机:端口,主机:端口/名称/0", field="redis_url"
        )
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [_address(host) for host in hosts.split(",")],
        sentinel_kwargs={
            "socket_timeout": _SENTINEL_SECONDS,
            "socket_connect_timeout": _SENTINEL_SECONDS,
            "password": parse_qs(parts.query).get("sentinel_password", [None])[0],
        },
        socket_timeout=_VALKEY_SECONDS,
        socket_connect_timeout=_VALKEY_SECONDS,
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(number or 0),
    )
    primary: Redis = sentinels.master_for(name)
    return primary


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":")
    return (name, int(port)) if name and port.isdigit() else (host, _SENTINEL_PORT)


async def close_runtime(rt: Runtime) -> None:
    """Close what `open_runtime` opened."""
    await rt.http.aclose()
    await rt.redis.aclose()
    pool = rt.redis.connection_pool
    await pool.disconnect()
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()
    await rt.db.close()
