"""Every page of a taxpayer on small phones, 390 and 320 px wide, in every print and script: nothing outside
the screen or over its neighbour, nothing too small to read or to press, no amount without its unit."""

import pytest
from playwright.async_api import Page

from tests.e2e.every_page import MODES, Town
from tests.e2e.test_public_phone import SMALL_TARGETS

FAULTS = r"""
least => {
  const found = [], root = document.scrollingElement, wide = root.clientWidth;
  const say = (what, one) => found.push(what + ': ' + one.outerHTML.slice(0, 120));
  if (root.scrollWidth > wide) found.push('the page scrolls sideways: ' + root.scrollWidth + ' px');
  const shown = [...document.querySelectorAll('body *')].filter(one => {
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const isPutAside = one.closest('.skip') || (one.closest('thead') && box.right < 0);
    return box.width && style.visibility !== 'hidden' && !isPutAside && !one.parentElement.closest('svg');
  });
  for (const one of shown) {
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    if (box.right > wide + 1 || box.left < -1) say('outside', one);
    const isBox = style.display !== 'inline' && !one.matches('textarea, select, input, svg');
    const isClipped = one.scrollHeight > one.clientHeight && style.overflow !== 'visible';
    if (isBox && isClipped) say('scrolls inside', one);
    const texts = [...one.childNodes].filter(node => node.nodeType === 3 && node.textContent.trim());
    if (!texts.length) continue;
    if (parseFloat(style.fontSize) < least) say('print of ' + style.fontSize, one);
    const range = document.createRange();
    range.selectNodeContents(one);
    const text = range.getBoundingClientRect();
    const isOver = text.right > box.right + 2 || text.bottom > box.bottom + 2 || text.left < box.left - 2;
    if (isBox && isOver) say('text leaves its box', one);
    if (one.lang === 'mn-Mong' && style.writingMode !== 'vertical-lr') say('lies on its side', one);
    const table = one.closest('table'), part = table || one.closest('p, dd, li');
    const says = part && part.textContent;
    for (const node of texts) for (const amount of node.textContent.matchAll(/\d[\d,]*\.\d\d/g)) {
      range.setStart(node, amount.index);
      range.setEnd(node, amount.index + amount[0].length);
      if (range.getClientRects().length > 1) say('a torn amount', one);
    }
    if (texts.some(node => /\d\.\d\d(?!\d|\s?%)/.test(node.textContent)) && part && !/元|yuan/.test(says))
      say('an amount without a unit', one);
  }
  return found;
}
"""
OPEN = "document.querySelectorAll('details').forEach(one => { one.open = true })"


async def faults(page: Page, mode: str) -> list[str]:
    """What is wrong at the page's width, with everything unfolded."""
    await page.evaluate(OPEN)
    await page.evaluate("document.fonts.ready")
    is_large = "large" in mode
    found: list[str] = await page.evaluate(FAULTS, 24 if is_large else 12)
    return found + await page.evaluate(SMALL_TARGETS, 60 if is_large else 44)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_every_page_fits_a_small_phone(town: Town, mode: str) -> None:
    found: dict[str, list[str]] = {}
    async with town.visit() as page:
        for name, stop in town.stops().items():
            await page.set_viewport_size({"width": 390, "height": 844})
            await stop.open(page, mode)
            said = await faults(page, mode)
            await page.set_viewport_size({"width": 320, "height": 640})
            if said := said + await faults(page, mode):
                found[name] = said
    assert found == {}
