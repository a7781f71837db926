"""The real browser that the pages are looked at with."""

from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, Playwright, expect

CHROMIUM = Path("/usr/bin/chromium")
"""Where `.ci/system` puts it."""
PATIENCE_MS = 60_000
"""For whatever a page must come to show or do: a machine may stand still for a while, and only what hangs
takes so long."""

expect.set_options(timeout=PATIENCE_MS)


async def launch(playwright: Playwright) -> Browser:
    """Without what a machine without a screen and a container without namespaces do not have."""
    return await playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"], timeout=2 * PATIENCE_MS
    )


async def open_context(browser: Browser, **options: Any) -> BrowserContext:
    """A session of its own, as patient as all of them; nothing moves in it, so that whatever is measured has
    come to its place and to its colour."""
    context = await browser.new_context(**{"locale": "zh-CN", "reduced_motion": "reduce", **options})
    context.set_default_timeout(PATIENCE_MS)
    return context


async def shows(page: Page, text: str, where: str = "main") -> None:
    """Wait until a place of the page says this, as somebody reads it: after a press the next page may be
    there only in part."""
    await expect(page.locator(where).first).to_contain_text(text, use_inner_text=True)
