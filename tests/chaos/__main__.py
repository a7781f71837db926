"""Kill, freeze, cut and flood at random, and let the gateway's books judge.

    python -m tests.chaos [--seeds 1-50] [--count N] [--class A,B,…] [--mutant NAME,…] [--json FILE]
                          [--table] [--logs DIR] [--soak BLOWS]

Every run has a line, and a record in FILE as soon as it ends; runs that stand there are not repeated, so a
series can be ended at any time and taken up again. The exit code is 1 if a gate does not hold, or a mutant
was not caught (docs/chaos.md). With --soak the messages are spread over an hour, the blows too.
"""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop
from rich.console import Console

from outreach.logs import configure_logs
from tests.chaos.ground import SOAK, Tempo, prepared
from tests.chaos.kinds import KINDS
from tests.chaos.mutants import MUTANTS
from tests.chaos.plan import soak_plan
from tests.chaos.records import figures, is_good, numbers, read_records, write_records
from tests.chaos.run import Record, run, run_name

_COUNT = 30_000
_WIDTH = 200
_ENDED = 143
"""The exit code after SIGTERM."""

Job = tuple[str, int, str]


def main() -> int:
    """Run what is asked for and not yet recorded; returns the exit code."""
    options = _options()
    configure_logs("ERROR", as_json=False)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    console = Console(width=_WIDTH, highlight=False)
    records: list[Record] = read_records(options.json)
    if options.table:
        console.print(table(records), soft_wrap=True)
        return 0 if all(map(is_good, records)) else 1
    known = {
        (record["class"], record["seed"], record["mutant"] or "", record["count"], record.get("soak"))
        for record in records
    }
    waiting = [job for job in _jobs(options) if (*job, options.count, options.soak) not in known]
    good = True
    for mutant in dict.fromkeys(job[2] for job in waiting):
        jobs = [job for job in waiting if job[2] == mutant]
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            try:
                good &= uvloop.run(_series(jobs, options, Path(folder), records, console))
            except asyncio.CancelledError:
                return _ENDED
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seeds", type=numbers, default=[1], help="A-B, or a list with commas")
    parser.add_argument("--count", type=int, default=_COUNT, help="messages of a run")
    parser.add_argument("--class", dest="kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--mutant", dest="mutants", default="", help=f"of {', '.join(MUTANTS)}")
    parser.add_argument("--json", type=Path, help="the records; runs that stand there are not repeated")
    parser.add_argument("--table", action="store_true", help="only print what stands in FILE, with its sums")
    parser.add_argument("--logs", type=Path, help="keep what the processes wrote")
    parser.add_argument("--soak", type=int, metavar="BLOWS", help="spread over an hour, with so many blows")
    options = parser.parse_args()
    options.kinds = options.kinds.split(",")
    options.mutants = options.mutants.split(",") if options.mutants else []
    strangers = {*options.kinds} - KINDS.keys() | {*options.mutants} - MUTANTS.keys()
    if strangers:
        parser.error(f"not known: {', '.join(sorted(strangers))}")
    if options.soak and options.mutants:
        parser.error("a soak plays the product as it is: without --mutant")
    return options


def _jobs(options: argparse.Namespace) -> Iterator[Job]:
    for seed in options.seeds:
        if options.mutants:
            yield from ((MUTANTS[name].kind, seed, name) for name in options.mutants)
        else:
            yield from ((name, seed, "") for name in options.kinds)


async def _series(
    jobs: list[Job],
    options: argparse.Namespace,
    folder: Path,
    records: list[Record],
    console: Console,
) -> bool:
    # Whoever ends a series by SIGTERM leaves no server behind.
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    good = True
    mutant = MUTANTS.get(jobs[0][2])
    tempo = SOAK if options.soak else Tempo()
    async with prepared(folder, options.count, tempo, mutant.servers if mutant else None) as ground:
        for kind, seed, _ in jobs:
            strikes = soak_plan(KINDS[kind], seed, options.soak, tempo.lease) if options.soak else None
            record = await run(ground, KINDS[kind], seed, options.count, mutant, strikes=strikes)
            record["soak"] = options.soak
            records.append(record)
            if options.json:
                write_records(options.json, records)
            good &= is_good(record)
            if options.logs:
                name = run_name(kind, seed, mutant)
                shutil.copytree(folder / name, options.logs / name, dirs_exist_ok=True)
            console.print(line(record), soft_wrap=True)
    return good


def table(records: Sequence[Record]) -> str:
    """All runs in lines, and what they come to."""
    sums = {
        name: sum(record[name] for record in records)
        for name in (
            "booked",
            "lost",
            "duplicated",
            "unexpected",
            "unknown",
            "unknown_bound",
            "audits",
            "kills",
        )
    }
    blows = sum("skipped" not in event for record in records for event in record["events"])
    told = ", ".join(f"{name} {value:,}" for name, value in sums.items())
    good = sum(map(is_good, records))
    return "\n".join(
        [*map(line, records), f"{len(records)} runs, {good} without a violation, {blows:,} blows; {told}"]
    )


def line(record: Record) -> str:
    """A run in one line; how to repeat it, if a gate does not hold."""
    if is_good(record):
        return figures(record) + ("caught" if record["mutant"] else "ok")
    again = f'make chaos ARGS="--class {record["class"]} --seeds {record["seed"]} --count {record["count"]}'
    again += f" --mutant {record['mutant']}" if record["mutant"] else ""
    again += f' --soak {record["soak"]}"' if record.get("soak") else '"'
    reasons = "; ".join(record["violations"]) if not record["mutant"] else "not caught"
    return f"{figures(record)}VIOLATED: {reasons}\n  again: {again}"


if __name__ == "__main__":
    sys.exit(main())
