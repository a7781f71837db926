"""From raw blocks to checked ones: a few blocks ahead of the database, in processes of their own.

Checking a block is pure computation; while the database writes one block, the next is checked on another
core. A small file is not worth a process and is checked in a thread.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Generic, TypeVar

from outreach.imports.blocks import Layout, Problem, RawBlock, Table, read_table
from outreach.imports.source import Source

Checked = TypeVar("Checked")
Check = Callable[[Table, Layout], Checked]
"""Turns a table into what its importer writes, and adds to the table's problems. Picklable and pure."""

_SMALL = 30_000


@dataclass(frozen=True, slots=True)
class CheckedBlock(Generic[Checked]):
    """What a check made of a block. Row numbers count from 1 as an editor or Excel shows them; `rows` are
    those that hold data, whether they could be read or not."""

    first: int
    rows: int
    problems: list[Problem]
    value: Checked

    def in_file(self, problem: Problem) -> Problem:
        """The same problem with the row's number in the file."""
        return problem._replace(row=self.first + problem.row)


async def checked_blocks(source: Source, check: Check[Checked]) -> AsyncIterator[CheckedBlock[Checked]]:
    """All blocks of a file in order, each checked. Raises what the check raises."""
    loop = asyncio.get_running_loop()
    executor, ahead = _executor(source.total)
    blocks = source.blocks()
    under_way: deque[asyncio.Future[tuple[Table, int, Checked]]] = deque()
    first = 1
    try:
        while True:
            while len(under_way) < ahead and (block := await asyncio.to_thread(_next, blocks)):
                under_way.append(loop.run_in_executor(executor, run_check, check, block, source.layout))
            if not under_way:
                return
            table, rows, value = await under_way.popleft()
            yield CheckedBlock(first, rows, table.problems, value)
            first += table.records
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def run_check(check: Check[Checked], block: RawBlock, layout: Layout) -> tuple[Table, int, Checked]:
    """Read and check one block, and count its rows; the columns stay here."""
    table = read_table(block, layout)
    rows = len(table) + len({problem.row for problem in table.problems})
    value = check(table, layout)
    return Table(table.records, [], {}, table.problems), rows, value


def _next(blocks: Iterator[RawBlock]) -> RawBlock | None:
    return next(blocks, None)


def _executor(rows: int) -> tuple[Executor, int]:
    if rows <= _SMALL:
        return ThreadPoolExecutor(1), 1
    helpers = min(max((os.cpu_count() or 1) - 1, 1), 4)
    # Not fork: the parent runs threads and an event loop.
    return ProcessPoolExecutor(helpers, mp_context=get_context("spawn")), helpers + 1
