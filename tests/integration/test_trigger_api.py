"""Trigger rounds over the API: drafted, shown, foretold, and fed with events whose details are checked."""

from typing import Any

import httpx
import pytest

from campaigns.approval_text import cover
from campaigns.forecast import forecast
from campaigns.recipes import Recipe, body_of, draft_of
from campaigns.trigger_rules import Trigger, read_trigger, trigger_words, write_trigger
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from tests import town as towns
from tests.integration.api_town import CAMPAIGN, Town
from tests.integration.trigger_stage import STAY, drafted
from tests.town import COUNTY, START

AT = "2026-03-16T10:24:00+08:00"
RULE = {"event": "page_stay", "once": "session", "seconds": 200, "page": "vat"}


async def send(town: Town, *events: dict[str, Any]) -> httpx.Response:
    told = [{"key": f"k{n}", "taxpayer_id": 1, "at": AT, **event} for n, event in enumerate(events)]
    return await town.post("/events", {"events": told})


def stay(**details: Any) -> dict[str, Any]:
    return {"type": "page_stay", "details": {"seconds": 180.001, "session": "s", **details}}


async def test_details_are_kept_as_they_were_told(town: Town, rt: Runtime) -> None:
    answer = await send(
        town,
        stay(page="vat"),
        {"type": "credit_changed", "details": {"before": "A", "after": "C"}},
        {"type": "deferral_maturing", "details": {"matures_on": "2026-07-31"}},
        {"type": "first_invoice"},
    )
    assert answer.json() == {"new": 4, "repeated": 0, "outside": 0}
    rows = await rt.db.fetch("select detail from event order by event_key")
    assert [row["detail"] for row in rows] == [
        {"seconds": 180.001, "session": "s", "page": "vat"},
        {"before": "A", "after": "C"},
        {"matures_on": "2026-07-31"},
        {},
    ]


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "page_stay"}, "details.seconds", "第 2 条：page_stay 事件的 details 里缺少 seconds"),
    (stay(seconds="180"), "details.seconds", "第 2 条：seconds 应是0 到 86,400 的数字"),
    (stay(seconds=-1), "details.seconds", "seconds 应是"),
    (stay(seconds=True), "", ""),
    (stay(session=" "), "details.session", "session 应是会话编号"),
    (stay(sesion="x"), "details.sesion", "没有 sesion 这一项，可用：seconds、session、page"),
    ({"type": "credit_changed", "details": {"before": "A", "after": "E"}}, "details.after", "A、B、M、C、D"),
    ({"type": "deferral_maturing", "details": {"matures_on": "2026-02-30"}}, "details.matures_on", "到期日"),
    ({"type": "filed", "details": {"seconds": 3}}, "details.seconds", "没有附加信息"),
]


@pytest.mark.parametrize(("event", "place", "said"), BAD)
async def test_bad_details_are_named_by_row_and_field_and_nothing_is_kept(
    town: Town, rt: Runtime, event: dict[str, Any], place: str, said: str
) -> None:
    answer = await send(town, {"type": "filed", "taxpayer_id": 999_999}, event)
    assert answer.status_code == 422
    if place:
        faults = answer.json()["details"]["faults"]
        assert faults[0]["field"] == f"events.1.{place}"
        assert said in faults[0]["reason"] and faults[0]["reason"] in answer.json()["message"]
    assert await rt.db.fetch("select id from event") == []


async def test_not_a_number_is_no_stay(town: Town) -> None:
    body = (
        '{"events": [{"key": "a", "taxpayer_id": 1, "type": "page_stay", "at": "2026-03-16T10:24:00+08:00",'
        ' "details": {"seconds": NaN, "session": "s"}}]}'
    )
    answer = await town.post("/events", content=body.encode(), headers={"content-type": "application/json"})
    assert answer.status_code == 422


async def test_a_rule_is_drafted_and_shown(town: Town) -> None:
    part = {**CAMPAIGN["rounds"][0], "trigger": RULE}
    number = await town.campaign(COUNTY, rounds=[part])
    (shown,) = (await town.get(f"/campaigns/{number}", unit=COUNTY)).json()["rounds"]
    assert shown["trigger"] == RULE and shown["lap"] is None
    wrong = {**part, "trigger": {"event": "filed"}}
    answer = await town.post("/campaigns", {**CAMPAIGN, "rounds": [wrong]}, unit=COUNTY)
    assert answer.status_code == 422
    assert answer.json()["details"]["faults"][0]["field"] == "rounds.0.trigger.event"
    both = {**part, "trigger": {"event": "refund_done", "once": "session"}}
    answer = await town.post("/campaigns", {**CAMPAIGN, "rounds": [both]}, unit=COUNTY)
    assert answer.json()["details"]["field"] == "rounds.1.trigger.once"


async def test_the_forecast_tells_who_could_get_it(town: Town, rt: Runtime) -> None:
    await towns.set_clock(rt, START)
    part = {**CAMPAIGN["rounds"][0], "trigger": RULE}
    number = await town.campaign(COUNTY, rounds=[part])
    async with rt.db.begin() as conn:
        row = await (await conn.execute("select id from round")).fetchone()
        assert row is not None
        told = await forecast(rt, conn, SetCache(), row["id"])
        covered = await cover(conn, number)
    assert told.waits and told.audience == len(town.in_county)
    assert covered.parts["rounds.1.trigger"] == RULE


WORDS = (
    (STAY, "在任一办税页面停留超过 180 秒；同一次会话只发一条"),
    (Trigger("page_stay", seconds=60, page="vat"), "在页面「vat」停留超过 60 秒；每个事件发一条"),
    (Trigger("first_invoice", "taxpayer"), "首次开票；同一户只发一条"),
    (Trigger("credit_changed", "taxpayer", 30), "信用等级下降；同一户 30 天内只发一条"),
)


@pytest.mark.parametrize(("trigger", "said"), WORDS)
def test_a_rule_in_words_and_stored_and_back(trigger: Trigger, said: str) -> None:
    assert trigger_words(trigger) == said
    assert read_trigger(write_trigger(trigger)) == trigger


def test_a_recipe_carries_a_rule() -> None:
    body = body_of(drafted(Trigger("first_invoice", "taxpayer")), 2026)
    recipe = Recipe("own", "自己的", "", "年度", body)
    assert draft_of(recipe, year=2027, org_id=1, code="x").rounds[0].trigger == Trigger(
        "first_invoice", "taxpayer"
    )
