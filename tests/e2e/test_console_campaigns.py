"""A campaign from the empty form to the signature, by two persons."""

from playwright.async_api import Page, expect

from tests.e2e.chromium import shows
from tests.e2e.conftest import Console
from tests.e2e.seed import PASSWORD

FIELDS = {
    "#name": "专项附加扣除核对提醒",
    "#purpose": "提醒核对专项附加扣除信息",
    "#legal_basis": "国家税务总局令第 57 号",
    "#expression": "kind = natural_person and iit.must_file",
    "#done_segment": "iit.filed",
    "#round-1-starts_at": "2026-04-01T09:00",
    "#round-1-ends_at": "2026-04-10T20:00",
    "#variables": "tax_year=2025\ndeadline=2026-06-30",
}


async def fill(page: Page, code: str) -> None:
    for field, text in FIELDS.items():
        await page.fill(field, text)
    await page.fill("#code", code)
    await page.select_option("#round-1-template-0", "sms:iit_B2")


async def test_from_the_form_to_the_signature(console: Console, approver: str) -> None:
    async with console.visit("planner") as page:
        await page.goto("/console/campaigns/new")
        await page.click("text=保存草稿")
        await expect(page.locator(".field__error").nth(5)).to_be_visible()
        await fill(page, "recheck-2025")
        await page.wait_for_selector("#count .count__number")
        await page.click("text=保存草稿")
        await page.wait_for_selector("text=用语检查通过")
        await page.wait_for_selector("text=第一遍发给")
        address = page.url
        await page.fill("#note", "请核对人群条件")
        await page.click("text=提交审批，1 个轮次")
        await page.wait_for_selector("text=等待审批")
        assert await page.locator("button:has-text('审批通过')").count() == 0
    async with console.visit(None) as page:
        await page.context.add_cookies([{"name": "session", "value": approver, "url": console.base}])
        await page.goto(address)
        assert await page.locator("text=请核对人群条件").count() >= 1
        if await page.locator("#proof").count():
            await page.fill("#proof", "wrong password")
            await page.click("button:has-text('审批通过')")
            await page.wait_for_selector("text=密码或验证码不对")
            await page.fill("#proof", PASSWORD)
        await page.click("button:has-text('审批通过')")
        await page.wait_for_selector(".head .badge:has-text('已审批')")


async def test_the_form_says_whom_of_a_household_it_tells(console: Console, approver: str) -> None:
    async with console.visit("planner") as page:
        await page.goto("/console/campaigns/new")
        await fill(page, "roles-2025")
        await page.fill("#expression", "iit.must_file")
        await page.select_option("#contact_role-2", "tax_filer")
        await page.click("text=保存草稿")
        await shows(page, "请先选「先发给」", "fieldset:has(#contact_role-1) .field__error")
        await page.select_option("#contact_role-1", "legal_representative")
        await page.click("text=保存草稿")
        chosen = "法定代表人，联系不上时再找办税员"
        await page.wait_for_selector(f"dd:has-text('{chosen}')")
        for told in ("法定代表人 0 户", "办税员", "本人"):
            await shows(page, told, "dt:text-is('按身份') + dd")
        await page.click("a:has-text('修改')")
        await expect(page.locator("#contact_role-1")).to_have_value("legal_representative")
        await page.select_option("#contact_role-2", "")
        await page.click("text=保存草稿")
        await page.wait_for_selector(".balance__name:has-text('没有所选身份的联系人')")
        address = page.url
        await page.click("text=提交审批，1 个轮次")
        await page.wait_for_selector("text=等待审批")
    async with console.visit(None) as page:
        await page.context.add_cookies([{"name": "session", "value": approver, "url": console.base}])
        await page.goto(address)
        await page.wait_for_selector("text=一户里发给：法定代表人。")


async def test_sent_back_with_a_reason_and_mended(console: Console, approver: str) -> None:
    async with console.visit("planner") as page:
        await page.goto("/console/campaigns/new")
        await fill(page, "mended-2025")
        await page.click("text=保存草稿")
        await page.wait_for_selector("#note")
        address = page.url
        await page.click("text=提交审批，1 个轮次")
        await page.wait_for_selector("text=等待审批")
    async with console.visit(None) as page:
        await page.context.add_cookies([{"name": "session", "value": approver, "url": console.base}])
        await page.goto(address)
        await page.fill("#reason", "请把结束时间改早")
        await page.click("text=退回给经办人修改")
        await page.wait_for_selector(".head .badge:has-text('草稿')")
    async with console.visit("planner") as page:
        await page.goto(address)
        assert await page.locator(".note:has-text('请把结束时间改早')").count() == 1
        await page.click("a:has-text('修改')")
        await page.fill("#round-1-ends_at", "2026-04-05T20:00")
        await page.click("text=保存草稿")
        await page.wait_for_selector("text=2026-04-05 20:00")


async def test_a_round_is_made_longer_by_two(console: Console, approver: str) -> None:
    address = f"/console/campaigns/{console.ids.campaign}"
    async with console.visit("planner") as page:
        await page.goto(address)
        await page.click("summary:has-text('延长轮次')")
        await page.fill("#ends_at", "2026-04-30T20:00")
        await page.fill("#longer-note", "宣传月延长")
        await page.click("text=申请延长")
        await page.wait_for_selector("text=等待审批：延长轮次")
        assert await page.locator("button:has-text('同意延长')").count() == 0
    async with console.visit(None) as page:
        await page.context.add_cookies([{"name": "session", "value": approver, "url": console.base}])
        await page.goto(address)
        await page.click("button:has-text('同意延长到 2026-04-30 20:00')")
        await page.wait_for_selector("text=窗口到 2026-04-30 20:00 为止")


async def test_the_text_to_be_filed_keeps_its_lines(console: Console) -> None:
    row = await console.rt.db.fetch_one("select id from template where channel = 'sms' and code = 'iit_B2'")
    assert row is not None
    async with console.visit() as page:
        await page.goto(f"/console/templates/{row['id']}")
        text = page.locator("form[action$='/filings'] code")
        assert "${" in await text.inner_text()
        assert await text.evaluate("e => getComputedStyle(e).whiteSpace") == "pre-wrap"


async def test_a_button_keeps_its_distance_from_the_field_below(console: Console) -> None:
    async with console.visit("planner") as page:
        await page.goto("/console/campaigns/new")
        button = await page.locator("button[value=add_round]").bounding_box()
        field = await page.locator("label[for=care_path]").bounding_box()
        assert button is not None and field is not None
        assert field["y"] - button["y"] - button["height"] >= 16
