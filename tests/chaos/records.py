"""The records of runs: in a file, in a line, and whether they are good."""

from pathlib import Path

import orjson

from tests.chaos.mutants import MUTANTS
from tests.chaos.run import Record


def numbers(text: str) -> list[int]:
    """Seeds as they are asked for: A-B, or a list with commas."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def read_records(path: Path | None) -> list[Record]:
    """What stands in the file, if there is one."""
    return orjson.loads(path.read_bytes()) if path is not None and path.exists() else []


def write_records(path: Path, records: list[Record]) -> None:
    """All of them anew; whoever reads meanwhile sees the old ones or the new ones."""
    partial = path.with_suffix(".new")
    partial.write_bytes(orjson.dumps(records, option=orjson.OPT_INDENT_2))
    partial.replace(path)


def is_good(record: Record) -> bool:
    """All gates hold; of a mutant: it was caught."""
    name = record["mutant"]
    return MUTANTS[name].is_caught(record) if name else not record["violations"]


def figures(record: Record) -> str:
    """What came of a run, without a judgement."""
    struck = sum("skipped" not in event for event in record["events"])
    return (
        f"{record['mutant'] or record['class']:<15} seed {record['seed']:<4} {record['count']:>7,}"
        f"  struck {struck:>2}  booked {record['booked']:>7,}  lost {record['lost']}"
        f"  twice {record['duplicated']}  unexpected {record['unexpected']}"
        f"  unknown {record['unknown']} of {record['unknown_bound']}  audits {record['audits']}"
        f"  {record['seconds']:>5} s  "
    )
