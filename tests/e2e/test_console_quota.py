"""设置 › 频次上限 in a browser: set by whoever approves, read by the others, told on a campaign's page."""

from playwright.async_api import expect

from tests.e2e.chromium import shows
from tests.e2e.conftest import Console
from tests.e2e.test_console_emergency import visit_as
from tests.e2e.test_console_looks import complaints

ADDRESS = "/console/settings/quota"


async def test_set_by_the_approver_and_told_to_the_planner(console: Console, approver: str) -> None:
    async with visit_as(console, approver, 390) as page:
        await page.goto(ADDRESS)
        await page.fill("#messages", "2")
        await page.fill("#days", "90")
        await page.click("button:has-text('保存')")
        await shows(page, "1 到 56", ".field__error")
        await expect(page.locator("#messages")).to_have_value("2")
        assert await complaints(page, 390) == []
        await page.fill("#days", "7")
        await page.click("button:has-text('保存')")
        await page.wait_for_selector("td:has-text('7 天内最多 2 次')")
        assert await complaints(page, 390) == []
    async with console.visit() as page:
        await page.goto(ADDRESS)
        await shows(page, "7 天内最多 2 次")
        assert await page.locator("button:has-text('保存')").count() == 0
        await page.goto("/console/campaigns/new")
        await shows(page, "统一上限")
    async with visit_as(console, approver) as page:
        await page.goto(ADDRESS)
        await page.click("button:has-text('取消本级的上限')")
        await page.wait_for_selector("text=没有统一的频次上限")
        assert await complaints(page, 1440) == []
