"""What staff do in the console: log in, look, stop a round, write, and what the console refuses."""

import asyncio
import re

import httpx
import pytest
from playwright.async_api import Page, Route, expect

from tests.e2e.conftest import Console, log_in


async def number_in(page: Page, selector: str) -> int:
    return int(re.sub(r"\D", "", await page.locator(selector).inner_text()))


async def set_state(console: Console, state: str) -> None:
    await console.rt.db.execute(
        "update round set state = %(state)s where id = %(id)s",
        {"state": state, "id": console.ids.running_round},
    )


async def state_of(console: Console) -> str:
    row = await console.rt.db.fetch_one(
        "select state from round where id = %(id)s", {"id": console.ids.running_round}
    )
    assert row is not None
    return str(row["state"])


async def test_from_log_in_to_a_paused_round_and_back(console: Console) -> None:
    await set_state(console, "running")
    async with console.visit() as page:
        await page.click("nav >> text=活动")
        await page.click("text=2025 年度个人所得税综合所得汇算清缴提醒")
        await page.click("text=第 2 轮 错峰提醒")
        await page.click("button:has-text('暂停，已发出的不受影响')")
        await expect(page.locator("h1 + .badge")).to_have_text("已暂停")
        assert await state_of(console) == "paused"
        await expect(page.locator("text=轮次已被暂停")).to_be_visible()
        await set_state(console, "running")


async def test_the_parts_of_every_bar_sum_to_its_whole(console: Console) -> None:
    async with console.visit() as page:
        for path in (
            f"/console/rounds/{console.ids.running_round}",
            f"/console/reports/{console.ids.campaign}",
        ):
            await page.goto(path)
            bars = page.locator("figure.balance")
            await expect(bars.nth(1)).to_be_visible()
            for index in range(await bars.count()):
                bar = bars.nth(index)
                whole = int(re.sub(r"\D", "", await bar.locator(".balance__whole").inner_text()))
                parts = await bar.locator(".balance__count").all_inner_texts()
                assert whole > 0
                assert sum(int(part.replace(",", "")) for part in parts) == whole
                assert await bar.locator(".balance__part--gap").count() == 0


async def test_books_that_do_not_agree_show_a_red_gap(console: Console) -> None:
    change = "update round_set set size = size + %(n)s where round_id = %(id)s and kind = 'audience'"
    keys = {"id": console.ids.finished_round}
    await console.rt.db.execute(change, {**keys, "n": 7})
    try:
        async with console.visit() as page:
            await page.goto(f"/console/rounds/{console.ids.finished_round}")
            await expect(page.locator(".balance__sum.bad")).to_contain_text("相差 7 户")
            await expect(page.locator(".balance__part--gap")).to_contain_text("合计不足")
    finally:
        await console.rt.db.execute(change, {**keys, "n": -7})


async def test_a_figure_opens_the_list_behind_it(console: Console) -> None:
    async with console.visit() as page:
        await page.goto(f"/console/rounds/{console.ids.running_round}")
        row = page.locator(".balance__part", has_text="按规定免办")
        expected = (await row.locator(".balance__count").inner_text()).replace(",", "")
        await row.locator("a").click()
        await expect(page.locator("h1")).to_contain_text("按规定免办")
        assert re.sub(r"\D", "", await page.locator("h1").inner_text()) == expected
        await page.click("text=再显示 50 行")
        await expect(page.locator("tbody tr")).to_have_count(101)


async def test_a_cancel_needs_the_number_typed(console: Console) -> None:
    await set_state(console, "running")
    async with console.visit() as page:
        await page.goto(f"/console/rounds/{console.ids.running_round}")
        planned = await number_in(page, ".balance__part:has-text('列入发送') .balance__count >> nth=0")
        assert planned > 10_000
        await page.click("summary:has-text('取消本轮')")
        button = page.locator("form button:has-text('取消本轮')")
        await expect(button).to_be_disabled()
        await page.fill("#typed-cancel", str(planned - 1))
        await expect(button).to_be_disabled()
        await page.fill("#typed-cancel", f"{planned:,}")
        await expect(button).to_be_enabled()
        await page.locator("#typed-cancel").evaluate("field => field.value = '1'")
        await button.click()
        await expect(page.locator(".field__error")).to_contain_text(f"{planned:,}")
        assert await state_of(console) == "running"


async def test_everything_works_without_script(console: Console) -> None:
    await set_state(console, "running")
    async with console.visit(java_script_enabled=False) as page:
        await page.goto(f"/console/rounds/{console.ids.running_round}")
        await page.click("button:has-text('暂停')")
        await expect(page.locator("h1 + .badge")).to_have_text("已暂停")
        assert await state_of(console) == "paused"
        await page.goto("/console/segments?expression=iit.filed")
        await expect(page.locator(".count__number")).not_to_be_empty()
    await set_state(console, "running")


async def test_progress_moves_by_itself(console: Console) -> None:
    await set_state(console, "running")
    async with console.visit() as page:
        await page.goto(f"/console/rounds/{console.ids.running_round}")
        before = await number_in(page, ".balance__part:has-text('已送达') .balance__count")
        await console.rt.db.execute(
            "insert into message_count (round_id, step, org_id, state, n, households)"
            " values (%(id)s, 0, 9, 2, -100, -100), (%(id)s, 0, 9, 3, 100, 100)",
            {"id": console.ids.running_round},
        )
        await expect(page.locator(".balance__part:has-text('已送达') .balance__count")).to_have_text(
            f"{before + 100:,}"
        )


async def test_an_answer_on_its_way_does_not_close_what_is_being_read(console: Console) -> None:
    asked, opened = asyncio.Event(), asyncio.Event()

    async def answer_late(route: Route) -> None:
        asked.set()
        await opened.wait()
        await route.continue_()

    async with console.visit() as page:
        await page.route("**/console/home/live", answer_late)
        await page.goto("/console/")
        await asked.wait()
        explained = page.locator("#live details.why").first
        await explained.locator("summary").click()
        async with page.expect_response("**/console/home/live") as answered:
            opened.set()
        await (await answered.value).finished()
        await page.evaluate("new Promise(requestAnimationFrame)")
        await expect(explained).to_have_attribute("open", "")


async def test_a_branch_sees_its_own_part_and_cannot_steer(console: Console) -> None:
    async with console.visit("planner") as page:
        await page.goto(f"/console/rounds/{console.ids.running_round}")
        whole = await number_in(page, ".balance__whole >> nth=0")
    async with console.visit("branch") as page:
        await page.goto(f"/console/rounds/{console.ids.running_round}")
        assert 0 < await number_in(page, ".balance__whole >> nth=0") < whole
        assert await page.locator("form[action*='/pause']").count() == 0
        await expect(page.locator("text=数字只含 青山县城关税务分局")).to_be_visible()
        token = await page.locator("input[name=csrf]").first.input_value()
        answer = await page.request.post(
            f"/console/rounds/{console.ids.running_round}/pause",
            headers={"X-CSRF-Token": token, "Sec-Fetch-Site": "same-origin"},
        )
        assert answer.status == 403
        assert "上级机构" in await answer.text()


async def test_units_add_up_to_their_superior(console: Console) -> None:
    async def audience(page: Page) -> int:
        await page.goto(f"/console/rounds/{console.ids.running_round}")
        return await number_in(page, ".balance__whole >> nth=0")

    async with console.visit("planner") as page:
        whole, parts = await audience(page), []
        for unit in ("北河市青山县税务局", "北河市临水区税务局"):
            await page.click(".scope summary")
            await page.click(f"#scope-choices button:has-text('{unit}')")
            await expect(page.locator(".scope .menu__name")).to_have_text(unit)
            parts.append(await audience(page))
        assert sum(parts) == whole


async def test_what_a_role_may_not_see_is_there_but_leads_nowhere(console: Console) -> None:
    async with console.visit("editor") as page:
        await expect(page.locator("nav .place")).to_have_count(9)
        assert await page.locator("nav a:has-text('纳税人')").count() == 0
        for path in (
            "/console/taxpayers",
            "/console/settings/audit",
            f"/console/reports/{console.ids.campaign}",
        ):
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 403
            await expect(page.locator("text=没有「")).to_be_visible()


async def test_every_place_of_the_frame_opens(console: Console) -> None:
    async with console.visit() as page:
        for link in await page.locator("nav a.place").all():
            href = await link.get_attribute("href")
            answer = await page.request.get(str(href))
            assert answer.status == 200, href


async def test_a_template_tells_its_faults_at_their_place(console: Console) -> None:
    async with console.visit("editor") as page:
        await page.goto("/console/templates/new?channel=sms")
        await page.fill("#code", "e2e.one")
        await page.fill("#name", "测试模板")
        await page.fill("#text", "您{{ tax_yeer }}年度个税汇算尚未办理。")
        await page.click("button:has-text('保存模板')")
        await expect(page.locator("#text-error")).to_contain_text("tax_year")
        await page.fill("#text", "您{{ tax_year }}年度个税汇算尚未办理，请登录个人所得税APP办理。")
        await expect(page.locator(".bubble mark")).to_have_text("2025")
        await expect(page.locator(".phone__caption")).to_contain_text("计费 1 条")
        await page.click("button:has-text('保存模板')")
        await expect(page.locator("h1")).to_have_text("测试模板")
        await expect(page.locator(".head__state")).to_contain_text("第 1 版")


async def test_a_value_in_a_template_is_never_markup(console: Console) -> None:
    async with console.visit("editor") as page:
        await page.goto("/console/templates/new?channel=sms")
        await page.fill("#text", "<img src=x onerror=alert(1)>{{ name }}")
        await expect(page.locator(".bubble")).to_contain_text("<img src=x")
        assert await page.locator(".bubble img").count() == 0


async def test_a_count_follows_the_expression(console: Console) -> None:
    async with console.visit() as page:
        await page.goto("/console/segments")
        await page.fill("#expression", "iit.must_file and not iit.filed")
        await expect(page.locator(".count__number")).to_be_visible()
        assert await number_in(page, ".count__number") > 1_000
        await page.fill("#expression", "iit.must_file and not iit.fled")
        await expect(page.locator("#count .note--bad")).to_contain_text("iit.filed")
        await expect(page.locator("#count mark")).to_have_text("iit.fled")


async def test_search_is_one_key_away(console: Console) -> None:
    async with console.visit() as page:
        await page.keyboard.press("Control+k")
        # At once: typed letter by letter on a slow machine, the results of the first ones come in between.
        await page.keyboard.insert_text("汇算清缴")
        await page.locator("#search-results a").first.wait_for()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/console/campaigns/*")


async def test_a_household_tells_its_whole_story(console: Console) -> None:
    async with console.visit() as page:
        await page.goto(f"/console/taxpayers/{console.ids.household}")
        kinds = set(await page.locator(".moment__kind").all_inner_texts())
        assert kinds == {"标签", "消息", "回复", "办理"}
        assert "13900" not in await page.content()
        await page.click(".pills >> text=办理")
        await expect(page.locator(".pills [aria-current]")).to_have_text("办理")
        await page.wait_for_load_state()
        assert set(await page.locator(".moment__kind").all_inner_texts()) == {"办理"}


async def test_whoever_is_not_logged_in_is_led_back_afterwards(console: Console) -> None:
    async with console.visit(None) as page:
        await page.goto(f"/console/campaigns/{console.ids.campaign}")
        assert "/console/login?next=" in page.url
        await page.fill("#login", "planner")
        await page.fill("#password", "xiaoshu chuntian he yanzi")
        await page.click("button[type=submit]")
        await page.wait_for_url(f"**/console/campaigns/{console.ids.campaign}")


@pytest.mark.parametrize(
    "next", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/console\\..\\x"]
)
async def test_log_in_leads_nowhere_else(console: Console, next: str) -> None:
    async with console.visit(None) as page:
        await log_in(page, "planner")
        cookies = await page.context.cookies()
    assert cookies[0]["httpOnly"] and cookies[0]["sameSite"] == "Lax"
    async with httpx.AsyncClient(base_url=console.base, timeout=60) as client:
        form = {"login": "planner", "password": "xiaoshu chuntian he yanzi", "code": "", "next": next}
        answer = await client.post("/console/login", data=form, headers={"Origin": console.base})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_a_post_from_elsewhere_or_without_token_changes_nothing(
    console: Console, headers: dict[str, str]
) -> None:
    await set_state(console, "running")
    async with console.visit() as page:
        cookies = {cookie["name"]: cookie["value"] for cookie in await page.context.cookies()}
    async with httpx.AsyncClient(base_url=console.base, cookies=cookies, timeout=60) as client:
        path = f"/console/rounds/{console.ids.running_round}/pause"
        answer = await client.post(path, headers=headers, data={"csrf": "wrong"})
    assert answer.status_code == 403
    assert await state_of(console) == "running"
