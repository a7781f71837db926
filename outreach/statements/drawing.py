"""Documents of whole blocks, computed ahead of the database in a thread or in processes of their own.

A document comes as pieces of its canonical text: number, version and time are put in between when it is
written, without serialising it a second time.
"""

import gc
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from typing import Any, NamedTuple

import orjson

from outreach.statements.facts import BlockFacts, households
from outreach.statements.kinds import DOCUMENT_KINDS


class Drawn(NamedTuple):
    """A document as members of its canonical JSON object, without braces: what sorts before `due`, the due
    dates, what sorts between them and `issue`, the rest. Pieces may be empty."""

    head: bytes
    due: bytes
    body: bytes
    rest: bytes
    benefits: int

    def lasting(self) -> bytes:
        """As `content.lasting`: due dates move by themselves and are left out."""
        return _object(self.head, self.body, self.rest)

    def text(self, issue: Mapping[str, Any]) -> str:
        """As `content.canonical` of the document with its issue."""
        return _object(self.head, self.due, self.body, _members({"issue": issue}), self.rest).decode()


@dataclass(frozen=True, slots=True)
class Task:
    """What is the same for all blocks of one issue: kind, year, day of making, dates that staff entered."""

    kind: str
    year: int
    today: date
    entered: Mapping[int, date]


def draw(document: Mapping[str, Any]) -> Drawn:
    """The pieces of a document that a builder has made."""
    head = {name: part for name, part in document.items() if name < "due"}
    body = {name: part for name, part in document.items() if "due" < name < "issue"}
    rest = {name: part for name, part in document.items() if name > "issue"}
    due = {"due": document["due"]}
    return Drawn(_members(head), _members(due), _members(body), _members(rest), _count_benefits(document))


def _count_benefits(document: Mapping[str, Any]) -> int:
    if "count" in document:
        return int(document["count"])
    parts = document.get("enjoyed") or document.get("parts") or {}
    return sum([len(part["lines"]) for part in parts.values()])


def _object(*members: bytes) -> bytes:
    return b"{%b}" % b",".join([part for part in members if part])


def _members(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)[1:-1]


def draw_block(facts: BlockFacts, task: Task) -> Sequence[Drawn | None]:
    """The documents of a block in order, None for households of whom there is nothing to tell. Pure; raises
    what the builder of the kind raises."""
    build = DOCUMENT_KINDS[task.kind].build
    # One after the other: two thousand whole documents at once keep the collector busy.
    return [_drawn(build(home, task.year, task.today, task.entered)) for home in households(facts, task.year)]


def _drawn(document: Mapping[str, Any] | None) -> Drawn | None:
    return None if document is None else draw(document)


def start_executor(processes: int) -> Executor:
    """A thread for one, else so many processes."""
    if processes <= 1:
        return ThreadPoolExecutor(1)
    # Not fork: the parent runs threads and an event loop.
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_forget_cycles)


def _forget_cycles() -> None:
    """Documents hold no cycles; where nothing else is made, looking for them is a sixth of the time."""
    gc.freeze()
    gc.disable()
