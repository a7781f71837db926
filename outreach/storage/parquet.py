"""Parquet through DuckDB, in place and in bounded memory: from CSV, back to CSV, and counted again.

The extensions are those of the wheel: nothing is ever loaded from a network. Statements are composed here and
in rows.py alone, from the catalogue's column names.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from outreach.db.partitions import Column
from outreach.storage.kinds import kinds_of
from outreach.storage.manifest import StepSum

NULL = r"\N"
_CONFIG: dict[str, str | int | float | list[str]] = {
    "memory_limit": "512MB",
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_CSV = f"""delim ',', quote '"', escape '"', header false, nullstr '{NULL}'"""
_READ_CSV = f"""delim = ',', quote = '"', escape = '"', header = false, nullstr = '{NULL}',
    auto_detect = false, allow_quoted_nulls = false, max_line_size = 16777216"""


def write_parquet(csv: Path, columns: Sequence[Column], target: Path) -> None:
    """Turn rows that PostgreSQL wrote as CSV (NULL as `\\N`, texts quoted) into one file."""
    types = ", ".join(
        f"{_literal(column.name)}: '{kind.parquet}'"
        for column, kind in zip(columns, kinds_of(columns), strict=True)
    )
    rows = f"select * from read_csv({_literal(csv)}, {_READ_CSV}, columns = {{{types}}})"
    with _open(target.parent) as engine:
        engine.execute(f"copy ({rows}) to {_literal(target)} (format parquet, compression zstd)")


def read_back(files: Sequence[Path], columns: Sequence[Column]) -> tuple[int, str]:
    """How many rows the files hold, and their digest (manifest.py)."""
    if not files:
        return 0, "0"
    texts = ", ".join(
        f"coalesce({kind.duckdb.format(_name(column))}, '{NULL}')"
        for column, kind in zip(columns, kinds_of(columns), strict=True)
    )
    head = f"('0x' || left(md5(concat_ws(chr(31), {texts})), 15))::hugeint"
    with _open(files[0].parent) as engine:
        query = f"select count(*), sum({head})::varchar from {_read_parquet(files)}"
        found = engine.execute(query).fetchone()
    assert found is not None
    return int(found[0]), str(found[1])


def sums_in(files: Sequence[Path], round_id: int) -> tuple[StepSum, ...]:
    """Messages and household-times of a round by rung and state, counted in the files themselves."""
    if not files:
        return ()
    with _open(files[0].parent) as engine:
        found = engine.execute(
            "select step, state, count(*), sum(len(taxpayer_ids))::bigint"
            f" from {_read_parquet(files)} where round_id = {round_id:d} group by all order by all"
        ).fetchall()
    return tuple(StepSum(*(int(value) for value in row)) for row in found)


def write_csv(file: Path, columns: Sequence[Column], target: Path) -> None:
    """Turn a Parquet file into CSV as PostgreSQL's COPY reads it."""
    values = ", ".join(
        f"{kind.csv.format(_name(column))} as {_name(column)}"
        for column, kind in zip(columns, kinds_of(columns), strict=True)
    )
    texts = [_name(column) for column in columns if column.type == "text"]
    forced = f", force_quote ({', '.join(texts)})" if texts else ""
    with _open(target.parent) as engine:
        rows = f"select {values} from {_read_parquet([file])}"
        engine.execute(f"copy ({rows}) to {_literal(target)} (format csv, {_CSV}{forced})")


def _open(beside: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={**_CONFIG, "temp_directory": str(beside / "spill")})


def _read_parquet(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(map(_literal, files))}])"


def _name(column: Column) -> str:
    return '"' + column.name.replace('"', '""') + '"'


def _literal(text: Path | str) -> str:
    return "'" + str(text).replace("'", "''") + "'"
