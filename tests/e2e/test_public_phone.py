"""The taxpayers' pages on a phone of 390 px: in normal and in large print, in Chinese, English and beside
Mongolian: no barrier (WCAG 2.2 AA by axe), nothing wider than the phone, targets that a thumb finds, light
enough for a slow line, and usable by somebody who only presses what is there."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Request

from tests.e2e.public_phone import Phone
from tests.integration.statement_samples import COMPANY, PERSON

MODES = ("", "size=large", "lang=mn&size=large")
OPEN_PAGES = (
    "/t/aaaaaaaaaaa", "/t/aaaaaaaaaaa?step=code", "/t/aaaaaaaaaaa?step=again", "/check", "/why", "/privacy",
    "/stop", "/find", "/u/aaaaaaaaaaa", "/stopped", "/leaflets", "/leaflet/small-business", "/statement",
    "/wall", "/wall/write",
)  # fmt: skip
DOCUMENTS = ("yearly_bill", "benefit_bill", "gift_pack", "checkup")
AXE = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
SMALL_TARGETS = """
least => [
  ...document.querySelectorAll('a, button, select, summary, input:not([type=hidden])'),
].filter(one => {
  const style = getComputedStyle(one), box = (one.closest('label') || one).getBoundingClientRect();
  const inSentence = style.display === 'inline' && one.closest('p, li, dd') && !one.closest('nav');
  if (!box.width || style.visibility === 'hidden' || one.matches('.skip') || inSentence) return false;
  return box.height < least || box.width < least;
}).map(one => one.outerHTML.slice(0, 120))
"""


def in_mode(address: str, mode: str) -> str:
    return address + ("&" if "?" in address else "?") + mode if mode else address


async def complaints(page: Page, mode: str) -> list[str]:
    found = [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in (await Axe().run(page, options=AXE)).response["violations"]
    ]
    if (wide := await page.evaluate("document.documentElement.scrollWidth")) > 390:
        found.append(f"{wide} px wide")
    found += await page.evaluate(SMALL_TARGETS, 60 if "large" in mode else 44)
    if "large" in mode:
        smallest = await page.evaluate(
            "Math.min(...[...document.querySelectorAll('body *')].filter(e => e.innerText && e.offsetHeight)"
            ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
        )
        found += [f"print of {smallest} px"] if smallest < 24 else []
    if await page.locator(".primary").count() > 1:
        found.append("more than one main action")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_pages_for_everybody(phone: Phone, mode: str) -> None:
    found: dict[str, list[str]] = {}
    async with phone.visit() as page:
        topics = [f"/leaflet/{topic}" for topic in await _topics(page)]
        for address in (*(one for one in OPEN_PAGES if not one.startswith("/leaflet/")), topics[0]):
            await page.goto(in_mode(address, mode))
            if said := await complaints(page, mode):
                found[address] = said
    assert found == {}


async def _topics(page: Page) -> list[str]:
    await page.goto("/leaflets")
    links = await page.locator("main a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    return [link.removeprefix("/leaflet/") for link in links]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_documents(phone: Phone, mode: str) -> None:
    found: dict[str, list[str]] = {}
    async with phone.visit() as page:
        await phone.open(page, taxpayer_ids=[COMPANY.id, PERSON.id])
        count = await page.locator("#n option").count()
        assert count == 7, "four documents of a company, three of a person"
        for address in (*(f"/statement?n={n}" for n in range(count)), "/statement/share?n=0"):
            await page.goto(in_mode(address, mode))
            if said := await complaints(page, mode):
                found[address] = said
    assert found == {}


async def test_weight_from_the_network_log(phone: Phone) -> None:
    """What it weighs; the server's part of the time is measured by `make bench ARGS="--only pages"`."""
    finished: list[Request] = []
    async with phone.visit() as page:
        await phone.open(page)
        page.on("requestfinished", lambda request: finished.append(request))
        for mode in ("", "size=large", "lang=mn"):
            finished.clear()
            await page.goto(in_mode("/statement", mode))
            await page.evaluate("document.fonts.ready")
            await page.wait_for_load_state("networkidle")
            sizes = {
                re.sub(r"\?.*", "", one.url): (await one.sizes())["responseBodySize"] for one in [*finished]
            }
            weight = sum(size for address, size in sizes.items() if not address.endswith(".woff2"))
            assert 10_000 < weight < 100_000, sizes
            assert all(address.startswith(phone.base) for address in sizes), "nobody else is asked"
            # The switch shows its own name in the script; the file is kept by the browser for a year.
            assert sum(address.endswith(".woff2") for address in sizes) <= 1


async def test_mongolian_stands_upright_beside_chinese(phone: Phone) -> None:
    async with phone.visit() as page:
        await page.goto("/t/aaaaaaaaaaa?lang=mn")
        heading = page.locator("aside.mongol")
        style = await heading.evaluate(
            "one => ({mode: getComputedStyle(one).writingMode, high: one.offsetHeight,"
            " wide: one.offsetWidth})"
        )
        assert style["mode"] == "vertical-lr" and style["high"] > style["wide"]
        await page.wait_for_function("document.fonts.check('32px \\'Noto Sans Mongolian Web\\'', 'ᠮ')")
        assert "查看您的税务账单" in await page.inner_text("main")


async def test_rating_sharing_and_leaving_in_a_real_browser(phone: Phone) -> None:
    async with phone.visit() as page:
        await phone.open(page)
        await page.check("input[value='5']")
        await page.click("#rate button")
        await page.wait_for_url("**rated=1**")
        assert [rating.stars for rating in phone.site.ratings] == [5]
        await page.click("text=生成分享图")
        svg = await (await page.request.get("/statement/share.svg")).text()
        assert COMPANY.name not in svg and not re.search(r"\d{1,3}(,\d{3})*\.\d\d|9115", svg)
        # Until it is there the link saves the SVG itself.
        await page.wait_for_function("document.querySelector('img.share').naturalWidth > 0")
        async with page.expect_download() as download:
            await page.click("[data-picture]")
        path = await (await download.value).path()
        assert path.read_bytes().startswith(b"\x89PNG")
        await page.goto("/statement")
        await page.click("text=退出查看")
        await page.wait_for_url("**/statement/left")


async def test_without_script(phone: Phone) -> None:
    async with phone.visit(java_script_enabled=False) as page:
        await phone.open(page)
        assert COMPANY.name in await page.content()
