"""错峰, canary, dates and the working calendar over the API."""

from typing import Any

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.rounds import tick
from tests.integration.api_town import CAMPAIGN, SISTER, Town
from tests.town import COUNTY, START, set_clock, ticker

STAGGER = {
    "category": [{"name": "甲类", "segment": "iit.must_file"}],
    "wave": [{"name": "第一批", "segment": "kind = enterprise", "last_day": "2026-03-31"}],
    "cap_day": 2,
    "hall_level": 4,
    "labels": {"wave": "批次"},
}
CANARY = {"permille": 50, "hold_minutes": 45}


def planned(**fields: Any) -> list[dict[str, Any]]:
    """The town's round with these fields."""
    return [{**CAMPAIGN["rounds"][0], **fields}]


async def test_a_plan_is_stored_and_its_slices_are_shown(town: Town) -> None:
    await set_clock(town.rt, START)
    number = await town.campaign(COUNTY, rounds=planned(stagger=STAGGER, canary=CANARY))
    (part,) = (await town.get(f"/campaigns/{number}", unit=COUNTY)).json()["rounds"]
    assert part["stagger"]["cap_day"] == 2 and part["canary_permille"] == 50
    assert part["stagger"]["wave"][0]["last_day"] == "2026-03-31"
    assert (await town.get(f"/rounds/{part['id']}/slices", unit=COUNTY)).json() == []
    await submit_campaign(town.rt, number, "maker")
    await approve_campaign(town.rt, number, "checker")
    await tick(ticker(town.rt))
    rows = (await town.get(f"/rounds/{part['id']}/slices", unit=COUNTY)).json()
    assert rows[0]["label"] == "灰度" and rows[0]["is_open"]
    assert sum(row["persons"] for row in rows) == len(town.in_county)
    assert all(row["busiest"] <= 2 for row in rows)
    assert (await town.get(f"/rounds/{part['id']}/slices", unit=SISTER)).status_code == 404


async def test_plans_that_cannot_be_meant_name_their_field(town: Town) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"stagger": {"cap_hall": 5}}, "rounds.1.hall_level"),
        ({"stagger": {"cap_day": 0}}, "rounds.0.stagger.cap_day"),
        ({"canary": {"permille": 501}}, "rounds.0.canary.permille"),
        ({"anchor": {"attribute": "amount_due", "days": -7}}, "rounds.1.anchor"),
        ({"stagger": {"tier": [{"name": "x", "segment": "no_such_thing"}]}}, ""),
    ]
    for fields, field in wrong:
        answer = await town.post("/campaigns", {**CAMPAIGN, "rounds": planned(**fields)}, unit=COUNTY)
        assert answer.status_code == 422, fields
        details = answer.json()["details"]
        named = [details.get("field", "")] + [item["field"] for item in details.get("faults", ())]
        assert not field or field in named, (fields, answer.json())


async def test_the_calendar_tells_days_and_hours(town: Town) -> None:
    await town.rt.db.execute(
        "insert into calendar_day (org_id, day, is_workday, opens, closes, set_by)"
        " values (2, '2026-10-05', true, '09:00', '20:00', 'officer'),"
        " (4, '2026-10-05', false, null, null, 'x')"
    )
    rows = (await town.get("/calendar?first=2026-10-01&last=2026-10-11", unit=COUNTY)).json()
    assert [row["day"][-2:] for row in rows if row["is_workday"]] == ["05", "08", "09", "10"]
    assert (rows[4]["opens"], rows[4]["closes"]) == ("09:00:00", "20:00:00")
    answer = await town.get("/calendar?first=2031-01-01&last=2031-01-02", unit=COUNTY)
    assert answer.status_code == 422 and "2031" in answer.json()["message"]
    assert (await town.get("/calendar?first=2026-01-02&last=2026-01-01")).status_code == 422


async def test_a_round_is_tried_out_on_the_units_list(town: Town) -> None:
    _, number = await town.running_round(COUNTY)
    body = {"name": "值班员", "kind": "mobile", "value": "13910000501"}
    (listed,) = (await town.post("/test-addresses", body, unit=COUNTY)).json()
    assert listed["value"] != body["value"]
    assert (await town.get("/test-addresses", unit=SISTER)).json() == []
    path = f"/rounds/{number}/test-sends"
    assert (await town.post(path, {"addresses": [listed["id"]]}, unit=SISTER)).status_code == 404
    (tried,) = (await town.post(path, {"addresses": [listed["id"]]}, unit=COUNTY)).json()
    assert (tried["channel"], tried["name"], tried["taken"]) == ("sms", "值班员", False)
    gone = await town.ask("DELETE", f"/test-addresses/{listed['id']}", unit=COUNTY)
    assert gone.status_code == 204 and (await town.get("/test-addresses", unit=COUNTY)).json() == []
