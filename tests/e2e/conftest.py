"""The console in real Chromium: a seeded province, the web process on a free port, one browser."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pyotp
import pytest
import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from outreach.governance.sessions import log_in as log_in_at
from outreach.governance.sessions import resume_session
from outreach.governance.totp import begin_enrolment, confirm_enrolment
from outreach.runtime import Runtime
from outreach.web.app import close_app, create_app
from tests.conftest import TestServers, runtime_on
from tests.e2e.answers_stage import Asked, settle_answers
from tests.e2e.chromium import CHROMIUM, launch, open_context
from tests.e2e.every_page import Town, open_town
from tests.e2e.public_phone import Phone, open_phone
from tests.e2e.seed import PASSWORD, Seeded, seed

_PEOPLE = 22_000
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => window.violations.push(e.violatedDirective));
"""


@dataclass(frozen=True)
class Console:
    """A running console with its data and a browser."""

    rt: Runtime
    base: str
    ids: Seeded
    browser: Browser

    @asynccontextmanager
    async def visit(self, login: str | None = "planner", **options: Any) -> AsyncIterator[Page]:
        """A fresh browser session, logged in; what the browser complains of fails the test at the end."""
        context = await open_context(self.browser, base_url=self.base, **options)
        await context.add_init_script(_WATCH)
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        try:
            if login:
                await log_in(page, login)
            yield page
            assert [line for line in complaints if "status of 4" not in line] == []
        finally:
            await context.close()


async def log_in(page: Page, login: str, password: str = PASSWORD) -> None:
    """Through the form, as people do."""
    await page.goto("/console/login")
    await page.fill("#login", login)
    await page.fill("#password", password)
    await page.click("button[type=submit]")
    await page.wait_for_url("**/console/")


async def two_factor_session(console: Console, login: str) -> str:
    """The session token of somebody who sets up her second factor now and logs in with it."""
    keys = {"login": login}
    await console.rt.db.execute(
        "update account set totp_secret_enc = null, totp_confirmed_at = null where login = %(login)s", keys
    )
    token = await log_in_at(console.rt, login=login, password=PASSWORD, code="", remote="test")
    session = await resume_session(console.rt, token)
    assert session is not None
    codes = pyotp.parse_uri(await begin_enrolment(console.rt, session.actor))
    assert isinstance(codes, pyotp.TOTP)
    await confirm_enrolment(console.rt, session.actor, codes.now())
    code = codes.at(time.time() + 30)
    return await log_in_at(console.rt, login=login, password=PASSWORD, code=code, remote="test")


@pytest.fixture
async def approver(console: Console) -> str:
    """A session of the approver, who has a second factor."""
    return await two_factor_session(console, "approver")


@pytest.fixture(scope="session")
def needs_chromium() -> None:
    """`.ci/system` brings the browser; where it cannot, it has said that these tests are skipped."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")


@pytest.fixture(scope="session")
async def console(
    servers: TestServers, tmp_path_factory: pytest.TempPathFactory, needs_chromium: None
) -> AsyncIterator[Console]:
    """Everything that runs, on a database of its own."""
    folder, signature = tmp_path_factory.mktemp("console"), "国家税务总局北河市税务局"
    async with runtime_on(servers, "console_look", folder, signature=signature) as rt:
        ids = await seed(rt, people=_PEOPLE)
        async with _serving(rt) as base, async_playwright() as playwright:
            browser = await launch(playwright)
            yield Console(rt, base, ids, browser)
            await browser.close()


@pytest.fixture(scope="session")
async def asked(console: Console) -> Asked:
    """What taxpayers and staff of the console's town have to answer."""
    return await settle_answers(console.rt)


@pytest.fixture(scope="session")
async def phone(
    servers: TestServers, tmp_path_factory: pytest.TempPathFactory, needs_chromium: None
) -> AsyncIterator[Phone]:
    """The taxpayers' pages of another town."""
    async with open_phone(servers, tmp_path_factory.mktemp("phone")) as opened:
        yield opened


@pytest.fixture(scope="session")
async def town(
    servers: TestServers, tmp_path_factory: pytest.TempPathFactory, needs_chromium: None
) -> AsyncIterator[Town]:
    """A town where every page of a taxpayer has something to show."""
    async with open_town(servers, tmp_path_factory.mktemp("town")) as opened:
        yield opened


@asynccontextmanager
async def _serving(rt: Runtime) -> AsyncIterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(rt)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=2))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        await close_app(app)
