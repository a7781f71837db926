"""The three separated administrators: the second factor before anything else, each with their own part."""

import json

import pyotp
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from outreach.governance.accounts import create_account
from outreach.governance.vault import open_vault
from tests.e2e.conftest import Console, log_in
from tests.e2e.seed import PASSWORD

ADMINS = {"system": "system_admin", "security": "security_admin", "auditor": "audit_admin"}


@pytest.fixture(scope="module", autouse=True)
async def admins(console: Console) -> None:
    for login, role in ADMINS.items():
        await create_account(
            console.rt, "setup", login=login, display_name=login, password=PASSWORD, org_id=1, roles=[role]
        )


async def enrol(page: Page) -> None:
    """Set up the second factor as the page asks for it."""
    await page.wait_for_url("**/console/me/second-factor")
    secret = (await page.locator("li .mono").inner_text()).replace(" ", "")
    await page.fill("#code", pyotp.TOTP(secret).now())
    await page.click("button:has-text('开通')")
    await page.wait_for_url("**/console/")


async def enter(console: Console, page: Page, login: str) -> None:
    """Log in with the second factor anew: each test is a new day."""
    await console.rt.db.execute(
        "update account set totp_secret_enc = null, totp_confirmed_at = null where login = %(login)s",
        {"login": login},
    )
    await page.goto("/console/login")
    await page.fill("#login", login)
    await page.fill("#password", PASSWORD)
    await page.click("button[type=submit]")
    await enrol(page)


async def is_open_to_everybody(page: Page) -> None:
    await page.wait_for_load_state()
    found = (await Axe().run(page)).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == []


async def test_nothing_opens_before_the_second_factor(console: Console) -> None:
    async with console.visit(None) as page:
        await page.goto("/console/login")
        await page.fill("#login", "system")
        await page.fill("#password", PASSWORD)
        await page.click("button[type=submit]")
        await page.wait_for_url("**/console/me/second-factor")
        await is_open_to_everybody(page)
        await page.goto("/console/settings/accounts")
        assert page.url.endswith("/console/me/second-factor")
        await page.fill("#code", "000000")
        await page.click("button:has-text('开通')")
        await expect(page.locator("#code-error")).to_contain_text("验证码不对")


async def test_one_makes_the_account_another_gives_the_role(console: Console) -> None:
    async with console.visit(None) as page:
        await enter(console, page, "system")
        await page.goto("/console/settings/accounts")
        await is_open_to_everybody(page)
        await page.fill("#login", "newcomer")
        await page.fill("#display_name", "新同事")
        await page.fill("#password", "short")
        await page.click("button:has-text('新建账号')")
        await expect(page.locator("#password-error")).to_contain_text("至少")
        await page.fill("#password", PASSWORD)
        await page.click("button:has-text('新建账号')")
        await expect(page.locator("h1")).to_have_text("新同事")
        assert await page.locator("button:has-text('保存角色')").count() == 0
        address = page.url
    async with console.visit(None) as page:
        await enter(console, page, "security")
        await page.goto(address)
        await page.check("input[value=planner]")
        await page.check("input[value=audit_admin]")
        await page.click("button:has-text('保存角色')")
        await expect(page.locator(".note--bad")).to_contain_text("三员分立")
        await page.goto(address)
        await page.check("input[value=analyst]")
        await page.click("button:has-text('保存角色')")
        await expect(page.locator("input[value=analyst]")).to_be_checked()
        await is_open_to_everybody(page)
    async with console.visit(None) as page:
        await log_in(page, "newcomer")
        await expect(page.locator("nav a:has-text('分析')")).to_be_visible()


async def test_a_key_is_shown_once(console: Console) -> None:
    async with console.visit(None) as page:
        await enter(console, page, "security")
        await page.goto("/console/settings/keys")
        await page.fill("#name", "电子税务局")
        await page.click("button:has-text('签发密钥')")
        await expect(page.locator(".field__error")).to_contain_text("未选择")
        await page.check("input[value='event.write']")
        await page.click("button:has-text('签发密钥')")
        key = await page.locator(".note--good .mono").inner_text()
        assert key.startswith("ok_")
        await is_open_to_everybody(page)
        await page.goto("/console/settings/keys")
        assert key not in await page.content()
        await page.click("button:has-text('吊销')")
        await expect(page.locator("text=已吊销")).to_be_visible()


async def test_the_auditor_reads_checks_and_changes_nothing(console: Console) -> None:
    async with console.visit(None) as page:
        await enter(console, page, "auditor")
        await expect(page.locator("nav a.place")).to_have_count(2)
        await page.goto("/console/settings/audit")
        await expect(page.locator("tbody tr").first).to_be_visible()
        await page.click("text=从头核对整条链")
        await expect(page.locator(".note--good")).to_contain_text("没有被改动")
        await is_open_to_everybody(page)
        for path in ("/console/campaigns", "/console/settings/accounts", "/console/taxpayers"):
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 403


async def test_a_system_administrator_reads_no_business_data(console: Console) -> None:
    async with console.visit(None) as page:
        await enter(console, page, "system")
        for path in (
            f"/console/campaigns/{console.ids.campaign}",
            f"/console/taxpayers/{console.ids.household}",
            f"/console/messages?round={console.ids.running_round}",
            "/console/templates",
            "/console/settings/audit",
        ):
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 403, path


async def test_a_gateway_is_added_from_the_adapters_own_form(console: Console) -> None:
    async with console.visit(None) as page:
        await enter(console, page, "system")
        await page.goto("/console/settings/gateways")
        await page.click("summary:has-text('添加网关')")
        await is_open_to_everybody(page)
        await page.click("a:has-text('aliyun_sms')")
        await is_open_to_everybody(page)
        await page.fill("#rate", "0")
        await page.fill("#name", "备用短信")
        await page.click("button:has-text('添加网关')")
        for field in ("rate", "config-access_key_id", "config-access_key_secret", "config-sign_name"):
            await expect(page.locator(f"#{field}-error")).to_be_visible()
        await page.fill("#rate", "50")
        await page.fill("#config-access_key_id", "LTAIEXAMPLE")
        await page.fill("#config-access_key_secret", "a-secret-of-ours")
        await page.fill("#config-sign_name", "示例税务")
        await page.fill("#config-callback_secret", "callback-secret-0123456789")
        await page.click("button:has-text('添加网关')")
        await expect(page.locator(".note--good .mono")).to_contain_text("/hooks/")
        await is_open_to_everybody(page)
        await page.click("text=返回网关列表")
        assert "a-secret-of-ours" not in await page.content()
        row = page.locator("tr", has_text="备用短信")
        await row.locator("button:has-text('停用')").click()
        await expect(page.locator("tr", has_text="备用短信").locator(".badge")).to_have_text("已停用")
    kept = await console.rt.db.fetch_one("select id, config_enc from gateway where name = '备用短信'")
    assert kept is not None
    sealed = bytes(kept["config_enc"])
    assert b"a-secret-of-ours" not in sealed
    opened = open_vault(console.rt.settings).decrypt("gateway", "config_enc", kept["id"], sealed)
    assert json.loads(opened)["access_key_secret"] == "a-secret-of-ours"


async def test_a_wrong_gateway_form_never_sends_a_secret_back(console: Console) -> None:
    async with console.visit(None) as page:
        await enter(console, page, "system")
        await page.goto("/console/settings/gateways/new?adapter=aliyun_sms")
        await page.fill("#config-access_key_secret", "a-secret-of-ours")
        await page.evaluate("document.querySelector('main form').noValidate = true")
        await page.click("button:has-text('添加网关')")
        await expect(page.locator("#name-error")).to_be_visible()
        assert "a-secret-of-ours" not in await page.content()


async def test_an_account_is_tried_without_sending_and_the_page_says_what_is_wrong(console: Console) -> None:
    async with console.visit() as page:
        await page.goto("/console/settings/gateways")
        row = page.locator("tr", has_text="演练·微信公众号")
        await row.locator("button:has-text('检测')").click()
        said = page.locator("tr", has_text="演练·微信公众号").locator("[role=status]")
        await expect(said).to_contain_text("无法连接公众平台，请检查网络和接口地址")
        await is_open_to_everybody(page)
