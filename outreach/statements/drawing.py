"""Documents of whole blocks, computed ahead of the database in a thread or in processes of their own.

A document comes as pieces of its canonical text: number, version and time are put in between when it is
written, without serialising it a second time.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from typing import Any, NamedTuple

import orjson

from outreach.statements.content import build_bill
from outreach.statements.facts import BlockFacts, households


class Drawn(NamedTuple):
    """A document as members of its canonical JSON object, in the order of their keys, without braces."""

    credit: bytes
    due: bytes
    enjoyed: bytes
    rest: bytes
    benefits: int

    def lasting(self) -> bytes:
        """As `content.lasting`: due dates move by themselves and are left out."""
        return b"{%b,%b,%b}" % (self.credit, self.enjoyed, self.rest)

    def text(self, issue: Mapping[str, Any]) -> str:
        """As `content.canonical` of the document with its issue."""
        parts = (self.credit, self.due, self.enjoyed, _members({"issue": issue}), self.rest)
        return (b"{%b}" % b",".join(parts)).decode()


@dataclass(frozen=True, slots=True)
class Task:
    """What is the same for all blocks of one issue: year, day of making, dates that staff have entered."""

    year: int
    today: date
    entered: Mapping[int, date]


def draw(document: dict[str, Any]) -> Drawn:
    """The pieces of a document that `build_bill` has made."""
    credit, due, enjoyed = document.pop("credit"), document.pop("due"), document.pop("enjoyed")
    return Drawn(
        _members({"credit": credit}),
        _members({"due": due}),
        _members({"enjoyed": enjoyed}),
        _members(document),
        sum([len(part["lines"]) for part in enjoyed.values()]),
    )


def _members(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)[1:-1]


def draw_block(facts: BlockFacts, task: Task) -> Sequence[Drawn | None]:
    """The documents of a block in order, None for households without facts. Pure; raises what `build_bill`
    raises."""
    return [
        None if home.is_empty else draw(build_bill(home, task.year, task.today, task.entered))
        for home in households(facts, task.year)
    ]


def start_executor(processes: int) -> Executor:
    """A thread for one, else so many processes."""
    if processes <= 1:
        return ThreadPoolExecutor(1)
    # Not fork: the parent runs threads and an event loop.
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
