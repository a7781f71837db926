"""Documents of any kind, a block of households at a time: a few queries, pure computation, one COPY.

Issuing again is harmless: a household whose facts have not changed keeps its document; one whose facts have
gets a new version that names the old one. Processes do whole blocks by themselves, on connections of their
own: what travels between them is where blocks end and what came of them.
"""

import asyncio
import gc
from bisect import bisect_right
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import scalar_row, tuple_row

from outreach.clock import in_beijing
from outreach.config import Settings
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.vault import open_vault
from outreach.registry.working_days import load_calendar
from outreach.runtime import Runtime, close_runtime, open_runtime
from outreach.statements.drawing import Drawn, Task, draw, draw_block, start_executor
from outreach.statements.due import days_of_calendar
from outreach.statements.facts import BlockFacts, Values, read_facts
from outreach.statements.freezing import Fresh, Label, Latest, freeze, withdrawal
from outreach.statements.holders import note_holders
from outreach.statements.kinds import document_kind
from outreach.statements.marks import SCANNED, Mark, Marks, marks_of, read_marks
from outreach.statements.runs import (
    NoLongerOpen,
    Page,
    Tally,
    check_open,
    close_block,
    finish_run,
    kept_alive,
    open_blocks,
    open_run,
    run_sums,
)

_SQL = load_queries(__file__)
_BLOCK = 2_000
_SHARE = 32
"""Blocks that a process does at one go, at most: so many that connecting does not count."""
_SHARES = 4
"""Shares of a process, at least, where there are blocks enough: all processes end at about the same time."""
_MOST_ATTEMPTS = 5
Progress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Issued:
    """What one issue did. Households = documents (of which corrections) + unchanged + empty."""

    run_id: int
    households: int
    documents: int
    corrections: int
    unchanged: int
    empty: int
    benefits: int


@dataclass(frozen=True, slots=True)
class _Run:
    """What is the same for every block of one issue."""

    id: int
    kind: str
    year: int
    path: str
    province: str
    chosen: list[int] | None
    reason: str
    issued_at: datetime
    shown_at: str
    data_as_of: str
    digest: str
    task: Task
    marks: Marks

    @property
    def periods(self) -> dict[str, int]:
        year = self.year * 100
        return {"year": self.year, "last_first": year - 99, "first": year + 1, "last_month": year + 12}


async def issue_documents(
    rt: Runtime,
    kind: str,
    year: int,
    *,
    scope_org_id: int,
    taxpayer_ids: Sequence[int] | None = None,
    by: str = "system",
    reason: str = "",
    deadlines: Mapping[int, date] | None = None,
    progress: Progress | None = None,
    processes: int = 1,
    run_id: int | None = None,
    owner: str | None = None,
) -> Issued:
    """Issue the documents of a kind and a year for the households under an org unit, or for some of them.

    `reason` is told to households whose document is corrected; `deadlines` (yyyymm to date) are filing dates
    that staff have entered, they win over every calendar; `progress` is awaited with (done, all)
    as blocks are done; `processes` do the work beside this one (1: a thread of this process, enough below
    some ten thousand households). Every block is a transaction: a run that was broken off is finished by
    running it again, and two runs at once make no version twice. `run_id` goes on with a run that was
    ordered or broken off (orders.py) and whose `owner` the caller is: blocks that are done are left out.
    Raises NotFound for an unknown unit, InvalidInput for an unknown kind, a year that has not begun or a rule
    not in force, ExpressionInvalid when the catalogue lacks a label that the kind needs, Conflict when the
    run was stopped.
    """
    run = await prepare_run(rt, kind, year, scope_org_id, taxpayer_ids, reason, deadlines)
    if run_id is None:
        run_id = await open_run(
            rt, kind, year, scope_org_id=scope_org_id, by=by, reason=reason, taxpayer_ids=run.chosen
        )
    run = replace(run, id=run_id)
    async with kept_alive(rt, run.id, owner):
        pages = await open_blocks(rt, run.id, run.path + "%", run.chosen, _BLOCK)
        done = _do_here(rt, run, pages) if processes <= 1 else _do_elsewhere(rt, run, pages, processes)
        async with aclosing(done) as parts:
            async for _ in parts:
                total = await check_open(rt, run.id, owner)
                if progress is not None:
                    await progress((await run_sums(rt, run.id))["households"], total)
    sums = await run_sums(rt, run.id)
    async with rt.db.begin() as conn:
        await finish_run(conn, run.id, sums)
    return Issued(run.id, **sums)


async def prepare_run(
    rt: Runtime,
    kind: str,
    year: int,
    scope: int,
    chosen: Sequence[int] | None,
    reason: str = "",
    entered: Mapping[int, date] | None = None,
) -> _Run:
    """What is the same for all blocks, before the run has its number. Raises as `issue_documents`."""
    wanted, now = document_kind(kind), await rt.now()
    if not 2000 <= year <= in_beijing(now).year:
        raise InvalidInput(f"{year} {wanted.title}还不能出具，请选择已开始的年度。", field="year")
    unit = await rt.db.fetch_one(_SQL["scope"], {"scope": scope})
    if unit is None:
        raise NotFound("没有这个机构，请重新选择。")
    here = in_beijing(now)
    async with rt.db.begin() as conn:
        calendar = await load_calendar(conn, scope)
    task = Task(kind, year, here.date(), {**days_of_calendar(calendar, here.date()), **(entered or {})})
    marks = await read_marks(rt, wanted.labels(year, task.today), wanted.attributes, scope)
    loaded = await rt.db.fetch_one(_SQL["data_as_of"])
    ids = None if chosen is None else sorted(set(chosen))
    shown_at = here.isoformat(timespec="minutes")
    return _Run(
        0,
        kind,
        year,
        unit["path"],
        unit["province"],
        ids,
        reason,
        now,
        shown_at,
        f"{in_beijing(loaded['at']):%Y-%m-%d}" if loaded and loaded["at"] else "",
        rt.settings.digest,
        task,
        marks,
    )


def _filter(run: _Run, page: Page) -> dict[str, Any]:
    after, last = page
    chosen = run.chosen
    if chosen is not None:
        chosen = chosen[bisect_right(chosen, after) : bisect_right(chosen, last)]
    return {"path": run.path + "%", "chosen": chosen, "after": after, "last": last}


async def _do_here(rt: Runtime, run: _Run, pages: Sequence[Page]) -> AsyncGenerator[int, None]:
    """Block by block, computed in a thread so that this process answers others meanwhile."""
    for page in pages:
        yield await _do_block(rt, run, page, draw_aside)


async def _do_elsewhere(
    rt: Runtime, run: _Run, pages: Sequence[Page], processes: int
) -> AsyncGenerator[int, None]:
    """In processes; no more shares are given out than are worked on, so that breaking off ends soon."""
    loop, settings = asyncio.get_running_loop(), rt.settings.model_copy(update={"pool_size": 2})
    with start_executor(processes) as pool:
        size = max(1, min(_SHARE, len(pages) // (processes * _SHARES)))
        shares = (pages[start : start + size] for start in range(0, len(pages), size))
        under_way: set[asyncio.Future[int]] = set()
        try:
            while True:
                while len(under_way) <= processes and (share := next(shares, None)):
                    under_way.add(loop.run_in_executor(pool, _do_share, settings, run, share))
                if not under_way:
                    return
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for part in done:
                    yield await part
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _do_share(settings: Settings, run: _Run, pages: Sequence[Page]) -> int:
    done = asyncio.run(_share(settings, run, pages))
    # The collector is off while documents are made (drawing.py).
    gc.collect()
    return done


async def _share(settings: Settings, run: _Run, pages: Sequence[Page]) -> int:
    rt = await open_runtime(settings, name="statements")
    try:
        return sum([await _do_block(rt, run, page, _draw_now) for page in pages])
    finally:
        await close_runtime(rt)


Draw = Callable[[BlockFacts, Task], Coroutine[Any, Any, Sequence[Drawn | None]]]


async def _draw_now(facts: BlockFacts, task: Task) -> Sequence[Drawn | None]:
    return draw_block(facts, task)


async def draw_aside(facts: BlockFacts, task: Task) -> Sequence[Drawn | None]:
    """`draw_block` in a thread."""
    return await asyncio.to_thread(draw_block, facts, task)


async def _do_block(rt: Runtime, run: _Run, page: Page, draw: Draw) -> int:
    """Read, compute and write one block; once more from fresh facts when another run wrote meanwhile. How
    many households it did."""
    for _ in range(_MOST_ATTEMPTS):
        async with rt.db.begin() as conn:
            await conn.execute(_SQL["snapshot"])
            facts, latest = await read_block(rt, conn, run, page)
        drawn = await draw(facts, run.task)
        try:
            await _write_block(rt, run, page, facts.homes, drawn, latest)
            return len(facts.homes)
        except UniqueViolation:
            continue
        except NoLongerOpen:
            return 0
    raise Conflict("另一次出具正在更新同一批纳税人的文书，请稍后再次出具；已写入的不会重复。")


async def read_block(
    rt: Runtime, conn: Connection, run: _Run, page: Page
) -> tuple[BlockFacts, dict[int, Latest]]:
    """The facts of a block, and of each household the document that counts so far."""
    facts = await read_facts(
        conn, _SQL, _filter(run, page), run.periods, open_vault(rt.settings), run.province
    )
    ids = [home[0] for home in facts.homes]
    marks = await marks_of(conn, run.marks, ids)
    if document_kind(run.kind).asks_scan:
        marks += await _scanned(conn, run, ids)
    return replace(facts, marks=marks), await _latest(conn, run, ids)


async def _scanned(conn: Connection, run: _Run, ids: list[int]) -> list[Mark]:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["scanned"], {"ids": ids, "year": run.year})
        return [(taxpayer_id, SCANNED, "") for taxpayer_id in await cursor.fetchall()]


async def _latest(conn: Connection, run: _Run, ids: list[int]) -> dict[int, Latest]:
    async with conn.cursor(row_factory=tuple_row) as cursor:
        # Planned each time: a plan that was kept from when the table was small reads all of it ever after.
        wanted = {"ids": ids, "kind": run.kind, "year": run.year}
        await cursor.execute(_SQL["latest"], wanted, prepare=False)
        return {row[0]: Latest(*row[1:]) for row in await cursor.fetchall()}


def made_of(run: _Run, home: Values, drawn: Drawn | None, old: Latest | None) -> Drawn | None:
    """What is to be frozen: the document, the version that withdraws it, None where there is nothing to tell
    and never was."""
    if drawn is None and old is not None and not old.withdrawn:
        return draw(withdrawal(run.kind, run.year, *home[1:5]))
    return drawn


async def _write_block(
    rt: Runtime,
    run: _Run,
    page: Page,
    homes: Sequence[Values],
    drawn: Sequence[Drawn | None],
    latest: Mapping[int, Latest],
) -> None:
    """Raises UniqueViolation when another run wrote since our snapshot: of two same versions PostgreSQL lets
    one in, so that no older facts follow newer ones. Raises NoLongerOpen."""
    vault, fresh, tally = open_vault(rt.settings), list[Fresh](), Tally()
    tag = vault.keyed_hash("statement.facts").digest
    for home, one in zip(homes, drawn, strict=True):
        taxpayer_id, unit, old = home[0], home[5], latest.get(home[0])
        made = made_of(run, home, one, old)
        if made is None:
            tally.add_empty(unit)
            continue
        facts_tag = tag(made.lasting())
        if old is not None and old.facts_tag == facts_tag:
            tally.add_unchanged(unit)
            continue
        fresh.append(Fresh(taxpayer_id, made, facts_tag, old))
        tally.add_document(unit, made, old)
    async with rt.db.begin() as conn:
        await freeze(conn, vault, label_of(run), fresh)
        await close_block(conn, run.id, page, tally)
        # Last, because others wait for the set.
        await note_holders(conn, run.kind, run.year, [home[0] for home in homes], fresh, latest)


def label_of(run: _Run) -> Label:
    """What all documents of a run bear."""
    return Label(
        run.kind, run.year, run.id, run.issued_at, run.shown_at, run.data_as_of, run.reason, run.digest
    )
