"""Yearly bills, links and PDFs: how fast they are made (design.md section 12).

The ceiling of the bills is the same contents written by COPY without computing or sealing anything.

Live and unknown links are asked for in turn: how far their median times stand apart, beside how far the times
of one sort spread. The pages hide even that behind a fixed time.
"""

import statistics
import time
from collections.abc import Sequence
from datetime import timedelta

from outreach.db.copy import copy_rows
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.statements.access import ask_code
from outreach.statements.documents import read_documents
from outreach.statements.links import LinkRequest, issue_links, new_tokens
from outreach.statements.pdf import render_pdf, set_paper
from outreach.statements.pdf_pages import write_papers
from tests.bench.bills import bill_rows, issue_bills, settle_households
from tests.bench.meters import between, read, server_pids
from tests.bench.rows import Row, cost, rate

_ASKED = 200
_BASE = "https://t.example.gov.cn"


async def run(rt: Runtime, quick: bool) -> Sequence[Row]:
    """Measure in an empty migrated database."""
    await settle_households(rt, 4_000 if quick else 40_000)
    # A process takes a second to start: more than a quick run has to compute.
    made = await issue_bills(rt, 1 if quick else 2)
    ceiling, least = await _copy_rate(rt)
    return [
        *bill_rows(made, ceiling),
        cost("CPU of PostgreSQL for a bare COPY of its bytes", least, unit="µs"),
        *await _apart_rows(rt),
        await _link_row(rt),
        await _pdf_row(rt, mongolian=False),
        await _pdf_row(rt, mongolian=True),
        await _merged_row(rt),
    ]


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
