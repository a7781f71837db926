"""Replay the reconciliation season of 2026 day by day, and prove the sums on each of them.

    python -m tests.season [--taxpayers N] [--seed S] [--from 2026-02-20] [--to 2026-07-15]
                           [--workers N] [--json FILE]

The console has a line a week, FILE every day. The exit code is 1 if anything did not hold; the message
names the day (docs/season.md).
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import psycopg
import uvloop
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr
from rich.console import Console

from outreach.config import Settings
from outreach.db.migrate import migrate
from outreach.embedded import Servers, start_servers
from outreach.logs import configure_logs
from outreach.runtime import close_runtime, open_runtime
from tests.season.day import Wrong
from tests.season.plan import FIRST_DAY, LAST_DAY
from tests.season.run import Record, play_season
from tests.season.tables import effect_table, week_line, weeks_head

_DATABASE = "season"
_ENDED = 143
"""The exit code after SIGTERM."""
_WIDTH = 150
_TICK_SECONDS = 0.05
_MASTER_KEY = SecretStr("5f" * 32)


def main() -> int:
    """Play, print, write; returns the exit code."""
    options = _options()
    configure_logs("ERROR", as_json=False)
    console = Console(width=_WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        servers = start_servers(Path(folder))
        try:
            began = time.monotonic()
            record = uvloop.run(_play(servers, Path(folder), options, console))
        except Wrong as error:
            console.print(f"[red]{error}[/red]", highlight=False)
            return 1
        except asyncio.CancelledError:
            return _ENDED
        finally:
            servers.stop()
    console.print(effect_table(record))
    phases = ", ".join(f"{name} {seconds:.0f}" for name, seconds in record["seconds"].items())
    console.print(f"{time.monotonic() - began:.0f} s: {phases}", highlight=False)
    if options.json:
        options.json.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.season")
    parser.add_argument("--taxpayers", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, default=FIRST_DAY)
    parser.add_argument("--to", dest="last", type=date.fromisoformat, default=LAST_DAY)
    parser.add_argument("--workers", type=int, default=2, help="0: everything in one process")
    parser.add_argument("--json", type=Path, help="write every day to this file")
    options = parser.parse_args()
    if not FIRST_DAY <= options.first <= options.last <= LAST_DAY:
        parser.error(f"days from {FIRST_DAY} to {LAST_DAY}, the first before the last")
    return options


async def _play(servers: Servers, folder: Path, options: argparse.Namespace, console: Console) -> Record:
    playing = asyncio.current_task()
    assert playing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    with psycopg.connect(servers.dsn, autocommit=True) as connection:
        connection.execute(f"create database {_DATABASE}")
    dsn = make_conninfo(servers.dsn, dbname=_DATABASE)
    await migrate(dsn)
    settings = Settings(
        database_url=dsn,
        redis_url=servers.redis_url,
        var=folder,
        master_key=_MASTER_KEY,
        tick_seconds=_TICK_SECONDS,
    )
    rt = await open_runtime(settings, name="season")
    console.print(weeks_head(), highlight=False)
    try:
        return await play_season(
            rt,
            taxpayers=options.taxpayers,
            seed=options.seed,
            first=options.first,
            last=options.last,
            workers=options.workers,
            show=_weekly(console, options.last),
        )
    finally:
        await close_runtime(rt)


def _weekly(console: Console, last: date) -> Callable[[dict[str, Any]], None]:
    week: list[dict[str, Any]] = []
    began = [time.monotonic()]

    def show(record: dict[str, Any]) -> None:
        week.append(record)
        today = date.fromisoformat(record["day"])
        if today.isoweekday() == 7 or today == last:
            console.print(week_line(week, time.monotonic() - began[0]), highlight=False)
            week.clear()
            began[0] = time.monotonic()

    return show


if __name__ == "__main__":
    sys.exit(main())
