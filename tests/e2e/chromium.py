"""The real browser that the pages are looked at with."""

from pathlib import Path

from playwright.async_api import Browser, Playwright

CHROMIUM = Path("/usr/bin/chromium")
"""Where `.ci/system` puts it."""


async def launch(playwright: Playwright) -> Browser:
    """Without what a machine without a screen and a container without namespaces do not have."""
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
