"""账单 at the console and over the API: whom it shows what, who may order, and that nobody orders more than
she saw."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from outreach.governance.accounts import create_account
from outreach.governance.sessions import log_in, resume_session
from outreach.runtime import Runtime
from outreach.setup import ensure_templates
from outreach.statements.documents import read_documents
from outreach.statements.orders import work_runs
from tests import town as small
from tests.integration.api_town import CAMPAIGN, SISTER, Town, open_town

PASSWORD = "xiaoshu chuntian he yanzi"
BILL = {"kind": "yearly_bill", "year": "2025", "org_id": str(small.COUNTY), "expression": "", "reason": ""}


@dataclass(frozen=True)
class Officer:
    """Somebody at the console."""

    town: Town
    token: str
    csrf: str

    async def get(self, path: str) -> httpx.Response:
        return await self.town.client.get(f"/console{path}", headers={"cookie": f"session={self.token}"})

    async def post(self, path: str, **fields: str) -> httpx.Response:
        headers = {"cookie": f"session={self.token}", "sec-fetch-site": "same-origin"}
        return await self.town.client.post(
            f"/console{path}", data={"csrf": self.csrf, **fields}, headers=headers
        )

    async def order(self, **fields: str) -> int:
        answer = await self.post("/statements", **{**BILL, "expected": "4", **fields})
        assert answer.status_code == 303, answer.text
        return int(re.findall(r"/runs/(\d+)", answer.headers["location"])[0])


@pytest.fixture
async def town(rt: Runtime) -> AsyncIterator[Town]:
    """Eight companies, four in either county, of seven of which taxes of 2025 are known."""
    async with open_town(rt) as opened:
        await small.set_clock(rt, small.START)
        await rt.db.execute(
            "insert into tax_record (taxpayer_id, month, tax_type, declared, paid)"
            " select id, 202503, '增值税', 100, 100 from taxpayer where id <> 2"
        )
        await rt.db.execute(
            "insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount) values"
            " (1, 202503, 'SIX_TAX_HALF', true, '{\"due\": \"200.00\"}', 100),"
            " (8, 202503, 'SIX_TAX_HALF', true, '{\"due\": \"200.00\"}', 100)"
        )
        yield opened


async def officer(town: Town, login: str, org_id: int, role: str = "planner") -> Officer:
    await create_account(
        town.rt, "system", login=login, display_name=login, password=PASSWORD, org_id=org_id, roles=(role,)
    )
    token = await log_in(town.rt, login=login, password=PASSWORD, code="", remote="10.0.0.1")
    session = await resume_session(town.rt, token)
    assert session is not None
    return Officer(town, token, session.csrf_token)


async def runs(town: Town) -> list[dict[str, Any]]:
    return await town.rt.db.fetch("select * from statement_run order by id")


async def actions(town: Town) -> list[tuple[str, str]]:
    rows = await town.rt.db.fetch(
        "select actor, action from audit_event where action like 'statement.%' order by id"
    )
    return [(row["actor"], row["action"]) for row in rows]


async def test_from_the_form_to_the_books(town: Town) -> None:
    her = await officer(town, "planner", small.CITY)
    assert "还没有出具过文书" in (await her.get("/statements")).text
    form = (await her.get("/statements/new")).text
    assert "年度纳税缴费账单" in form and "示例县" in form and "示例省" not in form.split("<main")[1]
    look = await her.post("/statements/preview", **{**BILL, "reason": "补录了记录"})
    assert "的全部 4 户" in look.text and "3 户会有新文书" in look.text and "合计相符" in look.text
    assert await runs(town) == []
    run_id = await her.order(reason="补录了记录")
    (row,) = await runs(town)
    assert (row["id"], row["by"], row["state"], row["wanted"]) == (run_id, "planner", "waiting", 4)
    waiting = (await her.get(f"/statements/runs/{run_id}")).text
    assert "等待处理" in waiting and "没有后台进程在运行" in waiting
    assert await work_runs(town.rt, "one") == 1
    shown = (await her.get(f"/statements/runs/{run_id}?done=ordered")).text
    assert "4 户 = 出具 3 + 未变 0 + 无内容 1" in shown and "合计相符" in shown
    assert "/console/campaigns/new?document=yearly_bill&amp;year=2025" in shown
    overview = (await her.get("/statements")).text
    assert "已有 3 份现行文书，含优惠 1 条" in overview and "示例县" in overview
    assert await actions(town) == [("planner", "statement.order"), ("planner", "statement.finish")]
    again = await her.order()
    await work_runs(town.rt, "one")
    assert "4 户 = 出具 0 + 未变 3 + 无内容 1" in (await her.get(f"/statements/runs/{again}")).text


async def test_a_county_sees_and_issues_its_own_only(town: Town) -> None:
    city, county = await officer(town, "city", small.CITY), await officer(town, "county", small.COUNTY)
    sister = await officer(town, "sister", SISTER)
    whole = await city.order(org_id=str(small.CITY), expected="8")
    await work_runs(town.rt, "one")
    assert "8 户 = 出具 7" in (await city.get(f"/statements/runs/{whole}")).text
    part = (await county.get(f"/statements/runs/{whole}")).text
    assert "4 户 = 出具 3 + 未变 0 + 无内容 1" in part and "下面的数字只含 示例县" in part
    assert "停止" not in part and "接着做完" not in part
    assert "4 户 = 出具 4" in (await sister.get(f"/statements/runs/{whole}")).text
    own = await county.order()
    assert (await sister.get(f"/statements/runs/{own}")).status_code == 404
    assert (await sister.get(f"/statements/runs/{own}/live")).status_code == 404
    assert (await sister.post(f"/statements/runs/{own}/stop")).status_code == 404
    assert f"/runs/{own}" not in (await sister.get("/statements")).text
    for beyond in (small.CITY, SISTER, 999):
        for path in ("/statements", "/statements/preview"):
            refused = await county.post(path, **{**BILL, "org_id": str(beyond), "expected": "4"})
            assert refused.status_code == 422 and "不在您的数据范围内" in refused.text
    assert (await county.post(f"/statements/runs/{whole}/resume")).status_code == 403
    assert len(await runs(town)) == 2


async def test_samples_stay_within_the_scope_and_the_audit_chain(town: Town) -> None:
    county = await officer(town, "county", small.COUNTY)
    sample = f"/statements/sample?kind=yearly_bill&year=2025&unit={small.COUNTY}&household="
    page = await county.get(f"{sample}1")
    assert page.status_code == 200
    assert "示例企业1" in page.text and "预览" in page.text and "/statement.pdf" not in page.text
    for other in (town.in_sister[0], 2, 0, 2**40):
        assert (await county.get(f"{sample}{other}")).status_code in (404, 422), other
    foreign = f"/statements/sample?kind=yearly_bill&year=2025&unit={SISTER}&household={town.in_sister[0]}"
    assert (await county.get(foreign)).status_code == 404
    city = await officer(town, "city", small.CITY)
    await city.order(org_id=str(small.CITY), expected="8")
    await work_runs(town.rt, "one")
    mine, theirs = [(await read_documents(town.rt, [one]))[0].id for one in (1, town.in_sister[0])]
    assert "抽查" in (await county.get(f"/statements/documents/{mine}")).text
    assert (await county.get(f"/statements/documents/{theirs}")).status_code == 404
    assert (await county.get(f"/statements/documents/{2**70}")).status_code == 404
    looks = [("county", "statement.preview"), ("county", "statement.view")]
    assert [one for one in await actions(town) if one[0] == "county"] == looks


async def test_who_may_only_read_orders_nothing(town: Town) -> None:
    reader = await officer(town, "reader", small.CITY, "executor")
    stranger = await officer(town, "stranger", small.CITY, "content_editor")
    writer = await officer(town, "writer", small.CITY)
    run_id = await writer.order()
    await work_runs(town.rt, "one")
    shown = await reader.get(f"/statements/runs/{run_id}")
    assert shown.status_code == 200 and "/statements/documents/" not in shown.text
    assert "出具文书</a>" not in (await reader.get("/statements")).text
    (statement,) = await town.rt.db.fetch("select id from statement order by id limit 1")
    for who in (reader, stranger):
        for path in ("/statements", "/statements/preview", f"/statements/runs/{run_id}/stop"):
            assert (await who.post(path, **BILL, expected="4")).status_code == 403, path
        for path in (
            "/statements/new",
            f"/statements/documents/{statement['id']}",
            f"/statements/sample?kind=yearly_bill&year=2025&unit={small.COUNTY}&household=1",
        ):
            assert (await who.get(path)).status_code == 403, path
    assert (await stranger.get("/statements")).status_code == 403
    assert len(await runs(town)) == 1


async def test_nothing_is_ordered_that_was_not_seen(town: Town) -> None:
    her = await officer(town, "planner", small.COUNTY)
    for wrong in ("5", "0", "", "4x"):
        answer = await her.post("/statements", **BILL, expected=wrong)
        assert answer.status_code == 422 and "重新核对" in answer.text, wrong
    bad: dict[str, tuple[str, str]] = {
        "year": ("2027", "还不能出具"),
        "kind": ("gift", "请选择文书种类"),
        "expression": ("iit.must_fil", "没有标签"),
        "reason": ("否则将追究法律责任", "威慑性"),
    }
    for field, (value, said) in bad.items():
        for path in ("/statements", "/statements/preview"):
            answer = await her.post(path, **{**BILL, field: value, "expected": "4"})
            assert answer.status_code == 422 and said in answer.text, (field, path)
    nobody = await her.post("/statements/preview", **{**BILL, "expression": "nobody"})
    assert "范围内没有户" in nobody.text and "不通知任何人</button>" not in nobody.text
    assert await runs(town) == []


async def test_some_households_by_the_language_of_audiences(town: Town) -> None:
    her = await officer(town, "planner", small.CITY)
    wish = {**BILL, "org_id": str(small.CITY), "expression": "org under 相邻县"}
    assert "中符合条件的 4 户" in (await her.post("/statements/preview", **wish)).text
    run_id = await her.order(**wish)
    await work_runs(town.rt, "one")
    (row,) = await runs(town)
    assert (row["households"], row["documents"], row["expression"]) == (4, 4, 'org under "100000006"')
    assert "<code>org under" in (await her.get(f"/statements/runs/{run_id}")).text


async def test_more_than_ten_thousand_are_typed(town: Town) -> None:
    her = await officer(town, "planner", small.COUNTY)
    answer = await her.post("/statements", **BILL, expected="10001", typed="10000")
    assert answer.status_code == 422 and "请输入 10001 确认" in answer.text
    answer = await her.post("/statements", **BILL, expected="10001", typed="10,001")
    assert "范围内现在是 4 户" in answer.text


async def test_stopping_and_going_on(town: Town) -> None:
    her = await officer(town, "planner", small.COUNTY)
    run_id = await her.order()
    assert (await her.post(f"/statements/runs/{run_id}/stop")).status_code == 303
    assert await work_runs(town.rt, "one") == 0
    assert "已停止" in (await her.get(f"/statements/runs/{run_id}")).text
    assert (await her.post(f"/statements/runs/{run_id}/stop")).status_code == 409
    assert (await her.post(f"/statements/runs/{run_id}/resume")).status_code == 303
    await work_runs(town.rt, "one")
    assert "4 户 = 出具 3" in (await her.get(f"/statements/runs/{run_id}")).text
    assert (await her.post(f"/statements/runs/{run_id}/again")).status_code == 404
    assert [action for _, action in await actions(town)] == [
        "statement.order", "statement.stop", "statement.resume", "statement.finish",
    ]  # fmt: skip


async def test_a_campaign_that_tells_of_documents_is_drafted(town: Town) -> None:
    her = await officer(town, "planner", small.CITY)
    form = (await her.get("/campaigns/new?document=gift_pack&year=2025")).text
    assert "document.gift_pack = 2025" in form
    assert "2025 年税费优惠政策大礼包送达" in form and "tax_year=2025" in form
    assert 'value=""' in (await her.get("/campaigns/new?document=nothing&year=2025")).text


async def test_over_the_api(town: Town) -> None:
    wish = {"kind": "yearly_bill", "year": 2025}
    look = (await town.post("/statements/runs/preview", wish, unit=small.COUNTY)).json()
    assert (look["wanted"], look["tried"], look["first"], look["empty"]) == (4, 4, 3, 1)
    refused = await town.post("/statements/runs", {**wish, "expected": 5}, unit=small.COUNTY)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    beyond = await town.post("/statements/runs", {**wish, "org_id": SISTER, "expected": 4}, unit=small.COUNTY)
    assert (beyond.status_code, beyond.json()["details"]["field"]) == (422, "org_id")
    answer = await town.post("/statements/runs", {**wish, "expected": 4}, unit=small.COUNTY)
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    path = f"/statements/runs/{answer.json()['id']}"
    assert (await town.post(f"{path}/stop", unit=small.COUNTY)).json()["state"] == "stopped"
    assert (await town.post(f"{path}/resume", unit=small.COUNTY)).json()["state"] == "waiting"
    await work_runs(town.rt, "one")
    run = (await town.get(path, unit=small.COUNTY)).json()
    assert (run["state"], run["documents"], run["empty"], run["by"][:4]) == ("finished", 3, 1, "key:")
    assert (await town.get(path, unit=SISTER)).status_code == 404
    assert (await town.post(f"{path}/resume", unit=SISTER)).status_code == 404
    assert [one["id"] for one in (await town.get("/statements/runs")).json()["rows"]] == [run["id"]]
    assert (await town.get("/statements/runs", unit=SISTER)).json()["rows"] == []
    (held,) = (await town.get("/statements/held?year=2025")).json()["rows"]
    assert (held["name"], held["households"], held["benefits"]) == ("示例市", 3, 1)
    reader = await town.key_with("statement.read")
    assert (await town.post("/statements/runs", {**wish, "expected": 4}, key=reader)).status_code == 403


async def test_what_was_opened_and_read_since(town: Town) -> None:
    her = await officer(town, "planner", small.CITY)
    run_id = await her.order(org_id=str(small.CITY), expected="8")
    await work_runs(town.rt, "one")
    assert "发出以后" not in (await her.get(f"/statements/runs/{run_id}")).text
    await ensure_templates(town.rt, small.PROVINCE)
    steps = [{"channel": "sms", "template": "statement_yearly_bill"}]
    told = {**CAMPAIGN["rounds"][0], "steps": steps}
    fields = {"name": "账单送达", "kind": "bill", "done_segment": "nobody", "rounds": [told]}
    campaign = await town.campaign(small.CITY, **fields, variables={"tax_year": "2025"})
    await town.campaign(small.CITY, **fields, code="other-year", variables={"tax_year": "2024"})
    await town.rt.db.execute("update round set started_at = business_now() + interval '1 minute'")
    await town.rt.db.execute(
        "insert into opened_delta (round_id, what, taxpayer_ids)"
        " select r.id, w.what, w.ids from round r, (values ('opened', '{1,3,8}'::int[]),"
        " ('yearly_bill', '{1,8}'), ('checkup', '{3}')) w (what, ids) where r.campaign_id = %(id)s",
        {"id": campaign},
    )
    shown = " ".join(re.sub(r"<[^>]+>", " ", (await her.get(f"/statements/runs/{run_id}")).text).split())
    assert "账单送达 草稿 3 3 2" in shown and shown.count("账单送达") == 1
    county = await officer(town, "county", small.COUNTY)
    part = " ".join(re.sub(r"<[^>]+>", " ", (await county.get(f"/statements/runs/{run_id}")).text).split())
    assert "账单送达 草稿 2 2 1" in part


async def test_documents_that_follow_their_data(town: Town) -> None:
    her, other = await officer(town, "planner", small.COUNTY), await officer(town, "other", SISTER)
    assert "还没有文书随数据更新" in (await her.get("/statements/standing")).text
    wish = {"kind": "benefit_bill", "org_id": str(small.COUNTY)}
    begun = await her.post("/statements/standing", **wish)
    assert begun.status_code == 303
    assert "红利账单" in (await her.get("/statements/standing")).text
    for refused, status in (
        (wish, 409),
        ({**wish, "org_id": str(SISTER)}, 404),
        ({**wish, "kind": "x"}, 422),
    ):
        assert (await her.post("/statements/standing", **refused)).status_code == status
    assert "还没有文书随数据更新" in (await other.get("/statements/standing")).text
    assert (await other.post("/statements/standing/1/end")).status_code == 404
    looker = await officer(town, "looker", small.COUNTY, "executor")
    assert (await looker.post("/statements/standing", **wish)).status_code == 403
    assert (await her.post("/statements/standing/1/end")).status_code == 303
    assert "还没有文书随数据更新" in (await her.get("/statements/standing")).text
    assert await actions(town) == [("planner", "statement.follow"), ("planner", "statement.unfollow")]
