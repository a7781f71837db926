"""The taxpayers' pages on a database and a port of their own, and a browser that is a small phone."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from outreach.labels.catalogue import load_builtin
from outreach.labels.derived import refresh_derived
from outreach.statements.issue import issue_documents
from tests.conftest import TestServers, runtime_on
from tests.e2e.chromium import launch, open_context
from tests.integration.public_site import Site, open_site
from tests.integration.statement_samples import one_link


@dataclass(frozen=True)
class Phone:
    """The pages on a port of their own, and a browser."""

    site: Site
    base: str
    browser: Browser

    @asynccontextmanager
    async def visit(self, says_no: str = "status of 4", **options: Any) -> AsyncIterator[Page]:
        """A fresh visitor with a small phone; what the browser complains of fails the test, but for pages
        that say no, which have a status like `says_no`."""
        context = await open_context(
            self.browser,
            base_url=self.base,
            viewport={"width": 390, "height": 844},
            has_touch=True,
            **options,
        )
        page = await context.new_page()
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
        try:
            yield page
            assert [line for line in said if not re.search(says_no, line)] == []
        finally:
            await context.close()

    async def open(self, page: Page, **link: Any) -> None:
        """As she does: the link, the button, the code, the button."""
        # Tests that share the city would use up what one person may ask for in a day.
        await self.site.rt.db.execute("update one_time_code set created_at = created_at - interval '1 day'")
        token = await one_link(self.site.rt, **link)
        await page.goto(f"/t/{token}")
        await page.click("button.primary")
        await page.wait_for_selector("#code")
        # Sent after the answer.
        async with asyncio.timeout(60):
            while not self.site.codes:
                await asyncio.sleep(0.02)
        await page.fill("#code", self.site.codes.pop())
        await page.click("button.primary")
        await page.wait_for_url("**/statement")


@asynccontextmanager
async def open_phone(
    servers: TestServers, folder: Path, database: str = "phone_look"
) -> AsyncIterator[Phone]:
    """A made-up city with a document of every kind, on a database of its own."""
    async with (
        runtime_on(servers, database, folder) as rt,
        open_site(rt, folder) as site,
        _serving(site) as base,
    ):
        await _issue_the_rest(site)
        async with async_playwright() as playwright:
            browser = await launch(playwright)
            yield Phone(site, base, browser)
            await browser.close()


async def _issue_the_rest(site: Site) -> None:
    async with site.rt.db.begin() as conn:
        await load_builtin(conn)
        await refresh_derived(conn, source="登记")
    for kind in ("benefit_bill", "gift_pack", "checkup"):
        await issue_documents(site.rt, kind, 2025, scope_org_id=1)


@asynccontextmanager
async def _serving(site: Site) -> AsyncIterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(site.app, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
