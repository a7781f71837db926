"""Every page of the console in every size and light: no barrier (WCAG 2.2 AA by axe), no overflow, nothing
that the content security policy had to stop, and the headers on every answer."""

from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.e2e.conftest import Console

PAGES = (
    "/console/",
    "/console/campaigns",
    "/console/campaigns/{ids.campaign}",
    "/console/campaigns/{ids.draft}",
    "/console/campaigns/{ids.campaign}/pending",
    "/console/rounds/{ids.running_round}",
    "/console/rounds/{ids.finished_round}/households?set=no_address",
    "/console/messages?round={ids.running_round}&state=1",
    "/console/templates",
    "/console/templates/{ids.template}",
    "/console/taxpayers",
    "/console/taxpayers?q=没有这一户",
    "/console/taxpayers/1",
    "/console/taxpayers/{ids.household}",
    "/console/segments?expression=iit.must_file",
    "/console/segments?expression=iit.fled",
    "/console/reports",
    "/console/reports/{ids.campaign}",
    "/console/settings/gateways",
    "/console/settings/quota",
    "/console/settings/imports",
    "/console/settings/imports/1",
    "/console/statements",
    "/console/statements/new",
    "/console/statements/standing",
    "/console/findings",
    "/console/register",
    "/console/service",
    "/console/service/uplinks",
    "/console/service/tasks",
    "/console/service/visits",
    "/console/search?q=北河",
    "/console/me",
    "/console/nowhere",
)
AXE = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
# What darkness can break. The rest does not depend on it, and axe takes a second a page.
AXE_IN_THE_DARK = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
LOOKS = [
    pytest.param(1440, "light", id="desktop-light"),
    pytest.param(390, "light", id="phone-light"),
    pytest.param(1024, "dark", id="tablet-dark"),
]


async def complaints(page: Page, width: int) -> list[str]:
    await page.wait_for_load_state()
    is_dark = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    said = await Axe().run(page, options=AXE_IN_THE_DARK if is_dark else AXE)
    found = [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in said.response["violations"]]
    if (wide := await page.evaluate("document.documentElement.scrollWidth")) > width:
        found.append(f"{wide - width} pixels too wide")
    return found + [f"policy: {name}" for name in await page.evaluate("window.violations")]


@pytest.mark.parametrize(("width", "light"), LOOKS)
async def test_every_page_is_open_to_everybody(console: Console, width: int, light: str) -> None:
    found: dict[str, list[str]] = {}
    options: dict[str, Any] = {
        "viewport": {"width": width, "height": 900},
        "color_scheme": light,
        "reduced_motion": "reduce",
    }
    async with console.visit(**options) as page:
        for pattern in PAGES:
            path = pattern.format(ids=console.ids)
            await page.goto(path)
            if said := await complaints(page, width):
                found[path] = said
    assert found == {}


@pytest.mark.parametrize(("width", "light"), LOOKS)
async def test_the_log_in_is_open_to_everybody(console: Console, width: int, light: str) -> None:
    options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": light}
    async with console.visit(None, **options) as page:
        await page.goto("/console/login")
        assert await complaints(page, width) == []


async def test_the_smallest_phone_still_fits(console: Console) -> None:
    async with console.visit(viewport={"width": 360, "height": 740}) as page:
        for pattern in PAGES:
            await page.goto(pattern.format(ids=console.ids))
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, pattern


async def test_menus_and_confirmations_are_open_to_everybody(console: Console) -> None:
    async with console.visit(viewport={"width": 1440, "height": 900}) as page:
        await page.goto(f"/console/rounds/{console.ids.running_round}")
        await page.click("summary:has-text('取消本轮')")
        assert await complaints(page, 1440) == []
        await page.click(".scope summary")
        await page.locator("#scope-choices form").wait_for()
        assert await complaints(page, 1440) == []


@pytest.mark.parametrize(
    "path",
    ["/console/login", "/console/", "/health/live", "/static/console/base.css", "/nowhere", "/api/v1/labels"],
)
async def test_every_answer_carries_the_security_headers(console: Console, path: str) -> None:
    async with httpx.AsyncClient(base_url=console.base, timeout=60) as client:
        headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
