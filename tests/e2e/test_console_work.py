"""外呼与走访 in a browser: a caller at her desk, a grid member with a telephone, an approver."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign
from campaigns.handover import hand_over_step
from campaigns.planning import start_due_rounds
from campaigns.templates import save_template
from outreach.governance.accounts import create_account
from outreach.labels.cache import SetCache
from tests.e2e.conftest import Console
from tests.e2e.season import NOW
from tests.e2e.seed import PASSWORD
from tests.e2e.test_console_looks import complaints

SCRIPT = {
    "text": "您好，这里是{{ org }}，您负责的{{ taxpayers|list(5) }}的{{ tax_year }}年度汇算还没有办理，"
    "请登录电子税务局办理，有疑问请拨打 12366。"
}


@pytest.fixture(scope="module")
async def worklist(console: Console) -> list[int]:
    """Campaigns that call and that visit companies; a grid member; ids of one call and one visit."""
    rt = console.rt
    for channel in ("call", "visit"):
        await save_template(
            rt, "editor", code="told", name="上门话术", channel=channel, content=SCRIPT, org_id=1
        )
    await create_account(
        rt, "setup", login="grid", display_name="张网格", password=PASSWORD, org_id=7, roles=("grid_member",)
    )
    ids = []
    for channel in ("call", "visit"):
        wave = RoundDraft(
            "第一轮",
            NOW - timedelta(minutes=1),
            NOW + timedelta(days=9),
            (StepDraft(channel, "told"),),
        )
        draft = CampaignDraft(
            f"door-{channel}", "企业年度汇算逐户辅导", "告知未办理的企业", "statutory_deadline",
            "国家税务总局令第 57 号", 2, "kind = enterprise", (wave,), variables={"tax_year": "2025"},
        )  # fmt: skip
        campaign = await create_campaign(rt, "planner", draft)
        await submit_campaign(rt, campaign, "planner")
        await approve_campaign(rt, campaign, "approver")
        started = await start_due_rounds(rt, SetCache())
        row = await rt.db.fetch_one("select id from round where campaign_id = %(c)s", {"c": campaign})
        assert row is not None and row["id"] in started
        round_id = row["id"]
        await rt.db.execute("update campaign set state = 'running' where id = %(id)s", {"id": campaign})
        await hand_over_step(rt, SetCache(), round_id, 0, fallers=False)
        row = await rt.db.fetch_one(
            "select min(i.id) as id from work_item i join org_unit o on o.id = i.org_id"
            " where i.kind = %(kind)s and o.path like '1.2.4.7.%%'",
            {"kind": channel},
        )
        assert row is not None
        ids.append(row["id"])
    return ids


@pytest.mark.parametrize(("width", "light"), [(1440, "light"), (390, "light"), (1024, "dark")])
async def test_the_pages_are_open_to_everybody(
    console: Console, worklist: list[int], width: int, light: str
) -> None:
    call, visit = worklist
    paths = ("tasks", f"tasks/{call}", f"tasks/{visit}", "visits")
    async with console.visit(viewport={"width": width, "height": 900}, color_scheme=light) as page:
        for path in paths:
            await page.goto(f"/console/service/{path}")
            assert await complaints(page, width) == [], path


async def test_a_grid_member_registers_a_result_with_her_telephone(
    console: Console, worklist: list[int]
) -> None:
    async with console.visit("grid", viewport={"width": 390, "height": 844}) as page:
        await page.goto(f"/console/service/tasks/{worklist[0]}")
        await expect(page.locator("#contact")).to_contain_text("****")
        await page.click("text=显示姓名和号码")
        await expect(page.locator("#contact a")).to_have_attribute(
            "href", "tel:" + await page.inner_text("#contact a")
        )
        await page.check("text=接通，约定回拨")
        await page.click("text=登记结果 >> nth=-1")
        await expect(page.locator("#call_back_at-error")).to_contain_text("请填写约定的时间")
        await page.check("text=无人接听")
        await page.click("button:has-text('登记结果')")
        await expect(page.locator(".note--good")).to_contain_text("结果已登记")
        await page.goto("/console/taxpayers/1")
        await expect(page.locator("body")).to_contain_text("没有「查询纳税人和时间线」的权限")


async def test_no_visit_without_approval(console: Console, worklist: list[int]) -> None:
    async with console.visit("branch") as page:
        await page.goto(f"/console/service/tasks/{worklist[1]}")
        await expect(page.locator("body")).to_contain_text("无审批不入户")
        assert await page.locator("button:has-text('登记结果')").count() == 0
        await page.goto("/console/service/visits")
        await page.fill("#visit_on", "2026-03-20")
        await page.fill("#note", "三次电话无人接听")
        await page.click("text=提交，由另一人审批")
        await expect(page.locator(".note--good")).to_contain_text("等另一位审批人决定")
