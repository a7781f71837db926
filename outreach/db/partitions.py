"""Tables by month: which there are, how one is made, how one goes.

A period is a month, yyyymm. A month's table leaves at once, not row by row: nothing is left to vacuum.
"""

from dataclasses import dataclass

from psycopg import sql

from outreach.db.pool import Connection
from outreach.db.sql import load_queries

SQL = load_queries(__file__)

PARENTS = ("message", "recipient", "receipt_inbox")
"""What is kept by month."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One month of one table. `rows` as the server last counted them, -1: never; `bytes` with indexes."""

    parent: str
    name: str
    period: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its type in PostgreSQL's words."""

    name: str
    type: str


async def list_partitions(conn: Connection) -> list[Partition]:
    """Every month of every table, oldest first."""
    return [Partition(**row) for row in await (await conn.execute(SQL["partitions"])).fetchall()]


async def ensure_partition(conn: Connection, parent: str, period: int) -> None:
    """Make a month's table if it is not there."""
    await conn.execute(SQL["ensure"], {"parent": parent, "period": period})


async def has_partition(conn: Connection, parent: str, period: int) -> bool:
    """Whether the month's table is there."""
    return any((one.parent, one.period) == (parent, period) for one in await list_partitions(conn))


async def columns_of(conn: Connection, table: str) -> list[Column]:
    """The columns of a table in their order; empty if there is none of this name."""
    rows = await (await conn.execute(SQL["columns"], {"table": table})).fetchall()
    return [Column(**row) for row in rows]


async def drop_partition(conn: Connection, parent: str, period: int) -> None:
    """Detach a month's table and drop it. Its rows are gone with the caller's transaction.

    For a moment this needs the parent alone: set `lock_timeout`, or everybody queues behind a long query.
    """
    table = sql.Identifier(partition_name(parent, period))
    detach = sql.SQL("alter table {} detach partition {}").format(sql.Identifier(parent), table)
    await conn.execute(detach)
    await conn.execute(sql.SQL("drop table {}").format(table))


def partition_name(parent: str, period: int) -> str:
    """What `ensure_period` calls the month's table."""
    return f"{parent}_{period}"


def months_between(earlier: int, later: int) -> int:
    """How many months `later` is after `earlier`; negative if before."""
    return (later // 100 - earlier // 100) * 12 + later % 100 - earlier % 100


def month_after(period: int) -> int:
    """The next month."""
    return period + 1 if period % 100 < 12 else (period // 100 + 1) * 100 + 1


def is_period(number: int) -> bool:
    """Whether a number is a month, yyyymm, of this millennium's centuries."""
    return 200001 <= number <= 299912 and 1 <= number % 100 <= 12
