"""Every query of every `.sql` file is prepared against the migrated schema: no column, table or function
that is not there, no syntax that PostgreSQL does not take."""

import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import pq

from outreach.db.sql import parse_queries

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for house in ("outreach", "campaigns")
    for path in (ROOT / house).rglob("*.sql")
    if "migrations" not in path.parts
)
QUERIES = [
    pytest.param(path, name, id=f"{path.relative_to(ROOT)}:{name}")
    for path in FILES
    for name in parse_queries(path)
]
_PARAMETER = re.compile(r"%\((\w+)\)[sbt]")
_TEXT = 25
_GUESSES = (_TEXT, 1186, 21, 23, 701)
"""What psycopg sends with a value: text, interval, smallint, integer, double precision (pg_type.dat)."""


@pytest.fixture(scope="module")
def connection(servers: object) -> Iterator[psycopg.Connection]:
    dsn = psycopg.conninfo.make_conninfo(servers.dsn, dbname=servers.template)  # type: ignore[attr-defined]
    with psycopg.connect(dsn, autocommit=True) as opened:
        yield opened


def numbered(query: str) -> tuple[str, int]:
    """psycopg's named parameters as PostgreSQL's numbered ones, and how many there are."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${names.setdefault(match[1], len(names) + 1)}"

    return _PARAMETER.sub(number, query).replace("%%", "%"), len(names)


def prepare(connection: psycopg.Connection, query: str) -> str:
    """What PostgreSQL says against the query; empty if it takes it.

    Where the context leaves a parameter's type open, psycopg's value decides it: one that fits is enough. So
    types are tried as long as that moves the complaint to a later place.
    """
    text, count = numbered(query)
    types = [0] * count
    place, said = first = attempt(connection, text, types)
    while said:
        tries = [
            [*types[:index], guess, *types[index + 1 :]]
            for index, guess in itertools.product(range(count), _GUESSES)
            if types[index] == 0
        ]
        answers = [(*attempt(connection, text, tried), tried) for tried in tries]
        further = max(answers, default=(0, said, types))
        if further[0] <= place:
            break
        place, said, types = further
    return said and first[1]


def attempt(connection: psycopg.Connection, text: str, types: list[int]) -> tuple[float, str]:
    """Where and what PostgreSQL complains of; infinity and nothing if it does not."""
    with connection.transaction(force_rollback=True):
        result = connection.pgconn.prepare(b"", text.encode(), types)
    if result.status == pq.ExecStatus.COMMAND_OK:
        return math.inf, ""
    place = result.error_field(pq.DiagnosticField.STATEMENT_POSITION) or b"0"
    return int(place), result.error_message.decode()


def scratch_tables(path: Path, name: str) -> list[str]:
    """Queries of the file that make the temporary table which this one uses (`x_block` for `x_merge`)."""
    stem = name.rpartition("_")[0]
    return [
        query
        for other, query in parse_queries(path).items()
        if "create temp" in query and other.rpartition("_")[0] == stem and other != name
    ]


@pytest.mark.parametrize(("path", "name"), QUERIES)
def test_the_schema_takes_the_query(connection: psycopg.Connection, path: Path, name: str) -> None:
    with connection.transaction(force_rollback=True):
        for table in scratch_tables(path, name):
            connection.execute(table.encode())
        assert prepare(connection, parse_queries(path)[name]) == ""


@pytest.mark.parametrize("wrong", ["select x from taxpayer", "select 1 from taxpayer where idd = %(id)s"])
def test_a_wrong_query_would_be_found(connection: psycopg.Connection, wrong: str) -> None:
    assert "does not exist" in prepare(connection, wrong)


def test_parameters_are_numbered_by_name() -> None:
    assert numbered("select %(a)s, %(b)s, %(a)s like '5%%'") == ("select $1, $2, $1 like '5%'", 2)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_query_is_used(path: Path) -> None:
    sources = "".join(source.read_text(encoding="utf-8") for source in path.parent.rglob("*.py"))
    for name in parse_queries(path):
        first, last = name.split("_")[0], name.split("_")[-1]
        ways = (f'"{name}"', f'[f"{first}_{{', f'}}_{last}"]')
        assert any(way in sources for way in ways), f"nobody uses {name}"
