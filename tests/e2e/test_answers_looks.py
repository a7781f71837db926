"""The pages of answers, for taxpayers and for staff, in real Chromium: no barrier (WCAG 2.2 AA by axe), no
overflow, and a browser's own form posts go through."""

import pytest
from playwright.async_api import expect

from tests.e2e.answers_stage import Asked, public_pages, verify
from tests.e2e.chromium import shows
from tests.e2e.conftest import Console
from tests.e2e.test_console_looks import complaints

LOOKS = [
    pytest.param(1440, "light", id="desktop-light"),
    pytest.param(390, "light", id="phone-light"),
    pytest.param(390, "dark", id="phone-dark"),
]


def staff_pages(asked: Asked) -> list[str]:
    return [
        "/console/service",
        "/console/service?state=closed",
        f"/console/service/tickets/{asked.ticket}",
        f"/console/service/tickets/{asked.feedback}",
        "/console/service/wall",
        "/console/service/places",
        "/console/service/places/sheet",
        "/console/service/evidence",
        f"/console/service/evidence/{asked.campaign}",
        "/console/service/surveys",
        "/console/service/surveys/new",
        f"/console/service/surveys/{asked.survey}",
    ]


@pytest.mark.parametrize(("width", "light"), LOOKS)
async def test_every_page_is_open_to_everybody(
    console: Console, asked: Asked, width: int, light: str
) -> None:
    found: dict[str, list[str]] = {}
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": light, "reduced_motion": "reduce"}
    async with console.visit(**options) as page:
        await verify(page, console.base, asked)
        for path in [*staff_pages(asked), *public_pages(asked)]:
            answer = await page.goto(path)
            assert answer is not None and answer.status == 200, path
            if said := await complaints(page, width):
                found[path] = said
    assert found == {}


async def test_the_elder_version_has_large_targets(console: Console, asked: Asked) -> None:
    async with console.visit(None, viewport={"width": 390, "height": 900}) as page:
        await verify(page, console.base, asked)
        for path in public_pages(asked):
            await page.goto(path + ("&" if "?" in path else "?") + "size=large")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
            for button in await page.locator("main button, main .button, main .choice").all():
                box = await button.bounding_box()
                assert box is not None and box["height"] >= 60, path


async def test_a_browser_confirms_asks_and_answers(console: Console, asked: Asked) -> None:
    async with console.visit(None, viewport={"width": 390, "height": 900}, java_script_enabled=False) as page:
        await verify(page, console.base, asked)
        await page.goto("/answers")
        await page.locator("button[value=confirmed]").first.click()
        await shows(page, "已记录您的选择")
        await page.fill("#text", "六税两费减半到什么时候？")
        await page.click("form[action='/answers/ask'] button")
        await shows(page, "您的编号是")
        await page.goto(f"/answers/survey/{asked.survey}")
        await page.locator("text=还没想好").click()
        await page.click("main button")
        await shows(page, "感谢您的反馈")


async def test_staff_answer_and_she_reads_it(console: Console, asked: Asked) -> None:
    async with console.visit() as page:
        await page.goto(f"/console/service/tickets/{asked.ticket}")
        number = (await page.inner_text("h1")).strip()
        await page.fill("#answer", "已增开两个窗口，欢迎再来。")
        await page.click("text=发出答复")
        await page.click("button:has-text('办结')")
        await expect(page.locator("button:has-text('办结')")).to_have_count(0)
        await page.goto("/ticket")
        await page.fill("#code", number)
        await page.click("main form button")
        await shows(page, "已增开两个窗口")


async def test_a_word_is_left_answered_and_shown_to_everybody(console: Console, asked: Asked) -> None:
    async with console.visit() as page:
        await page.goto(f"/wall/write?place={asked.token}")
        await page.locator("text=等候与排队").click()
        await page.fill("#text", "月底排队太久，电话 13900001111 也打不通，希望多开窗口。")
        await page.locator("text=同意审核后公开").click()
        await page.click("main button")
        number = (await page.inner_text(".number.big")).strip()
        await page.goto("/wall?topic=waiting")
        assert "排队太久" not in await page.inner_text("main")
        await page.goto(f"/console/service?number={number}")
        await page.click("td a.table__name")
        await shows(page, "答复以后才能公开")
        await page.fill("#answer", "月底增开两个窗口，并延长一小时。")
        await page.click("text=发出答复")
        await page.click("button:has-text('公开到吐槽台')")
        # The reviewer is told what is unfit, and her words stay in the form.
        await shows(page, "电话号码", "[role=alert]")
        await page.fill("#wall-text", "月底排队太久，希望多开窗口。")
        await page.click("button:has-text('公开到吐槽台')")
        take_down = page.locator("button:has-text('从吐槽台撤下')")
        await expect(take_down).to_be_visible()
        await page.goto("/wall?topic=waiting")
        shown = await page.inner_text("main")
        assert "月底排队太久，希望多开窗口。" in shown and "增开两个窗口" in shown
        assert "13900001111" not in shown and number not in shown
        await page.go_back()
        await take_down.click()
        await expect(take_down).to_have_count(0)
        await page.goto("/wall?topic=waiting")
        assert "排队太久" not in await page.inner_text("main")
