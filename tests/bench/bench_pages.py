"""The taxpayers' pages: what they weigh, when a slow phone shows them, how long a statement takes under load.

Weight is what came over the wire, header and body, without fonts, of a first visit with nothing kept. First
contentful paint is measured in Chromium with its processor slowed down four times, on loopback. The server is
the web process as it runs in production; visits of several households take turns. Latency is told at an
offered rate, CPU and the most pages a second with readers who ask again at once; the ceiling is the same
bytes from a bare application in the same kind of server. Every statement that is shown is durable in the
audit before it is answered, so what the disk takes for one write of that kind is told beside it.

    .venv/bin/python -m tests.bench --only pages
"""

import asyncio
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from playwright.async_api import Page, Request, async_playwright

from outreach.ports import unused_port
from outreach.runtime import Runtime
from tests.bench import meters
from tests.bench.readers import HOST, Ask, read_all, read_at, read_page
from tests.bench.rows import Row, cost, rate
from tests.bench.stage import process
from tests.e2e.chromium import launch
from tests.integration.public_site import Site, open_site
from tests.integration.statement_samples import COMPANY, PERSON, SHOP

_ENTRY = "/t/aaaaaaaaaaa"
_PAGES = {
    "entry": _ENTRY, "statement": "/statement", "statement, large print": "/statement?size=large",
    "statement, Mongolian": "/statement?lang=mn&size=normal", "choices": "/answers/choices?lang=zh",
    "leaflets": "/leaflets",
}  # fmt: skip
_SLOWER = 4
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_VISITS = 4
"""Of each household: codes of one person are limited."""
_READERS = 16
_RATE = 100.0


@dataclass(frozen=True, slots=True)
class _Load:
    """`times`: milliseconds of each page at the offered rate. `micros`: CPU a page by process, and
    `pages`: pages/s, both of readers who ask at once. `foreign`: cores that were busy with something else."""

    times: Sequence[float]
    micros: Mapping[str, float]
    pages: float
    foreign: float

    @property
    def cpu(self) -> float:
        return sum(self.micros.values())


async def run(rt: Runtime, quick: bool) -> Sequence[Row]:
    """Measure in an empty migrated database."""
    count, seconds = (2_000, 10.0) if quick else (10_000, 60.0)
    # A browser takes the cookie of the real site over HTTPS only.
    told = {"port": unused_port(), "log_level": "ERROR", "secure_cookies": False}
    own = replace(rt, settings=rt.settings.model_copy(update=told))
    async with open_site(own, own.settings.var) as site:
        cookies = [await _open(site, one.id) for one in (COMPANY, SHOP, PERSON) for _ in range(_VISITS)]
        await own.db.execute("analyze")
        asks, port = [Ask("/statement", cookie) for cookie in cookies], own.settings.port
        with process(own, "web", "web") as pid:
            await _answering(port)
            rows = await _phone_rows(port, cookies[0])
            pids = {"web": pid, "PostgreSQL": (await meters.server_pids(own))["postgres"]}
            disk = asyncio.create_task(asyncio.to_thread(_disk_times, own.settings.var / "disk", seconds))
            loaded = await _load(port, pids, asks, count, seconds)
            entry = await _load(port, pids, [Ask(_ENTRY)], count, seconds / 5)
            body = await read_page(port, asks[0])
        with _bare(body, bare_port := unused_port()) as pid:
            await _answering(bare_port)
            bare = await _load(bare_port, {"bare": pid}, [Ask("/")], count * 10, seconds)
    durable = _p99(await disk)
    return [
        *rows,
        *_load_rows("statement", loaded, bare),
        cost("the disk meanwhile, 8 KB made durable: p99", durable, unit="ms"),
        *_load_rows("entry", entry, bare),
    ]


async def _open(site: Site, household: int) -> str:
    """A verified visit to one household; its cookie."""
    site.http.cookies.clear()
    await site.open(taxpayer_ids=[household])
    cookie = next(iter(site.http.cookies.jar))
    return f"{cookie.name}={cookie.value}"


async def _load(port: int, pids: Mapping[str, int], asks: Sequence[Ask], count: int, seconds: float) -> _Load:
    # Statements are prepared after some uses of each connection, and code is specialised.
    await read_all(port, asks, count // 4, _READERS)
    before = meters.read(pids)
    taken = await read_all(port, asks, count, _READERS)
    split = meters.between(before, meters.read(pids))
    micros = {name: split.micros(name, count) for name in pids}
    return _Load(await read_at(port, asks, _RATE, seconds), micros, count / taken, split.foreign_cores)


def _load_rows(page: str, load: _Load, bare: _Load) -> list[Row]:
    offered = f"{page}, {_RATE:g} pages/s offered"
    p99, least = (_p99(one.times) for one in (load, bare))
    middle, fast = (statistics.median(one.times) for one in (load, bare))
    return [
        cost(f"{offered}: p99", p99, unit="ms", budget=50, ceiling=least),
        cost(f"{offered}: median", middle, unit="ms", ceiling=fast),
        *(cost(f"{page}: CPU of {name}", value, unit="µs/page") for name, value in load.micros.items()),
        cost(f"{page}: CPU of both", load.cpu, unit="µs/page", ceiling=bare.cpu),
        rate(f"{page}: for each core", 1e6 / load.cpu, unit="pages/s", ceiling=1e6 / bare.cpu),
        rate(f"{page}, {_READERS} readers at once", load.pages, unit="pages/s", ceiling=bare.pages),
        cost(f"{page}: cores busy with other work meanwhile", load.foreign, unit=""),
    ]


def _disk_times(path: Path, seconds: float) -> list[float]:
    """Milliseconds of writes as a commit makes them, twenty a second."""
    taken: list[float] = []
    with path.open("wb") as file:
        for _ in range(int(seconds * 20)):
            file.write(os.urandom(8192))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(0.05)
    return taken


def _p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


# --- a phone


async def _phone_rows(port: int, cookie: str) -> list[Row]:
    rows: list[Row] = []
    name, _, value = cookie.partition("=")
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        for what, address in _PAGES.items():
            base = f"http://{HOST}:{port}"
            context = await browser.new_context(base_url=base, viewport={"width": 390, "height": 844})
            await context.add_cookies([{"name": name, "value": value, "url": base}])
            rows += await _visit(await context.new_page(), what, address)
            await context.close()
        await browser.close()
    return rows


async def _visit(page: Page, what: str, address: str) -> list[Row]:
    sizes: list[tuple[str, int]] = []

    async def keep(request: Request) -> None:
        found = await request.sizes()
        sizes.append((request.url, found["responseHeadersSize"] + found["responseBodySize"]))

    page.on("requestfinished", keep)
    session = await page.context.new_cdp_session(page)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
    answer = await page.goto(address, wait_until="networkidle")
    assert answer is not None and answer.status == 200, address
    weight = sum(size for url, size in sizes if ".woff2" not in url)
    return [
        cost(f"{what}: weight without fonts", weight / 1000, unit="KB", budget=100),
        cost(f"{what}: requests", len(sizes), unit=""),
        cost(f"{what}: first paint, processor / {_SLOWER}", await page.evaluate(_PAINT), unit="ms"),
    ]


# --- servers


async def _answering(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


@contextmanager
def _bare(body: bytes, port: int) -> Iterator[int]:
    child = multiprocessing.get_context("spawn").Process(target=_serve_bare, args=(body, port))
    child.start()
    try:
        assert child.pid is not None
        yield child.pid
    finally:
        child.terminate()
        child.join()


def _serve_bare(body: bytes, port: int) -> None:
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(body))]

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off")
    uvloop.run(uvicorn.Server(config).serve())
