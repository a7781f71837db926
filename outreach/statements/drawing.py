"""Documents of whole blocks, computed ahead of the database in a thread or in processes of their own.

A document comes as pieces of its canonical text: number, version and time are put in between when it is
written, without serialising it a second time.
"""

import ctypes
import gc
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from typing import Any, NamedTuple

import orjson

from outreach.statements.canonical import canonical_bytes
from outreach.statements.facts import BlockFacts, households
from outreach.statements.kinds import DOCUMENT_KINDS


class Drawn(NamedTuple):
    """The canonical JSON of a document in pieces: up to the due dates, the due dates, what comes between them
    and the value of `issue`, the rest."""

    head: bytes
    due: bytes
    body: bytes
    rest: bytes
    benefits: int
    withdrawn: bool = False

    def lasting(self) -> bytes:
        """As `content.lasting`: due dates move by themselves and are left out, and there is no issue yet."""
        return b"%b%b%b" % (self.head, self.body[1 : -len(_ISSUE)], self.rest[1:])

    def text(self, issue: bytes) -> bytes:
        """As `content.canonical` of the document with its issue, whose own canonical JSON is given."""
        return b"%b%b%b%b%b" % (self.head, self.due, self.body, issue, self.rest)


@dataclass(frozen=True, slots=True)
class Task:
    """What is the same for all blocks of one issue: kind, year, day of making, dates that the bureau knows
    beside the published calendar (due.py)."""

    kind: str
    year: int
    today: date
    entered: Mapping[int, date]


_MARK = b"\0"
_AT_ONCE = 64
_DUE, _ISSUE = b'"due":', b'"issue":'


def draw(document: Mapping[str, Any]) -> Drawn:
    """The pieces of a document that a builder has made."""
    # JSON never holds this byte by itself.
    later = orjson.Fragment(_MARK)
    whole = canonical_bytes({**document, "due": later, "issue": later})
    head, _, tail = whole.partition(_DUE + _MARK)
    body, _, rest = tail.partition(_MARK)
    due = _DUE + canonical_bytes(document["due"])
    return Drawn(head, due, body, rest, _count_benefits(document), "withdrawn" in document)


def _count_benefits(document: Mapping[str, Any]) -> int:
    if "count" in document:
        return int(document["count"])
    parts = document.get("enjoyed") or document.get("parts") or {}
    return sum([len(part["lines"]) for part in parts.values()])


def draw_block(facts: BlockFacts, task: Task) -> Sequence[Drawn | None]:
    """The documents of a block in order, None for households of whom there is nothing to tell. Pure; raises
    what the builder of the kind raises."""
    build, homes = DOCUMENT_KINDS[task.kind].build, households(facts, task.year)
    drawn: list[Drawn | None] = []
    # Two thousand whole documents at once would keep the collector busy.
    for start in range(0, len(homes), _AT_ONCE):
        documents = build(homes[start : start + _AT_ONCE], task.year, task.today, task.entered)
        drawn += map(_drawn, documents)
    return drawn


def _drawn(document: Mapping[str, Any] | None) -> Drawn | None:
    return None if document is None else draw(document)


def start_executor(processes: int) -> Executor:
    """A thread for one, else so many processes."""
    if processes <= 1:
        return ThreadPoolExecutor(1)
    # Not fork: the parent runs threads and an event loop.
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin)


def _begin() -> None:
    # prctl(PR_SET_PDEATHSIG): nobody waits for what a process draws whose parent was killed.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    # Documents hold no cycles; where nothing else is made, looking for them is a sixth of the time.
    gc.freeze()
    gc.disable()
