"""Run the benches and compare with the budgets.

    python -m tests.bench [--quick] [--only NAME,…] [--json FILE]

Every module `bench_NAME.py` has `run(rt, quick)`, which gets an empty migrated database on servers of our
own, or `run(quick)`, which brings what it needs. Both return rows (rows.py). The exit code tells whether all
budgets hold.
"""

import argparse
import importlib
import inspect
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import orjson
import psycopg
import uvloop
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from outreach.config import Settings
from outreach.db.migrate import migrate
from outreach.embedded import Servers, start_servers
from outreach.logs import configure_logs
from outreach.runtime import close_runtime, open_runtime
from tests.bench.rows import Row

_HERE = Path(__file__).parent
_WIDTH = 130
_MASTER_KEY = SecretStr("5f" * 32)


def benches() -> list[str]:
    """The names of all benches, from their files."""
    return sorted(path.stem.removeprefix("bench_") for path in _HERE.glob("bench_*.py"))


def main() -> int:
    """Run, print, write; returns the exit code."""
    options = _options()
    configure_logs("ERROR", as_json=False)
    console = Console(width=_WIDTH)
    results: dict[str, Sequence[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        servers = start_servers(Path(folder))
        try:
            for name in options.only:
                began = time.monotonic()
                module = importlib.import_module(f"tests.bench.bench_{name}")
                results[name] = uvloop.run(_run(module, servers, Path(folder) / name, options.quick))
                _print(console, name, results[name], time.monotonic() - began)
        finally:
            servers.stop()
    if options.json:
        options.json.write_bytes(orjson.dumps(_flat(results), option=orjson.OPT_INDENT_2))
    return 0 if all(row["ok"] for rows in results.values() for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--quick", action="store_true", help="small sets, an answer within two minutes")
    parser.add_argument("--only", default=",".join(benches()), help=f"of {', '.join(benches())}")
    parser.add_argument("--json", type=Path, help="write all rows to this file")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(benches())
    if unknown:
        parser.error(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(benches())}")
    return options


async def _run(module: ModuleType, servers: Servers, folder: Path, quick: bool) -> Sequence[Row]:
    if "rt" not in inspect.signature(module.run).parameters:
        return list(await module.run(quick))
    folder.mkdir()
    database = f"bench_{folder.name}"
    with psycopg.connect(servers.dsn, autocommit=True) as connection:
        connection.execute(f"create database {database}")
    dsn = make_conninfo(servers.dsn, dbname=database)
    await migrate(dsn)
    settings = Settings(database_url=dsn, redis_url=servers.redis_url, var=folder, master_key=_MASTER_KEY)
    rt = await open_runtime(settings, name="bench")
    try:
        await rt.redis.flushall()
        return list(await module.run(rt, quick))
    finally:
        await close_runtime(rt)
        with psycopg.connect(servers.dsn, autocommit=True) as connection:
            connection.execute(f"drop database {database}")


def _print(console: Console, name: str, rows: Sequence[Row], seconds: float) -> None:
    table = Table(title=f"{name} ({seconds:.0f} s)", title_justify="left")
    table.add_column("what")
    for column in ("value", "unit", "budget", "", "ceiling", "ratio"):
        table.add_column(column, justify="left" if column == "unit" else "right")
    for row in rows:
        mark = "" if row["budget"] is None else "[green]ok[/green]" if row["ok"] else "[red]over[/red]"
        figures = (row["value"], row["unit"], row["budget"], mark, row["ceiling"], row["ratio"])
        table.add_row(row["name"], *map(_shown, figures))
    console.print(table)


def _shown(figure: float | str | None) -> str:
    if isinstance(figure, str):
        return figure
    return "" if figure is None else f"{figure:,}"


def _flat(results: Mapping[str, Sequence[Row]]) -> list[dict[str, object]]:
    return [{"bench": name, **row} for name, rows in results.items() for row in rows]


if __name__ == "__main__":
    sys.exit(main())
