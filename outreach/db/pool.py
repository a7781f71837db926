"""The connection pool."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import NoneType
from typing import Any

import numpy as np
from psycopg import AsyncConnection, Error
from psycopg.rows import dict_row
from psycopg.types.array import ListDumper
from psycopg_pool import AsyncConnectionPool

from outreach.db.arrays import IntsDumper

Connection = AsyncConnection[dict[str, Any]]

_FRESH_SECONDS = 1.0


_QUOTED = str.maketrans({'"': '\\"', "\\": "\\\\"})


class _Lists(ListDumper):
    """Lists of integers and of texts in one go, many times as fast as one element after the other: of the
    first, Python's own notation is PostgreSQL's but for the brackets."""

    def dump(self, obj: list[Any]) -> Any:
        kinds = set(map(type, obj))
        if kinds == {int}:
            return f"{{{str(obj)[1:-1]}}}".encode()
        if kinds and kinds <= {str, NoneType}:
            whole = ",".join(["NULL" if text is None else f'"{text.translate(_QUOTED)}"' for text in obj])
            if "\0" not in whole:
                return f"{{{whole}}}".encode()
        return super().dump(obj)


class _Connection(AsyncConnection[dict[str, Any]]):
    """Knows when it was last used: one that has just served need not be asked whether it still does."""

    used_at = float("-inf")


async def _configure(connection: Connection) -> None:
    connection.adapters.register_dumper(list, _Lists)
    connection.adapters.register_dumper(np.ndarray, IntsDumper)
    await connection.execute("set timezone = 'Asia/Shanghai'")
    await connection.commit()


async def _check(connection: _Connection) -> None:
    if time.monotonic() - connection.used_at > _FRESH_SECONDS:
        await AsyncConnectionPool.check_connection(connection)


class Database:
    """A pool whose connections return rows as dictionaries; each `begin` is one transaction."""

    def __init__(self, dsn: str, *, size: int = 8, name: str = "outreach") -> None:
        self.dsn = dsn
        self._pool: AsyncConnectionPool[_Connection] = AsyncConnectionPool(
            dsn,
            connection_class=_Connection,
            min_size=1,
            max_size=size,
            open=False,
            kwargs={"row_factory": dict_row, "application_name": name},
            configure=_configure,
            check=_check,
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
            connection.used_at = time.monotonic()

    async def fetch(self, query: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of one query in a transaction of its own."""
        async with self._alone() as connection:
            return await (await connection.execute(query, params)).fetchall()

    async def fetch_one(self, query: str, params: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The first row, or None."""
        async with self._alone() as connection:
            return await (await connection.execute(query, params)).fetchone()

    async def execute(self, query: str, params: dict[str, Any] | None = None) -> int:
        """Run one statement in a transaction of its own; the number of rows it touched."""
        async with self._alone() as connection:
            return (await connection.execute(query, params)).rowcount

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        # A single statement is a transaction without BEGIN and COMMIT, which cost two round trips.
        async with self._pool.connection() as connection:
            await connection.set_autocommit(True)
            try:
                yield connection
            finally:
                try:
                    await connection.set_autocommit(False)
                except Error:
                    # Broken, or cut off inside its statement: the pool replaces what is closed.
                    await connection.close()
            connection.used_at = time.monotonic()
