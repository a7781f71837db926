"""The pages of answers, for taxpayers and for staff, in real Chromium: no barrier (WCAG 2.2 AA by axe), no
overflow, and a browser's own form posts go through."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

import pytest
from playwright.async_api import Page

from outreach.governance.actor import Actor
from outreach.governance.permissions import permissions_of
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.confirmations import publish_matter
from outreach.service.places import list_places, make_places
from outreach.service.surveys import publish_survey, save_survey
from outreach.service.tickets import NewTicket, open_tickets
from outreach.statements.links import LinkRequest, issue_links, token_hash
from tests.e2e.conftest import Console
from tests.e2e.test_console_looks import complaints

CITY = Actor(1, "planner", "李文静", permissions_of(["planner"]), 2, "1.2.", 2, "1.2.")
LOOKS = [
    pytest.param(1440, "light", id="desktop-light"),
    pytest.param(390, "light", id="phone-light"),
    pytest.param(390, "dark", id="phone-dark"),
]
QUESTIONS = """[单选*] 退税款您主要用在哪里？
周转经营
购买设备
还没想好 → 结束

[打分5] 您对退税速度打几分？

[填写文字] 经营上还有什么困难？"""


@dataclass(frozen=True)
class Asked:
    """What there is to answer: ids, and the cookie of a verified visit."""

    campaign: int
    survey: int
    ticket: int
    token: str
    cookie: str


@pytest.fixture(scope="module")
async def asked(console: Console) -> Asked:
    """A campaign that asks the first company to confirm, a survey, a code at a window, a complaint."""
    rt = console.rt
    async with rt.db.begin() as conn:
        campaign = await (
            await conn.execute(
                "insert into campaign"
                " (code, name, purpose, kind, legal_basis, org_id, segment, created_by, state)"
                " values ('mshy', '小微企业减免免申请享受确认', '请符合条件的纳税人确认', 'confirmation',"
                " '示例依据', 2, 'everyone', 'planner', 'running') returning id"
            )
        ).fetchone()
        assert campaign is not None
        made = await (
            await conn.execute(
                "insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment, state)"
                " values (%s, 1, '第一轮', business_now(), business_now() + interval '30 days', '',"
                " 'finished') returning id",
                (campaign["id"],),
            )
        ).fetchone()
        assert made is not None
        await publish_matter(
            conn,
            campaign["id"],
            "planner",
            title="小型微利企业“六税两费”减半征收",
            body="您单位符合减半征收条件，系统将自动为您办理，无需申请。\n不同意的，仍可在申报时自行选择。",
        )
        survey = await save_survey(
            conn,
            CITY,
            None,
            title="退税款使用情况",
            intro="共 3 题，约 1 分钟。",
            questions=QUESTIONS,
            campaign_id=None,
        )
        await publish_survey(conn, CITY, survey)
        await make_places(conn, CITY, 7, "window", "一号综合窗口\n二号社保窗口")
        place = (await list_places(conn, CITY))[0]
        complaint = NewTicket(
            "complaint", "scan", 7, "上午排队一小时，窗口只开了一个。", "13900000000", place_id=place["id"]
        )
        (opened,) = await open_tickets(conn, open_vault(rt.settings), [complaint], "taxpayer")
    cookie = await _verified(rt, made["id"])
    return Asked(campaign["id"], survey, opened.id, place["token"], cookie)


async def _verified(rt: Runtime, round_id: int) -> str:
    vault, secret = open_vault(rt.settings), secrets.token_urlsafe(16)
    async with rt.db.begin() as conn:
        wish = LinkRequest([1, 2], round_id, None, await rt.now() + timedelta(days=30), 1)
        (token,) = await issue_links(conn, vault, [wish])
        await conn.execute(
            "insert into statement_session (session_hash, token_hash, expires_at)"
            " values (%s, %s, now() + interval '1 hour')",
            (vault.keyed_hash("statement.session").digest(secret.encode()), token_hash(vault, token)),
        )
    return secret


def staff_pages(asked: Asked) -> list[str]:
    return [
        "/console/service",
        "/console/service?state=closed",
        f"/console/service/tickets/{asked.ticket}",
        "/console/service/places",
        "/console/service/places/sheet",
        "/console/service/evidence",
        f"/console/service/evidence/{asked.campaign}",
        "/console/service/surveys",
        "/console/service/surveys/new",
        f"/console/service/surveys/{asked.survey}",
    ]


def public_pages(asked: Asked) -> list[str]:
    return [
        "/answers",
        "/answers/rate",
        "/answers/choices",
        f"/answers/survey/{asked.survey}",
        f"/p/{asked.token}",
        "/thanks?number=7K2M9QXD4T&day=2026-03-20",
        "/ticket",
    ]


async def show(console: Console, page: Page, asked: Asked) -> None:
    await page.context.add_cookies([{"name": "statement", "value": asked.cookie, "url": console.base}])


@pytest.mark.parametrize(("width", "light"), LOOKS)
async def test_every_page_is_open_to_everybody(
    console: Console, asked: Asked, width: int, light: str
) -> None:
    found: dict[str, list[str]] = {}
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": light, "reduced_motion": "reduce"}
    async with console.visit(**options) as page:
        await show(console, page, asked)
        for path in [*staff_pages(asked), *public_pages(asked)]:
            answer = await page.goto(path)
            assert answer is not None and answer.status == 200, path
            if said := await complaints(page, width):
                found[path] = said
    assert found == {}


async def test_the_elder_version_has_large_targets(console: Console, asked: Asked) -> None:
    async with console.visit(None, viewport={"width": 390, "height": 900}) as page:
        await show(console, page, asked)
        for path in public_pages(asked):
            await page.goto(path + ("&" if "?" in path else "?") + "size=large")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
            for button in await page.locator("main button, main .button, main .choice").all():
                box = await button.bounding_box()
                assert box is not None and box["height"] >= 60, path


async def test_a_browser_confirms_asks_and_answers(console: Console, asked: Asked) -> None:
    async with console.visit(None, viewport={"width": 390, "height": 900}, java_script_enabled=False) as page:
        await show(console, page, asked)
        await page.goto("/answers")
        await page.locator("button[value=confirmed]").first.click()
        assert "已记录您的选择" in await page.inner_text("main")
        await page.fill("#text", "六税两费减半到什么时候？")
        await page.click("form[action='/answers/ask'] button")
        assert "您的编号是" in await page.inner_text("main")
        await page.goto(f"/answers/survey/{asked.survey}")
        await page.locator("text=还没想好").click()
        await page.click("main button")
        assert "感谢您的反馈" in await page.inner_text("main")


async def test_staff_answer_and_she_reads_it(console: Console, asked: Asked) -> None:
    async with console.visit() as page:
        await page.goto(f"/console/service/tickets/{asked.ticket}")
        number = (await page.inner_text("h1")).strip()
        await page.fill("#answer", "已增开两个窗口，欢迎再来。")
        await page.click("text=发出答复")
        await page.click("button:has-text('办结')")
        await page.goto("/ticket")
        await page.fill("#code", number)
        await page.click("main form button")
        assert "已增开两个窗口" in await page.inner_text("main")
