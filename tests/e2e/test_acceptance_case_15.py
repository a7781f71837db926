"""Case 15 of the domain requirements (section 7): the elder version of every page that taxpayers see has
text of at least 18 pt, targets of at least 60 by 60, and a contrast of at least 4.5, as Chromium computes."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.e2e.answers_stage import Asked, public_pages, verify
from tests.e2e.conftest import Console
from tests.e2e.public_phone import Phone
from tests.e2e.test_public_phone import OPEN_PAGES, SMALL_TARGETS, in_mode
from tests.integration.statement_samples import COMPANY, PERSON

SMALLEST_PRINT = 18 * 96 / 72
"""18 pt in pixels."""
SMALL_PRINT = """
least => [...document.querySelectorAll('body *')]
  .filter(one => [...one.childNodes].some(part => part.nodeType === 3 && part.textContent.trim())
    && one.checkVisibility({visibilityProperty: true, opacityProperty: true})
    && !one.matches('.skip') && parseFloat(getComputedStyle(one).fontSize) < least)
  .map(one => `${getComputedStyle(one).fontSize} ${one.outerHTML.slice(0, 100)}`)
"""
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


async def faults(page: Page) -> list[str]:
    """What is too small, too narrow to touch, or too pale."""
    await page.wait_for_load_state()
    found: list[str] = await page.evaluate(SMALL_PRINT, SMALLEST_PRINT)
    found += await page.evaluate(SMALL_TARGETS, 60)
    pale = (await Axe().run(page, options=CONTRAST)).response["violations"]
    return found + [node["html"][:100] for rule in pale for node in rule["nodes"]]


@pytest.mark.slow
async def test_case_15_the_pages_of_statements(phone: Phone) -> None:
    async with phone.visit() as page:
        found = {}
        for address in (*OPEN_PAGES[:-2], "/leaflets"):
            await page.goto(in_mode(address, "size=large"))
            found[address] = await faults(page)
        await phone.open(page, taxpayer_ids=[COMPANY.id, PERSON.id])
        for number in range(await page.locator("#n option").count()):
            await page.goto(f"/statement?n={number}&size=large")
            found[f"statement {number}"] = await faults(page)
    assert len(found) > 15
    assert {address: said for address, said in found.items() if said} == {}


async def test_case_15_the_pages_of_answers(console: Console, asked: Asked) -> None:
    async with console.visit(None, viewport={"width": 390, "height": 844}) as page:
        await verify(page, console.base, asked)
        found = {}
        for address in public_pages(asked):
            await page.goto(in_mode(address, "size=large"))
            found[address] = await faults(page)
    assert {address: said for address, said in found.items() if said} == {}
