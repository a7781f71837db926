"""疑点核实 and 底册台账 in a browser: found, verified by the department, then followed up by household."""

import pytest
from playwright.async_api import expect

from outreach.governance.accounts import create_account
from outreach.runtime import Runtime
from outreach.statements.scan_run import run_scan
from tests.e2e.chromium import shows
from tests.e2e.conftest import Console
from tests.e2e.seed import PASSWORD
from tests.e2e.test_console_looks import LOOKS, complaints

CODE = "DPF_SMALL_EXEMPT"
LIST = f"/console/findings/list?year=2025&code={CODE}&direction=unclaimed"
REGISTER = f"/console/register/2025/{CODE}"
_RECORDS = """
insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount)
select id, 202509, 'DPF_SMALL_EXEMPT', id % 3 = 0,
       jsonb_build_object('employees', (18 + id % 12)::text, 'due', (id * 100)::text || '.00'), id * 100
from taxpayer where kind = 'enterprise' and id <= 90
union all
select id, 202512, 'CIT_SLP_2023', true,
       jsonb_build_object('income', (2900000 + id * 5000)::text || '.00'), 0
from taxpayer where kind = 'enterprise' and id <= 40
on conflict do nothing
"""


@pytest.fixture(scope="module")
async def scanned(console: Console) -> Console:
    """The seeded province with a scan of 2025, and somebody of the tax-type department."""
    await prepare(console.rt)
    return console


async def prepare(rt: Runtime) -> None:
    await rt.db.execute(_RECORDS)
    await run_scan(rt, 2025, scope_org_id=1, by="demo")
    await create_account(
        rt,
        "setup",
        login="verifier",
        display_name="税种核实员",
        password=PASSWORD,
        org_id=1,
        roles=("verifier",),
    )


async def test_the_department_verifies_before_anybody_is_told(scanned: Console) -> None:
    async with scanned.visit("verifier") as page:
        await page.goto("/console/")
        await page.click(".nav a:has-text('账单')")
        await page.click(f"a[href*='{CODE}&direction=unclaimed']:has-text('残疾人就业保障金')")
        await shows(page, "待核实 60，已确认 0", ".head__state")
        for box in (await page.locator("input[name=items]").all())[:3]:
            await box.check()
        await page.click("button:has-text('勾选的不成立')")
        await shows(page, "写明理由", ".field__error")
        for box in (await page.locator("input[name=items]").all())[:3]:
            await box.check()
        await page.fill("#reason", "已在合并纳税主体申报")
        await page.click("button:has-text('勾选的不成立')")
        await shows(page, "3 条不成立", "[role=status].note")
        await page.goto(f"{LIST}&state=found")
        await page.click(".table__name >> nth=0")
        await page.click("button:has-text('成立') >> nth=0")
        await shows(page, "已确认 1 条", "[role=status].note")
        await page.goto(LIST)
        await page.click("summary:has-text('整批核实待核实的 56 条')")
        await page.click("button:has-text('56 条全部成立')")
        await expect(page.locator("button:has-text('56 条全部成立')")).to_have_count(0)
        await page.goto(LIST)
        await shows(page, "待核实 0，已确认 57，不成立 3，已关闭 0", ".head__state")
    async with scanned.visit("province") as page:
        await page.goto(REGISTER)
        await shows(page, "应享受 87 户，已享受 30 户", ".head__state")
        await shows(page, "合计相符", ".balance__sum")
        await page.goto(f"{REGISTER}?state=open")
        for box in (await page.locator("input[name=items]").all())[:2]:
            await box.check()
        await page.select_option("#reason", "unwilling")
        await page.click("button:has-text('登记勾选的户')")
        await shows(page, "已登记 2 户：不愿", "[role=status].note")
        await shows(page, "待办 55 户", ".head__state")
        async with page.expect_download() as waited:
            await page.click("a:has-text('下载底册')")
        assert (await waited.value).suggested_filename == f"register-2025-{CODE}.xlsx"
        await page.goto("/console/segments?expression=finding.dpf_small_exempt.unclaimed")
        await shows(page, "57")


@pytest.mark.parametrize(("width", "light"), LOOKS)
async def test_the_pages_are_open_to_everybody(scanned: Console, width: int, light: str) -> None:
    row = await scanned.rt.db.fetch_one(
        "select id from finding where benefit_code = 'CIT_SLP_2023' order by id limit 1"
    )
    assert row is not None
    found: dict[str, list[str]] = {}
    async with scanned.visit(
        "verifier", viewport={"width": width, "height": 900}, color_scheme=light, reduced_motion="reduce"
    ) as page:
        for path in (
            "/console/findings",
            LIST,
            f"/console/findings/{row['id']}",
            "/console/register",
            REGISTER,
        ):
            await page.goto(path)
            if said := await complaints(page, width):
                found[path] = said
    assert found == {}
