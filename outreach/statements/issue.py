"""Documents of any kind, a block of households at a time: a few queries, pure computation, one COPY.

Issuing again is harmless: a household whose facts have not changed keeps its document; one whose facts have
gets a new version that names the old one. Processes do whole blocks by themselves, on connections of their
own: what travels between them is where blocks end and what came of them.
"""

import asyncio
import gc
import secrets
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from psycopg.errors import UniqueViolation
from psycopg.rows import scalar_row, tuple_row
from psycopg.types.string import BytesBinaryDumper

from outreach.clock import in_beijing
from outreach.config import Settings
from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.vault import Vault, open_vault
from outreach.runtime import Runtime, close_runtime, open_runtime
from outreach.statements.canonical import TEXT, VALUE, canonical, form_of
from outreach.statements.content import content_hash
from outreach.statements.drawing import Drawn, Task, draw_block, start_executor
from outreach.statements.facts import BlockFacts, read_facts
from outreach.statements.kinds import DocumentKind, document_kind
from outreach.statements.marks import Marks, marks_of, read_marks
from outreach.statements.packing import pack_many

_SQL = load_queries(__file__)
_BLOCK = 2_000
_SHARE = 32
"""Blocks that a process does at one go, at most: so many that connecting does not count."""
_SHARES = 4
"""Shares of a process, at least, where there are blocks enough: all processes end at about the same time."""
_MOST_ATTEMPTS = 5
_COLUMNS = (
    ("id", "int8"),
    ("taxpayer_id", "int4"),
    ("kind", "text"),
    ("year", "int2"),
    ("version", "int2"),
    ("supersedes", "int8"),
    ("run_id", "int4"),
    ("content_enc", "bytea"),
    ("content_hash", "bytea"),
    ("facts_tag", "bytea"),
    ("issued_at", "timestamptz"),
)
Progress = Callable[[int, int], Awaitable[None]]
Page = tuple[int, int]
"""A block: households after the first id, up to the second."""


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
    digest: str
    task: Task
    marks: Marks

    @property
    def periods(self) -> dict[str, int]:
        year = self.year * 100
        return {"year": self.year, "last_first": year - 99, "first": year + 1, "last_month": year + 12}


class _Latest(NamedTuple):
    """The document of a household that counts so far."""

    id: int
    version: int
    facts_tag: bytes


class _Fresh(NamedTuple):
    """A document to write."""

    taxpayer_id: int
    drawn: Drawn
    facts_tag: bytes
    old: _Latest | None


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
) -> Issued:
    """Issue the documents of a kind and a year for the households under an org unit, or for some of them.

    `reason` is told to households whose document is corrected; `deadlines` (yyyymm to date) are filing dates
    that staff have entered for years whose holidays are not published; `progress` is awaited with (done, all)
    as blocks are done; `processes` do the work beside this one (1: a thread of this process, enough below
    some ten thousand households). Every block is a transaction: a run that was broken off is finished by
    running it again, and two runs at once make no version twice.
    Raises NotFound for an unknown unit, InvalidInput for an unknown kind, a year that has not begun or a rule
    not in force, ExpressionInvalid when the catalogue lacks a label that the kind needs.
    """
    wanted, now = document_kind(kind), await rt.now()
    if not 2000 <= year <= in_beijing(now).year:
        raise InvalidInput(f"{year} {wanted.title}还不能出具，请选择已开始的年度。", field="year")
    run = await _start(rt, wanted, year, scope_org_id, taxpayer_ids, by, reason, now, deadlines or {})
    pages = await rt.db.fetch(_SQL["pages"], {**_filter(run), "block": _BLOCK})
    total = sum(page["n"] for page in pages)
    counts = Counter(households=0, documents=0, corrections=0, unchanged=0, empty=0, benefits=0)
    ends = list(pairwise((-1, *(page["last"] for page in pages))))
    done = _do_here(rt, run, ends) if processes <= 1 else _do_elsewhere(rt, run, ends, processes)
    async with aclosing(done) as parts:
        async for part in parts:
            counts.update(part)
            if progress is not None:
                await progress(counts["households"], total)
    await rt.db.execute(_SQL["finish_run"], {"run": run.id, **counts})
    return Issued(run.id, **counts)


async def _start(
    rt: Runtime,
    kind: DocumentKind,
    year: int,
    scope: int,
    chosen: Sequence[int] | None,
    by: str,
    reason: str,
    now: datetime,
    entered: Mapping[int, date],
) -> _Run:
    unit = await rt.db.fetch_one(_SQL["scope"], {"scope": scope})
    if unit is None:
        raise NotFound("没有这个机构，请重新选择。")
    here = in_beijing(now)
    task = Task(kind.name, year, here.date(), dict(entered))
    marks = await read_marks(rt, kind.labels(year, task.today), kind.attributes, scope)
    params = {"kind": kind.name, "year": year, "scope": scope, "by": by, "reason": reason}
    row = await rt.db.fetch_one(_SQL["start_run"], params)
    assert row is not None
    ids = None if chosen is None else list(chosen)
    shown_at = here.isoformat(timespec="minutes")
    return _Run(
        row["id"],
        kind.name,
        year,
        unit["path"],
        unit["province"],
        ids,
        reason,
        now,
        shown_at,
        rt.settings.digest,
        task,
        marks,
    )


def _filter(run: _Run) -> dict[str, Any]:
    return {"path": run.path + "%", "chosen": run.chosen}


async def _do_here(rt: Runtime, run: _Run, pages: Sequence[Page]) -> AsyncGenerator[Counter[str], None]:
    """Block by block, computed in a thread so that this process answers others meanwhile."""
    for page in pages:
        yield await _do_block(rt, run, page, _draw_aside)


async def _do_elsewhere(
    rt: Runtime, run: _Run, pages: Sequence[Page], processes: int
) -> AsyncGenerator[Counter[str], None]:
    """In processes; no more shares are given out than are worked on, so that breaking off ends soon."""
    loop, settings = asyncio.get_running_loop(), rt.settings.model_copy(update={"pool_size": 2})
    with start_executor(processes) as pool:
        size = max(1, min(_SHARE, len(pages) // (processes * _SHARES)))
        shares = (pages[start : start + size] for start in range(0, len(pages), size))
        under_way: set[asyncio.Future[Counter[str]]] = set()
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


def _do_share(settings: Settings, run: _Run, pages: Sequence[Page]) -> Counter[str]:
    counts = asyncio.run(_share(settings, run, pages))
    # The collector is off while documents are made (drawing.py).
    gc.collect()
    return counts


async def _share(settings: Settings, run: _Run, pages: Sequence[Page]) -> Counter[str]:
    rt = await open_runtime(settings, name="statements")
    try:
        return sum([await _do_block(rt, run, page, _draw_now) for page in pages], Counter[str]())
    finally:
        await close_runtime(rt)


Draw = Callable[[BlockFacts, Task], Coroutine[Any, Any, Sequence[Drawn | None]]]


async def _draw_now(facts: BlockFacts, task: Task) -> Sequence[Drawn | None]:
    return draw_block(facts, task)


async def _draw_aside(facts: BlockFacts, task: Task) -> Sequence[Drawn | None]:
    return await asyncio.to_thread(draw_block, facts, task)


async def _do_block(rt: Runtime, run: _Run, page: Page, draw: Draw) -> Counter[str]:
    """Read, compute and write one block; once more from fresh facts when another run wrote meanwhile."""
    for _ in range(_MOST_ATTEMPTS):
        async with rt.db.begin() as conn:
            await conn.execute(_SQL["snapshot"])
            facts, latest = await _read(rt, conn, run, page)
        drawn = await draw(facts, run.task)
        try:
            return await _write_block(rt, run, [home[0] for home in facts.homes], drawn, latest)
        except UniqueViolation:
            continue
    raise Conflict("另一次出具正在更新同一批纳税人的文书，请稍后再次出具；已写入的不会重复。")


async def _read(
    rt: Runtime, conn: Connection, run: _Run, page: Page
) -> tuple[BlockFacts, dict[int, _Latest]]:
    block = {**_filter(run), "after": page[0], "last": page[1]}
    facts = await read_facts(conn, _SQL, block, run.periods, open_vault(rt.settings), run.province)
    ids = [home[0] for home in facts.homes]
    marked = replace(facts, marks=await marks_of(conn, run.marks, ids))
    return marked, await _latest(conn, run, ids)


async def _latest(conn: Connection, run: _Run, ids: list[int]) -> dict[int, _Latest]:
    async with conn.cursor(row_factory=tuple_row) as cursor:
        # Planned each time: a plan that was kept from when the table was small reads all of it ever after.
        wanted = {"ids": ids, "kind": run.kind, "year": run.year}
        await cursor.execute(_SQL["latest"], wanted, prepare=False)
        return {row[0]: _Latest(*row[1:]) for row in await cursor.fetchall()}


async def _write_block(
    rt: Runtime,
    run: _Run,
    ids: Sequence[int],
    drawn: Sequence[Drawn | None],
    latest: Mapping[int, _Latest],
) -> Counter[str]:
    """Raises UniqueViolation when another run wrote since our snapshot: of two same versions PostgreSQL lets
    one in, so that no older facts follow newer ones."""
    counts = Counter(households=len(ids))
    async with rt.db.begin() as conn:
        await _write(conn, open_vault(rt.settings), run, zip(ids, drawn, strict=True), latest, counts)
    return counts


async def _write(
    conn: Connection,
    vault: Vault,
    run: _Run,
    drawn: Iterable[tuple[int, Drawn | None]],
    latest: Mapping[int, _Latest],
    counts: Counter[str],
) -> None:
    tag = vault.keyed_hash("statement.facts").digest
    fresh: list[_Fresh] = []
    for taxpayer_id, one in drawn:
        if one is None:
            counts["empty"] += 1
            continue
        facts_tag, old = tag(one.lasting()), latest.get(taxpayer_id)
        if old is not None and old.facts_tag == facts_tag:
            counts["unchanged"] += 1
            continue
        fresh.append(_Fresh(taxpayer_id, one, facts_tag, old))
        counts["corrections"] += old is not None
        counts["benefits"] += one.benefits
    counts["documents"] += len(fresh)
    await _copy(conn, vault, run, fresh)


async def _copy(conn: Connection, vault: Vault, run: _Run, fresh: Sequence[_Fresh]) -> None:
    ids = await _take_ids(conn, len(fresh))
    issues = _issues(run, ids, [one.old for one in fresh])
    texts = [one.drawn.text(issue) for one, issue in zip(fresh, issues, strict=True)]
    sealed = vault.seal_many("statement", "content_enc", ids, pack_many(texts))
    rows = (
        (
            statement_id,
            one.taxpayer_id,
            run.kind,
            run.year,
            one.old.version + 1 if one.old else 1,
            one.old.id if one.old else None,
            run.id,
            envelope,
            content_hash(text, run.digest),
            one.facts_tag,
            run.issued_at,
        )
        for statement_id, one, text, envelope in zip(ids, fresh, texts, sealed, strict=True)
    )
    conn.adapters.register_dumper(bytes, BytesBinaryDumper)
    await copy_rows(conn, "statement", _COLUMNS, rows)


async def _take_ids(conn: Connection, count: int) -> list[int]:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["take_ids"], {"n": count})
        return await cursor.fetchall()


_SERIAL = 16


def _issues(run: _Run, ids: Sequence[int], olds: Sequence[_Latest | None]) -> Iterator[bytes]:
    """Of each document the part that is its own: number, version, time, and the random serial of its hash."""
    # One system call for many serials.
    serials = secrets.token_hex(_SERIAL * len(ids))
    form, reason = _issue_form(run), canonical(run.reason)
    for place, (statement_id, old) in enumerate(zip(ids, olds, strict=True)):
        number = document_number(run.year, statement_id)
        serial = serials[2 * _SERIAL * place : 2 * _SERIAL * (place + 1)]
        if old is None:
            issue = form % (number, '""', serial, "null", 1)
        else:
            superseded = canonical(document_number(run.year, old.id))
            issue = form % (number, reason, serial, superseded, old.version + 1)
        yield issue.encode()


def _issue_form(run: _Run) -> str:
    """Places for number, reason, serial, the document that is superseded, and version."""
    # Named only where it is another than that of all documents before: their texts stay what they were.
    named = {} if run.digest == "sha256" else {"digest": run.digest}
    places = {"number": TEXT, "reason": VALUE, "serial": TEXT, "supersedes": VALUE, "version": VALUE}
    return form_of({**named, "at": run.shown_at, **places})


def document_number(year: int, statement_id: int) -> str:
    """What people quote: ZD2025-000012345."""
    return f"ZD{year}-{statement_id:09d}"
