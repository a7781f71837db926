"""Yearly bills, links and PDFs: how fast they are made (design.md section 12).

Every household has two years of quarterly taxes and six benefits a year; records come in by COPY with their
amounts, as `load_records` stores them. The ceiling of the bills is the same contents written by COPY without
computing or sealing anything. CPU counts where other work shares the machine: that of PostgreSQL with all its
processes, and that of the processes that make bills. What starting these takes, importing above all, is
measured by itself and taken off, because it is the same for a million bills.

Live and unknown links are asked for in turn: how far their median times stand apart, beside how far the times
of one sort spread. The pages hide even that behind a fixed time.
"""

import asyncio
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from multiprocessing import active_children
from typing import Any

from psycopg.types.json import Jsonb

from outreach.db.copy import copy_rows
from outreach.governance.vault import open_vault
from outreach.registry.people import TAX_NO_PURPOSE
from outreach.runtime import Runtime
from outreach.statements.access import ask_code
from outreach.statements.benefits import compute_line
from outreach.statements.bill import issue_yearly_bills
from outreach.statements.documents import read_documents
from outreach.statements.links import LinkRequest, issue_links, new_tokens
from outreach.statements.pdf import render_pdf, set_paper
from outreach.statements.pdf_pages import write_papers
from tests.bench.meters import between, read, server_pids
from tests.bench.rows import Row, cost, rate

_ASKED = 200
_BILLS_A_SECOND = round(1_000_000 / 60)
_BASE = "https://t.example.gov.cn"
_TAXPAYER = (
    ("id", "int4"),
    ("kind", "text"),
    ("name", "text"),
    ("tax_no_enc", "bytea"),
    ("tax_no_bidx", "bytea"),
    ("org_id", "int4"),
    ("digest", "bytea"),
)
_TAX = (
    ("taxpayer_id", "int4"),
    ("month", "int4"),
    ("tax_type", "text"),
    ("declared", "numeric"),
    ("paid", "numeric"),
)
_BENEFIT = (
    ("taxpayer_id", "int4"),
    ("month", "int4"),
    ("benefit_code", "text"),
    ("inputs", "jsonb"),
    ("amount", "numeric"),
)


async def run(rt: Runtime, quick: bool) -> Sequence[Row]:
    """Measure in an empty migrated database."""
    households = 4_000 if quick else 40_000
    await _fill(rt, households)
    # A process takes a second to start: more than a quick run has to compute.
    processes = 1 if quick else 2
    started = (await _issue(rt, 2024, 2, [1])).python if processes > 1 else 0.0
    made = await _issue(rt, 2025, processes)
    return [
        *await _bill_rows(rt, made, started * processes),
        *await _apart_rows(rt),
        await _link_row(rt),
        await _pdf_row(rt, mongolian=False),
        await _pdf_row(rt, mongolian=True),
        await _merged_row(rt),
    ]


@dataclass(frozen=True, slots=True)
class _Made:
    """Documents, and the seconds that they took: by the clock, and of CPU."""

    documents: int
    seconds: float
    python: float
    postgres: float


async def _issue(rt: Runtime, year: int, processes: int, chosen: Sequence[int] | None = None) -> _Made:
    server = {"postgres": (await server_pids(rt))["postgres"]}
    before, used = read(server), _cpu_seconds()
    issued = await issue_yearly_bills(rt, year, scope_org_id=1, taxpayer_ids=chosen, processes=processes)
    split = between(before, read(server))
    # The system tells what a process has used when it has ended and been waited for.
    while active_children():
        await asyncio.sleep(0.02)
    return _Made(issued.documents, split.seconds, _cpu_seconds() - used, split.cpu["postgres"])


async def _bill_rows(rt: Runtime, made: _Made, starting: float) -> Sequence[Row]:
    """The budget of CPU is that of two cores for 60 seconds and a million bills."""
    python, postgres = (
        seconds / made.documents * 1_000_000 for seconds in (made.python - starting, made.postgres)
    )
    ceiling, least = await _copy_rate(rt)
    per_second = made.documents / made.seconds
    return (
        rate("yearly bills issued", per_second, unit="bills/s", budget=_BILLS_A_SECOND, ceiling=ceiling),
        cost("CPU per yearly bill", python + postgres, unit="µs", budget=120),
        cost("of it PostgreSQL", postgres, unit="µs"),
        cost("CPU of PostgreSQL for a bare COPY of its bytes", least, unit="µs"),
        cost("CPU to start the processes", starting, unit="s"),
    )


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


async def _apart_rows(rt: Runtime) -> Sequence[Row]:
    vault, expires = open_vault(rt.settings), await rt.now() + timedelta(days=60)
    async with rt.db.begin() as conn:
        live = await issue_links(
            conn, vault, [LinkRequest([n], None, None, expires, n) for n in range(1, _ASKED + 1)]
        )
    times: dict[str, list[float]] = {"live": [], "unknown": []}
    for known, unknown in zip(live, new_tokens(_ASKED), strict=True):
        for sort, token in (("live", known), ("unknown", unknown)):
            began = time.perf_counter()
            await ask_code(rt, token, "203.0.113.7")
            times[sort].append((time.perf_counter() - began) * 1_000)
    apart = abs(statistics.median(times["live"]) - statistics.median(times["unknown"]))
    low, _, high = statistics.quantiles(times["unknown"], n=4)
    return (
        cost("live and unknown links, medians apart", apart, unit="ms", budget=5),
        cost("unknown links, middle half of the times", high - low, unit="ms"),
    )


async def _link_row(rt: Runtime) -> Row:
    vault, now = open_vault(rt.settings), await rt.now()
    requests = [LinkRequest([n], 1, n, now + timedelta(days=60), n) for n in range(1_000)]
    times = []
    for _ in range(10):
        async with rt.db.begin() as conn:
            began = time.perf_counter()
            await issue_links(conn, vault, requests)
            times.append((time.perf_counter() - began) * 1_000)
    return cost("1,000 links", statistics.median(times), unit="ms")


async def _pdf_row(rt: Runtime, *, mongolian: bool) -> Row:
    documents = await read_documents(rt, list(range(1, 51)))
    render_pdf(documents[0].content, documents[0].digest, _BASE, mongolian=mongolian)
    began = time.process_time()
    for document in documents:
        render_pdf(document.content, document.digest, _BASE, mongolian=mongolian)
    made = len(documents) / (time.process_time() - began)
    name = "PDFs on one core, beside Mongolian" if mongolian else "PDFs on one core"
    return rate(name, made, unit="PDF/s", budget=100)


async def _merged_row(rt: Runtime) -> Row:
    """What a print shop gets: one file, the font once."""
    documents = await read_documents(rt, list(range(1, 51)))
    began = time.process_time()
    write_papers([set_paper(one.content, one.digest, _BASE) for one in documents])
    made = len(documents) / (time.process_time() - began)
    return rate("documents in a merged PDF on one core", made, unit="documents/s")


async def _copy_rate(rt: Runtime) -> tuple[float, float]:
    """Contents a second, and the microseconds of PostgreSQL's CPU for each."""
    rows = await rt.db.fetch("select id, content_enc from statement order by id limit 20000")
    server = {"postgres": (await server_pids(rt))["postgres"]}
    async with rt.db.begin() as conn:
        await conn.execute("create temp table ceiling (id int8, content_enc bytea)")
        before = read(server)
        columns = (("id", "int8"), ("content_enc", "bytea"))
        count = await copy_rows(conn, "ceiling", columns, ((row["id"], row["content_enc"]) for row in rows))
        split = between(before, read(server))
    return count / split.seconds, split.micros("postgres", count)


async def _fill(rt: Runtime, households: int) -> None:
    vault = open_vault(rt.settings)
    ids = range(1, households + 1)
    numbers = [f"91150100{number:010d}" for number in ids]
    async with rt.db.begin() as conn:
        await conn.execute("insert into org_unit values (1, null, 1, '150000', '示例省税务局', '1.')")
        sealed = vault.encrypt_many("taxpayer", "tax_no_enc", ids, numbers)
        indexes = vault.blind_indexes(TAX_NO_PURPOSE, numbers)
        rows = zip(ids, sealed, indexes, strict=True)
        await copy_rows(
            conn,
            "taxpayer",
            _TAXPAYER,
            ((n, "enterprise", f"示例{n}公司", enc, idx, 1, b"") for n, enc, idx in rows),
        )
        await copy_rows(conn, "tax_record", _TAX, _taxes(ids))
        await copy_rows(conn, "benefit_record", _BENEFIT, _benefits(ids))
    await rt.db.execute("analyze taxpayer, tax_record, benefit_record")


def _taxes(ids: range) -> Iterator[tuple[Any, ...]]:
    for number in ids:
        for month in _quarters():
            amount = Decimal(number % 900_000 + month) / 100
            yield number, month, "增值税", amount, amount
            yield number, month, "城市维护建设税", amount / 10, amount / 10


def _benefits(ids: range) -> Iterator[tuple[Any, ...]]:
    for number in ids:
        for month in _quarters():
            yield _benefit(
                number, month, "VAT_SS_EXEMPT_2023", {"sales": str(number % 290_000), "period": "季"}
            )
        for year in (2024, 2025):
            yield _benefit(number, year * 100 + 12, "SIX_TAX_HALF", {"due": str(number % 9_000 + year)})
            yield _benefit(number, year * 100 + 12, "CIT_SLP_2023", {"income": str(number * 7 % 2_900_000)})


def _benefit(number: int, month: int, code: str, inputs: dict[str, str]) -> tuple[Any, ...]:
    return number, month, code, Jsonb(inputs), compute_line(code, month, inputs).amount


def _quarters() -> list[int]:
    return [year * 100 + month for year in (2024, 2025) for month in (3, 6, 9, 12)]
