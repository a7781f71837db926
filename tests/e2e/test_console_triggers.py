"""A trigger round from the form: a threshold that makes no sense is refused at its field, a good one kept."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Console
from tests.e2e.test_console_campaigns import fill
from tests.e2e.test_console_looks import complaints

AT_THE_SECONDS = ".field--wrong:has(#round-1-stay_seconds) .field__error"


@pytest.mark.parametrize("width", [390, 1440])
async def test_a_trigger_round_is_drafted_by_its_form(console: Console, width: int) -> None:
    options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    async with console.visit("planner", **options) as page:
        await page.goto("/console/campaigns/new")
        await fill(page, f"guide-{width}")
        await page.click("summary:has-text('触发：事件来了就发')")
        await page.select_option("#round-1-trigger", "page_stay")
        await page.select_option("#round-1-once", "taxpayer")
        await page.fill("#round-1-once_days", "30")
        await page.fill("#round-1-stay_page", "vat-return")
        for typed, said in (("三分钟", "秒数请填写整数"), ("0", "停留秒数应在 1 到 86,400 之间")):
            await page.fill("#round-1-stay_seconds", typed)
            await page.click("text=保存草稿")
            await page.wait_for_selector(f"{AT_THE_SECONDS}:has-text('{said}')")
            await expect(page.locator("#round-1-stay_seconds")).to_have_value(typed)
            await page.wait_for_load_state()
            assert await page.locator(".field__error").count() == 1
        assert await complaints(page, width) == []
        await page.fill("#round-1-stay_seconds", "240")
        await page.click("text=保存草稿")
        await page.wait_for_selector(
            "dd:has-text('在页面「vat-return」停留超过 240 秒；同一户 30 天内只发一条')"
        )
        await page.wait_for_selector("text=用语检查通过")
        assert await complaints(page, width) == []
        await page.click("a:has-text('修改')")
        fields = ("trigger", "once", "once_days", "stay_seconds", "stay_page")
        kept = ("page_stay", "taxpayer", "30", "240", "vat-return")
        for name, value in zip(fields, kept, strict=True):
            await expect(page.locator(f"#round-1-{name}")).to_have_value(value)
        assert await complaints(page, width) == []


async def test_a_session_belongs_to_a_stay_alone(console: Console) -> None:
    async with console.visit("planner") as page:
        await page.goto("/console/campaigns/new")
        await fill(page, "guide-session")
        await page.click("summary:has-text('触发：事件来了就发')")
        await page.select_option("#round-1-trigger", "refund_done")
        await page.select_option("#round-1-once", "session")
        await page.click("text=保存草稿")
        await page.wait_for_selector(
            ".field--wrong:has(#round-1-once) .field__error:has-text('只有页面停留')"
        )
        await page.select_option("#round-1-once", "event")
        await page.click("text=保存草稿")
        await page.wait_for_selector("dd:has-text('退税到账；每个事件发一条')")
