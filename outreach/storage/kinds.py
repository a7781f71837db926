"""Column types on both sides of an archive, and how each value is written so that both sides agree.

Every type that an archived table uses stands here; a test refuses a migration that brings another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from outreach.db.partitions import Column
from outreach.errors import Conflict


@dataclass(frozen=True, slots=True)
class Kind:
    """`parquet`: DuckDB's type; `postgres` and `duckdb`: a value `{}` as canonical text in each dialect;
    `out` and `csv`: as PostgreSQL writes it for DuckDB, and DuckDB for PostgreSQL."""

    parquet: str
    postgres: str = "{}::text"
    duckdb: str = "{}::varchar"
    out: str = "{}"
    csv: str = "{}"


KINDS: Mapping[str, Kind] = {
    "smallint": Kind("SMALLINT"),
    "integer": Kind("INTEGER"),
    "bigint": Kind("BIGINT"),
    "text": Kind("VARCHAR"),
    "boolean": Kind("BOOLEAN"),
    "integer[]": Kind(
        "INTEGER[]",
        "array_to_string({}, ',')",
        "array_to_string({}, ',')",
        "'[' || array_to_string({}, ',') || ']'",
        "'{{' || array_to_string({}, ',') || '}}'",
    ),
    "timestamp with time zone": Kind(
        "TIMESTAMPTZ",
        "(extract(epoch from {}) * 1000000)::bigint::text",
        "epoch_us({})::varchar",
    ),
}


def kinds_of(columns: Sequence[Column]) -> list[Kind]:
    """The kind of each column. Raises Conflict for a type that no archive can hold."""
    for column in columns:
        if column.type not in KINDS:
            raise Conflict(
                f"列 {column.name} 的类型 {column.type} 不能归档，请先升级程序。", column=column.name
            )
    return [KINDS[column.type] for column in columns]
