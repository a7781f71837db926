"""Pull cables between the hosts of a bureau at random, and let the gateway's books judge.

    python -m tests.hosts [--seeds 1-10] [--count N] [--cuts N] [--mutant NAME] [--json FILE] [--logs DIR]

Needs root and iproute2. Every run has a line, and a record in FILE as soon as it ends; runs that stand there
are not repeated. The exit code is 1 if a gate does not hold, or a mutant was not caught (docs/chaos.md).
"""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from outreach.logs import configure_logs
from tests.chaos.ground import Tempo
from tests.chaos.records import figures, is_good, numbers, read_records, write_records
from tests.chaos.run import Record, run_name
from tests.hosts.cuts import MUTANTS, make_plan, mutant_plan
from tests.hosts.doubled import Doubled, doubled, settle
from tests.hosts.net import why_not
from tests.hosts.run import run

_COUNT = 20_000
_MESSAGES_PER_CUT = 1500
_SENDING_SECONDS = 40.0
_LONGEST_SECONDS = 12.0
_WIDTH = 200
_ENDED = 143
"""The exit code after SIGTERM."""


def main() -> int:
    """Run what is asked for and not yet recorded; returns the exit code."""
    options = _options()
    console = Console(width=_WIDTH, highlight=False)
    if reason := why_not():
        console.print(f"no hosts can be made here: {reason}")
        return 1
    configure_logs("ERROR", as_json=False)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    tempo = Tempo(sending=_SENDING_SECONDS)
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder, doubled(Path(folder), tempo) as site:
        try:
            return 0 if uvloop.run(_series(site, options, console)) else 1
        except asyncio.CancelledError:
            return _ENDED


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hosts")
    parser.add_argument("--seeds", type=numbers, default=[1], help="A-B, or a list with commas")
    parser.add_argument("--count", type=int, default=_COUNT, help="messages of a run")
    parser.add_argument("--cuts", type=int, help="of a run; one for every 1,500 messages if not given")
    parser.add_argument(
        "--mutant", default="", choices=["", *MUTANTS], help="a protocol that lacks something"
    )
    parser.add_argument("--json", type=Path, help="the records; runs that stand there are not repeated")
    parser.add_argument("--logs", type=Path, help="keep what the processes wrote")
    options = parser.parse_args()
    options.cuts = options.cuts or max(2, options.count // _MESSAGES_PER_CUT)
    return options


async def _series(site: Doubled, options: argparse.Namespace, console: Console) -> bool:
    # Whoever ends a series by SIGTERM leaves no host behind.
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    records = read_records(options.json)
    known = {(one["seed"], one["mutant"] or "", one["count"], one["cuts"]) for one in records}
    mutant = MUTANTS.get(options.mutant)
    await settle(site, options.count)
    good = True
    for seed in options.seeds:
        plan = mutant_plan(_LONGEST_SECONDS) if mutant else make_plan(seed, options.cuts, _LONGEST_SECONDS)
        if (seed, options.mutant, options.count, len(plan)) in known:
            continue
        record = await run(site, seed, options.count, plan, mutant, until_caught=bool(mutant))
        records.append(record)
        if options.json:
            write_records(options.json, records)
        if options.logs:
            name = run_name("hosts", seed, mutant)
            shutil.copytree(site.folder / name, options.logs / name, dirs_exist_ok=True)
        console.print(line(record), soft_wrap=True)
        good &= is_good(record)
    return good


def line(record: Record) -> str:
    """A run in one line; how to repeat it, if a gate does not hold."""
    told = figures(record) + f"promoted {record['promotions']}  "
    if is_good(record):
        return told + ("caught" if record["mutant"] else "ok")
    again = (
        f"python -m tests.hosts --seeds {record['seed']} --count {record['count']} --cuts {record['cuts']}"
    )
    again += f" --mutant {record['mutant']}" if record["mutant"] else ""
    reasons = "; ".join(record["violations"]) if not record["mutant"] else "not caught"
    return f"{told}VIOLATED: {reasons}\n  again: {again}"


if __name__ == "__main__":
    sys.exit(main())
