"""An emergency from the console: one person's signature, the loud notice, another's review; and the buttons
of a whole campaign."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from campaigns.campaigns import CampaignDraft, Canary, RoundDraft, StepDraft, create_campaign
from campaigns.templates import save_template
from outreach.governance.accounts import create_account
from outreach.rehearsal import file_templates
from tests.e2e.chromium import shows
from tests.e2e.conftest import Console, two_factor_session
from tests.e2e.seed import PASSWORD
from tests.e2e.test_console_looks import complaints


@pytest.fixture
async def draft(console: Console) -> int:
    """A draft of an emergency of the city."""
    await save_template(
        console.rt,
        "editor",
        code="outage",
        name="系统故障",
        channel="sms",
        content={"text": "电子税务局暂时无法登录，正在抢修，请稍后再试。咨询12366。"},
        org_id=1,
    )
    now = await console.rt.now()
    part = RoundDraft(
        "故障提示", now, now + timedelta(hours=9), (StepDraft("sms", "outage"),), canary=Canary(50)
    )
    draft = CampaignDraft(
        code="outage",
        name="电子税务局故障提示",
        purpose="告知纳税人系统故障和恢复时间",
        kind="emergency",
        legal_basis="税收征收管理法第七条",
        org_id=2,
        segment="iit.must_file",
        rounds=(part,),
    )
    return await create_campaign(console.rt, "planner", draft)


async def file_everywhere(console: Console) -> None:
    """Every text is known to every account that sends SMS."""
    rows = await console.rt.db.fetch("select id, adapter from gateway")
    ids = {row["adapter"]: row["id"] for row in rows}
    for row in rows:
        if row["adapter"] == "aliyun_sms":
            await file_templates(console.rt, {**ids, "aliyun_sms": row["id"]})


@pytest.fixture
async def duty(console: Console) -> str:
    """A session of whoever is on duty in the city."""
    await create_account(
        console.rt, "setup", login="duty", display_name="孙值班", password=PASSWORD, org_id=2,
        roles=("duty_officer",),
    )  # fmt: skip
    return await two_factor_session(console, "duty")


@asynccontextmanager
async def visit_as(console: Console, session: str, width: int = 1440) -> AsyncIterator[Page]:
    """A browser that holds a session."""
    options = {"viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    async with console.visit(None, **options) as page:
        await page.context.add_cookies([{"name": "session", "value": session, "url": console.base}])
        yield page


async def test_started_by_one_shown_loudly_reviewed_by_another(
    console: Console, draft: int, duty: str, approver: str
) -> None:
    address = f"/console/campaigns/{draft}"
    async with visit_as(console, duty, 390) as page:
        await page.goto(address)
        await page.click("summary:has-text('应急发出')")
        assert await complaints(page, 390) == []
        await page.fill("#emergency-reason", "系统故障，距申报期结束不足两小时")
        await page.fill("#emergency-proof", "wrong password")
        await page.click("button:has-text('立即应急发出')")
        await page.wait_for_selector("text=密码或验证码不对")
        await expect(page.locator("#emergency-reason")).to_have_value("系统故障，距申报期结束不足两小时")
        await expect(page.locator("#emergency-proof")).to_have_value("")
        await page.fill("#emergency-proof", PASSWORD)
        await page.click("button:has-text('立即应急发出')")
        await page.wait_for_selector("form [role=alert]:has-text('报备')")
        assert await complaints(page, 390) == []
        await file_everywhere(console)
        await page.fill("#emergency-proof", PASSWORD)
        await page.click("button:has-text('立即应急发出')")
        await page.wait_for_selector("[role=alert]:has-text('应急发出，未经审批')")
        assert await page.locator("button:has-text('复核同意')").count() == 0
        assert await complaints(page, 390) == []
        await page.goto("/console/")
        await shows(page, "1 个活动应急发出")
        assert await complaints(page, 390) == []
    async with visit_as(console, approver) as page:
        await page.goto(address)
        assert await complaints(page, 1440) == []
        await page.click("button:has-text('有异议')")
        await page.wait_for_selector("text=请写明异议的原因")
        await page.fill("#emergency-note", "情况属实")
        await page.click("button:has-text('复核同意')")
        await page.wait_for_selector("text=approver 于")
        await page.wait_for_load_state()
        assert await page.locator("[role=alert]").count() == 0
        await page.goto("/console/")
        assert "应急发出" not in await page.inner_text("main")


async def test_a_whole_campaign_stands_goes_on_and_is_given_up(console: Console) -> None:
    address = f"/console/campaigns/{console.ids.campaign}"
    keys = {"id": console.ids.campaign}
    await console.rt.db.execute("update campaign set state = 'running' where id = %(id)s", keys)
    async with console.visit() as page:
        await page.goto(address)
        await page.click("button:has-text('暂停整个活动')")
        await page.wait_for_selector(".head .badge:has-text('已暂停')")
        await shows(page, "不会再收到第二条")
        await page.click("button:has-text('继续整个活动')")
        await page.wait_for_selector("[role=status]:has-text('已经收到的人不会再收到第二条')")
        await page.click("summary:has-text('取消整个活动')")
        await page.fill("#typed-campaign", "something else")
        await page.click("button:has-text('取消整个活动，不能恢复')")
        await page.wait_for_selector("text=以免误操作")
        await expect(page.locator(".head .badge:has-text('进行中')")).to_have_count(1)
        assert await complaints(page, 1440) == []
    # As the season of this town has it.
    await console.rt.db.execute("update campaign set state = 'approved' where id = %(id)s", keys)


async def test_a_price_is_told_on_the_page_of_gateways(console: Console) -> None:
    await create_account(
        console.rt, "setup", login="prices", display_name="吴系统", password=PASSWORD, org_id=1,
        roles=("system_admin",),
    )  # fmt: skip
    async with visit_as(console, await two_factor_session(console, "prices"), 390) as page:
        await page.goto("/console/settings/gateways")
        form = page.locator("form:has(#yuan-1)")
        await page.fill("#yuan-1", "3角5分")
        await form.locator("button").click()
        await page.wait_for_selector("text=最多四位小数")
        assert await complaints(page, 390) == []
        await page.fill("#yuan-1", "0.035")
        await form.locator("button").click()
        await page.wait_for_selector("tr:has(#yuan-1) td:has-text('0.0350')")
