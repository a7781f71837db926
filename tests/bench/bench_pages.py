"""The taxpayers' pages: what they weigh, when a slow phone shows them, how long a statement takes under load.

Weight is what came over the wire, header and body, without fonts, of a first visit with nothing kept. First
contentful paint is measured in Chromium with its processor slowed down four times, on loopback. Latency is
that of readers who ask again as soon as they are answered, with the server in a process of its own; the
ceiling is the same bytes from a bare application in the same server.
"""

import asyncio
import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from playwright.async_api import Page, Request, async_playwright

from outreach.config import Settings
from outreach.ledger.gateways import Fleet
from outreach.logs import configure_logs
from outreach.runtime import Runtime, close_runtime, open_runtime
from outreach.web.public import make_public_router
from outreach.web.taxpayers import taxpayer_deps
from tests.bench.rows import Row, cost, rate
from tests.integration.public_site import open_site

_CHROMIUM = Path("/usr/bin/chromium")
_PAGES = {
    "entry": "/t/aaaaaaaaaaa", "statement": "/statement", "statement, large print": "/statement?size=large",
    "statement, Mongolian": "/statement?lang=mn&size=normal", "choices": "/answers/choices?lang=zh",
    "leaflets": "/leaflets",
}  # fmt: skip
_SLOWER = 4
_READERS = 16
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


async def run(rt: Runtime, quick: bool) -> Sequence[Row]:
    """Measure in an empty migrated database."""
    # A browser takes the cookie of the real site over HTTPS only.
    settings = rt.settings.model_copy(update={"secure_cookies": False})
    async with open_site(Runtime(settings, rt.db, rt.redis, rt.http), settings.var) as site:
        await site.open()
        cookie = next(iter(site.http.cookies.jar))
        assert cookie.value is not None
        header = f"{cookie.name}={cookie.value}"
        port = _free_port()
        with _process(_serve_pages, settings, port) as pid:
            await _answering(port)
            rows = await _phone_rows(port, cookie.name, cookie.value)
            body = await _get(port, "/statement", header)
            used, count = _cpu_seconds(pid), 600 if quick else 6_000
            taken = await _read_along(port, "/statement", header, count)
            spent = (_cpu_seconds(pid) - used) / (count + count // 10) * 1000
        port = _free_port()
        with _process(_serve_bare, body, port):
            await _answering(port)
            bare = await _read_along(port, "/", header, count)
    return [*rows, *_load_rows(taken, bare), cost("statement page: CPU of the server", spent, unit="ms")]


def _load_rows(taken: Sequence[float], bare: Sequence[float]) -> list[Row]:
    name = f"statement page, {_READERS} readers"
    p99, least = (statistics.quantiles(times, n=100)[98] * 1000 for times in (taken, bare))
    median, fast = (statistics.median(times) * 1000 for times in (taken, bare))
    return [
        cost(f"{name}: p99", p99, unit="ms", budget=50, ceiling=least),
        cost(f"{name}: median", median, unit="ms", ceiling=fast),
        rate(name, _READERS / (median / 1000), unit="pages/s", ceiling=_READERS / (fast / 1000)),
    ]


# --- a phone


async def _phone_rows(port: int, name: str, value: str) -> list[Row]:
    rows: list[Row] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        for what, address in _PAGES.items():
            base = f"http://localhost:{port}"
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


# --- readers


async def _read_along(port: int, path: str, cookie: str, count: int) -> list[float]:
    await _readers(port, path, cookie, count // 10)
    return await _readers(port, path, cookie, count)


async def _readers(port: int, path: str, cookie: str, count: int) -> list[float]:
    taken: list[float] = []

    async def read() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(count // _READERS):
            began = time.perf_counter()
            writer.write(_request(path, cookie))
            await _answer(reader)
            taken.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(read() for _ in range(_READERS)))
    return taken


async def _get(port: int, path: str, cookie: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request(path, cookie))
    body = await _answer(reader)
    writer.close()
    return body


def _request(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head[:40]
    return await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))


async def _answering(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


# --- servers


def _cpu_seconds(pid: int) -> float:
    """What a process has used: fields 14 and 15 of proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _process(serve: Callable[..., None], *arguments: Any) -> Iterator[int]:
    process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
    process.start()
    try:
        assert process.pid is not None
        yield process.pid
    finally:
        process.terminate()
        process.join()


def _serve_pages(settings: Settings, port: int) -> None:
    configure_logs("ERROR", as_json=False)

    async def serve() -> None:
        rt = await open_runtime(settings, name="pages")
        fleet = Fleet(rt)
        app = FastAPI()
        app.include_router(make_public_router(taxpayer_deps(rt, fleet)))
        await _serve(app, port)
        await fleet.close()
        await close_runtime(rt)

    uvloop.run(serve())


def _serve_bare(body: bytes, port: int) -> None:
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(body))]

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvloop.run(_serve(app, port))


async def _serve(app: Any, port: int) -> None:
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off")
    await uvicorn.Server(config).serve()
