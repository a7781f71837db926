"""The connection pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[dict[str, Any]]


async def _configure(connection: Connection) -> None:
    await connection.execute("set timezone = 'Asia/Shanghai'")
    await connection.commit()


class Database:
    """A pool whose connections return rows as dictionaries; each `begin` is one transaction."""

    def __init__(self, dsn: str, *, size: int = 8, name: str = "outreach") -> None:
        self.dsn = dsn
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=size,
            open=False,
            kwargs={"row_factory": dict_row, "application_name": name},
            configure=_configure,
            check=AsyncConnectionPool.check_connection,
        )

    async def open(self) -> None:
        """Connect. Raises psycopg's PoolTimeout when the server does not answer within 30 s."""
        await self._pool.open(wait=True, timeout=30)

    async def close(self) -> None:
        """Give all connections back."""
        await self._pool.close()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """A connection inside one transaction: committed at the end, rolled back by an exception."""
        async with self._pool.connection() as connection:
            yield connection

    async def fetch(self, query: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of one query in a transaction of its own."""
        async with self.begin() as connection:
            return await (await connection.execute(query, params)).fetchall()

    async def fetch_one(self, query: str, params: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The first row, or None."""
        async with self.begin() as connection:
            return await (await connection.execute(query, params)).fetchone()

    async def execute(self, query: str, params: dict[str, Any] | None = None) -> int:
        """Run one statement in a transaction of its own; the number of rows it touched."""
        async with self.begin() as connection:
            return (await connection.execute(query, params)).rowcount
