"""Reading aloud: what is for ears and nothing else, and plain words where the phone cannot speak.

The browser of the tests has no voice: where one is needed, the phone's speech keeps what it was given.
"""

import pytest
from playwright.async_api import expect

from tests.e2e.chromium import shows
from tests.e2e.public_phone import Phone

SPEECH = """
window.said = []; window.stopped = 0;
const engine = { getVoices: () => VOICES, cancel: () => { window.stopped += 1; },
  speak: (text) => { window.said.push(text); setTimeout(() => HOW, 0); } };
Object.defineProperty(window, "speechSynthesis", { value: engine });
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
"""
SPEAKS = SPEECH.replace("VOICES", '[{ lang: "zh_CN" }]').replace("HOW", "text.onstart({})")
REFUSES = SPEECH.replace("VOICES", "[]").replace("HOW", 'text.onerror({ error: "synthesis-failed" })')
FOREIGN = SPEECH.replace("VOICES", '[{ lang: "fr-FR" }]').replace("HOW", "text.onstart({})")
BUTTON, NOTE = "[data-read]", "[data-read-note]"


async def test_what_is_read_is_the_page_without_its_check_value(phone: Phone) -> None:
    async with phone.visit() as page:
        await page.add_init_script(SPEAKS)
        await phone.open(page)
        digest = (await page.inner_text(".digest code")).split()
        await page.click(BUTTON)
        said = await page.evaluate("said.map(one => one.text)")
        whole = "".join(said)
        assert (await page.inner_text("h1")).strip() in whole and "减免" in whole
        assert len(digest) == 8 and not [part for part in digest if part in whole]
        assert max(map(len, said)) <= 200 and await page.evaluate("said[0].lang") == "zh-CN"
        assert await page.inner_text(BUTTON) == "停止朗读" and not await page.is_visible(NOTE)
        # Once started it goes on, however long it takes; pressed again it stops.
        await page.click(BUTTON)
        assert await page.evaluate("stopped") == 1 and await page.inner_text(BUTTON) == "朗读"
        await page.click(BUTTON)
        await page.evaluate("said.at(-1).onend({})")
        assert await page.inner_text(BUTTON) == "朗读" and not await page.is_visible(NOTE)


async def test_mongolian_letters_and_boxes_are_not_read(phone: Phone) -> None:
    async with phone.visit() as page:
        await page.add_init_script(SPEAKS)
        await page.goto("/find?lang=mn")
        await page.fill("main input", "91150100MA0EXAMPL1")
        await page.click(BUTTON)
        whole = await page.evaluate("said.map(one => one.text).join('')")
        assert (
            whole and "91150100" not in whole and not any("\u1800" <= letter <= "\u18af" for letter in whole)
        )


@pytest.mark.parametrize("engine", [REFUSES, FOREIGN], ids=["refuses", "foreign"])
async def test_a_phone_that_cannot_speak_is_told(phone: Phone, engine: str) -> None:
    async with phone.visit() as page:
        await page.add_init_script(engine)
        await page.goto("/privacy")
        await page.click(BUTTON)
        await page.wait_for_selector(f"{NOTE}:not([hidden])")
        await shows(page, "不能朗读", NOTE)
        await expect(page.locator(BUTTON)).to_have_text("朗读")


async def test_this_browser_as_it_is_says_whether_it_can(phone: Phone) -> None:
    async with phone.visit() as page:
        await page.goto("/check?lang=en")
        await page.click(BUTTON)
        if await page.evaluate("speechSynthesis.getVoices().length"):
            pytest.skip("this browser has a voice")
        await page.wait_for_selector(f"{NOTE}:not([hidden])")
        await shows(page, "cannot read", NOTE)
        await expect(page.locator(BUTTON)).to_have_text("Read aloud")
