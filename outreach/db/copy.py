"""Binary COPY: how large sets enter PostgreSQL (a multiple of any other way, docs/decisions)."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from outreach.db.pool import Connection


async def copy_rows(
    conn: Connection, table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]
) -> int:
    """Write rows into a table; `columns` are pairs of name and PostgreSQL type. Returns how many."""
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(",").join(sql.Identifier(name) for name, _ in columns),
    )
    count = 0
    async with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([kind for _, kind in columns])
        for row in rows:
            await copy.write_row(row)
            count += 1
    return count
