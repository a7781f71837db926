"""账单 in a browser: from an empty place to documents that were looked at, ordered, watched and sampled."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from outreach.governance.vault import open_vault
from outreach.statements.issue import issue_documents
from outreach.statements.links import LinkRequest, issue_links
from outreach.statements.orders import work_runs
from tests.e2e.chromium import shows
from tests.e2e.conftest import Console
from tests.e2e.season import NOW
from tests.e2e.test_console_looks import LOOKS, complaints

_RECORDS = """
insert into tax_record (taxpayer_id, month, tax_type, declared, paid)
select id, 202503, '增值税', id * 100, id * 100 from taxpayer where id <= 21000
on conflict do nothing
"""
_BENEFITS = """
insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount)
select id, 202509, 'SIX_TAX_HALF', true, jsonb_build_object('due', (id * 10)::text || '.00'), id * 5
from taxpayer where id <= 90 on conflict do nothing
"""


@pytest.fixture(scope="module")
async def recorded(console: Console) -> Console:
    """The seeded province with taxes of 2025, and what the command line issued before."""
    await console.rt.db.execute(_RECORDS)
    await console.rt.db.execute(_BENEFITS)
    await issue_documents(console.rt, "benefit_bill", 2025, scope_org_id=1, by="cli")
    wish = LinkRequest([1], console.ids.running_round, None, NOW + timedelta(days=60))
    async with console.rt.db.begin() as conn:
        await issue_links(conn, open_vault(console.rt.settings), [wish])
    return console


async def look(page: Page) -> None:
    await page.goto("/console/statements/new")
    await page.click("button:has-text('试算并看样本')")


async def test_an_officer_issues_bills(recorded: Console) -> None:
    async with recorded.visit() as page:
        await page.goto("/console/")
        await page.click(".nav a:has-text('账单')")
        await page.click("a:has-text('出具文书')")
        await page.fill("#reason", "补录了 12 月的优惠记录")
        await page.click("button:has-text('试算并看样本')")
        await shows(page, "随机抽了 1,000 户试算")
        button = page.locator("button:has-text('不通知任何人')")
        await expect(button).to_be_disabled()
        async with page.expect_popup() as opened:
            await page.click("a:has-text('样本 1')")
        sample = await opened.value
        await shows(sample, "年度纳税缴费账单", "h1")
        await shows(sample, "预览", "[role=note]")
        await sample.close()
        wanted = await page.get_attribute("#typed", "data-must-equal")
        await page.fill("#typed", wanted or "")
        await button.click()
        await expect(page.locator("[role=status].note")).to_contain_text("由后台进程处理")
        await shows(page, "等待处理", "#live")
        await work_runs(recorded.rt, "demo:1")
        await expect(page.locator("#live")).to_contain_text("全部处理完")
        await shows(page, "合计相符", "#live")
        await page.reload()
        async with page.expect_popup() as opened:
            await page.click("a[href*='/console/statements/documents/'] >> nth=0")
        sample = await opened.value
        await shows(sample, "抽查", "[role=note]")
        await sample.close()
        await page.click("a:has-text('发起提醒活动')")
        await expect(page.locator("#name")).to_have_value("2025 年度纳税缴费账单送达")


@pytest.mark.parametrize(("width", "light"), LOOKS)
async def test_the_pages_are_open_to_everybody(recorded: Console, width: int, light: str) -> None:
    async with recorded.visit(
        viewport={"width": width, "height": 900}, color_scheme=light, reduced_motion="reduce"
    ) as page:
        found: dict[str, list[str]] = {}
        for path in ("/console/statements", "/console/statements/new", "/console/statements/runs/1"):
            await page.goto(path)
            if said := await complaints(page, width):
                found[path] = said
        await look(page)
        found["look"] = await complaints(page, width)
        await page.goto(f"/console/campaigns/{recorded.ids.campaign}")
        # One for each time that the records were set up: a worker may come back to this module.
        await page.click("summary:has-text('个链接')")
        found["links"] = await complaints(page, width)
    assert {path: said for path, said in found.items() if said} == {}
