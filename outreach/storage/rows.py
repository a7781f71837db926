"""The PostgreSQL side of an archive: rows out as CSV, rows in, and their digest (manifest.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from outreach.db.partitions import Column
from outreach.db.pool import Connection
from outreach.storage.kinds import kinds_of
from outreach.storage.parquet import NULL

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A table of an archive: files are cut by the column `piece`, rows stand in the order of `order`.

    `leaves`: its rows are dropped once they are archived; otherwise the files hold a copy.
    """

    name: str
    piece: str
    order: tuple[str, ...]
    leaves: bool


SOURCES = (
    Source("message", "shard", ("id",), True),
    Source("recipient", "round_id", ("first_step", "position"), True),
    Source("batch", "shard", ("id",), False),
)
"""Messages, whom they were for, and the batches that tell each message's gateway."""


async def pieces_of(conn: Connection, source: Source, period: int) -> list[int]:
    """The values of the column that cuts the files."""
    query = sql.SQL("select distinct {piece} as piece from {table} where period = {period} order by 1")
    rows = await (
        await conn.execute(
            query.format(
                piece=sql.Identifier(source.piece),
                table=sql.Identifier(source.name),
                period=sql.Literal(period),
            )
        )
    ).fetchall()
    return [row["piece"] for row in rows]


async def copy_out(
    conn: Connection, source: Source, period: int, piece: int, columns: Sequence[Column], target: Path
) -> int:
    """Write one piece as CSV; returns its rows."""
    values = [
        sql.SQL(kind.out).format(sql.Identifier(column.name))
        for column, kind in zip(columns, kinds_of(columns), strict=True)
    ]
    texts = [column for column in columns if column.type == "text"]
    query = sql.SQL(
        "copy (select {values} from {table} where period = {period} and {by} = {piece} order by {order})"
        " to stdout (format csv, null {null}{forced})"
    ).format(
        values=sql.SQL(", ").join(values),
        forced=sql.SQL(", force_quote ({})").format(_names(texts)) if texts else sql.SQL(""),
        table=sql.Identifier(source.name),
        period=sql.Literal(period),
        by=sql.Identifier(source.piece),
        piece=sql.Literal(piece),
        order=sql.SQL(", ").join(map(sql.Identifier, source.order)),
        null=sql.Literal(NULL),
    )
    async with conn.cursor() as cursor:
        with target.open("wb") as file:
            async with cursor.copy(query) as copy:
                async for block in copy:
                    file.write(block)
        return cursor.rowcount


async def copy_in(conn: Connection, table: str, columns: Sequence[Column], csv: Path) -> int:
    """Read rows back from CSV; returns how many."""
    query = sql.SQL("copy {table} ({columns}) from stdin (format csv, null {null})").format(
        table=sql.Identifier(table), columns=_names(columns), null=sql.Literal(NULL)
    )
    async with conn.cursor() as cursor:
        with csv.open("rb") as file:
            async with cursor.copy(query) as copy:
                while block := file.read(_BLOCK):
                    await copy.write(block)
        return cursor.rowcount


async def count_rows(
    conn: Connection, source: Source, period: int, columns: Sequence[Column]
) -> tuple[int, str]:
    """How many rows a month has, and their digest."""
    texts = [
        sql.SQL("coalesce({text}, {null})").format(
            text=sql.SQL(kind.postgres).format(sql.Identifier(column.name)), null=sql.Literal(NULL)
        )
        for column, kind in zip(columns, kinds_of(columns), strict=True)
    ]
    query = sql.SQL(
        "select count(*) as rows, coalesce(sum("
        "('x' || left(md5(concat_ws(chr(31), {texts})), 15))::bit(60)::bigint), 0)::text as digest"
        " from {table} where period = {period}"
    ).format(texts=sql.SQL(", ").join(texts), table=sql.Identifier(source.name), period=sql.Literal(period))
    row = await (await conn.execute(query)).fetchone()
    assert row is not None
    return row["rows"], row["digest"]


def _names(columns: Sequence[Column]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
