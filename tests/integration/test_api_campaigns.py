"""Campaigns, rounds, messages and reports over the API."""

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from python_calamine import CalamineWorkbook

from tests.integration.api_town import CAMPAIGN, SISTER, Town
from tests.town import CITY, COUNTY, START


async def test_a_draft_is_stored_whole(town: Town) -> None:
    number = await town.campaign(COUNTY, holdout_permille=0, quota_messages=3, quota_days=30)
    shown = (await town.get(f"/campaigns/{number}", unit=COUNTY)).json()
    assert shown["state"] == "draft"
    assert (shown["org_id"], shown["is_own"], shown["quota_messages"]) == (COUNTY, True, 3)
    assert shown["created_by"].startswith("key:")
    (part,) = shown["rounds"]
    assert (part["state"], part["segment"]) == ("scheduled", "everyone")
    assert [(s["channel"], s["wait"]) for s in part["steps"]] == [("sms", "P2D")]
    assert [row["id"] for row in (await town.get("/campaigns?state=draft")).json()["rows"]] == [number]
    assert (await town.get("/campaigns?state=running")).json()["rows"] == []


async def test_a_draft_says_whom_of_a_household_it_tells(town: Town) -> None:
    chosen = ["legal_representative", "finance_head"]
    for fields, kept in (({}, []), ({"contact_roles": chosen, "code": "chosen"}, chosen)):
        number = await town.campaign(COUNTY, **fields)
        assert (await town.get(f"/campaigns/{number}", unit=COUNTY)).json()["contact_roles"] == kept


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "party"}, "kind"),
    ({"rounds": []}, "rounds"),
    ({"code": "a b"}, "code"),
    ({"name": "\x00"}, "name"),
    ({"holdout_permille": 10}, "holdout_permille"),
    ({"holdout_permille": 501}, "holdout_permille"),
    ({"variables": {"tax_year": ["x"]}}, "variables"),
    ({"budget": 5}, "budget"),
    ({"contact_roles": ["cashier"]}, "contact_roles"),
    ({"contact_roles": ["agent", "agent"]}, "contact_roles"),
]


async def test_a_wrong_draft_is_refused_with_its_field(town: Town) -> None:
    for fields, field in WRONG:
        answer = await town.post("/campaigns", {**CAMPAIGN, **fields})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), fields
        details = answer.json()["details"]
        named = [details["field"]] if "field" in details else [item["field"] for item in details["faults"]]
        assert all(name.startswith(field) for name in named), fields
    assert (await town.get("/campaigns")).json()["rows"] == []


async def test_a_template_that_is_not_there_is_named(town: Town) -> None:
    steps = [{"channel": "sms", "template": "nothing"}]
    answer = await town.post(
        "/campaigns", {**CAMPAIGN, "rounds": [{**CAMPAIGN["rounds"][0], "steps": steps}]}
    )
    assert answer.status_code == 422
    assert answer.json()["details"]["field"] == "rounds.1.steps.1.template"


async def test_a_code_is_given_once(town: Town) -> None:
    await town.campaign(COUNTY, code="same")
    answer = await town.post("/campaigns", {**CAMPAIGN, "code": "same"})
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, "code")


async def test_a_unit_outside_the_scope_cannot_be_given(town: Town) -> None:
    answer = await town.post("/campaigns", {**CAMPAIGN, "org_id": CITY}, unit=COUNTY)
    assert answer.status_code == 404


async def test_segments_of_a_draft_are_read_from_its_own_unit(town: Town) -> None:
    await town.post("/segments", {"name": "邻居的", "expression": "everyone"}, unit=SISTER)
    wanted = {**CAMPAIGN, "segment": "segment 邻居的"}
    answer = await town.post("/campaigns", wanted, unit=COUNTY)
    assert (answer.status_code, answer.json()["code"]) == (422, "expression_invalid")
    assert (await town.post("/campaigns", wanted, unit=SISTER)).status_code == 201


async def test_a_round_stands_still_goes_on_and_is_given_up(town: Town) -> None:
    _, number = await town.running_round(CITY)
    shown = (await town.get(f"/rounds/{number}")).json()
    assert (shown["state"], shown["audience"], shown["planned"]) == ("running", 8, 8)
    assert shown["messages"] == {"planned": 8}
    assert any("发送进程" in sentence for sentence in shown["stalls"])
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = await town.post(f"/rounds/{number}/{verb}")
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    again = await town.post(f"/rounds/{number}/pause")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    audited = await town.rt.db.fetch("select action from audit_event where object = %(o)s order by id",
                                     {"o": f"round:{number}"})  # fmt: skip
    assert [row["action"] for row in audited] == ["round.pause", "round.resume", "round.cancel"]


async def test_messages_are_paged_by_state(town: Town) -> None:
    _, number = await town.running_round(CITY)
    seen: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        answer = await town.get(f"/rounds/{number}/messages?limit=3&state=planned&cursor={cursor}")
        seen += answer.json()["rows"]
        cursor = answer.json()["next"]
    assert sorted(row["taxpayer_ids"] for row in seen) == [[n] for n in range(1, 9)]
    assert {(row["state"], row["state_name"], row["others"]) for row in seen} == {("planned", "待发送", 0)}
    assert (await town.get(f"/rounds/{number}/messages?state=read")).json() == {"rows": [], "next": None}
    assert (await town.get(f"/rounds/{number}/messages?state=lost")).status_code == 422
    assert (await town.get(f"/rounds/{number}/messages?cursor=xyz")).status_code == 422
    assert (await town.get(f"/rounds/{number}/messages?limit=0")).status_code == 422


async def mark_unknown(town: Town, numbers: Sequence[int]) -> None:
    await town.rt.db.execute(
        "insert into message_count (round_id, step, org_id, state, n, households)"
        " select round_id, step, org_id, s.state, s.sign, s.sign from message,"
        " (values (0::smallint, -1), (1::smallint, 1)) s (state, sign) where taxpayer_ids && %(ids)s::int[]",
        {"ids": list(numbers)},
    )
    await town.rt.db.execute(
        "update message set state = 1, tried_at = now(), code = case when id %% 2 = 0 then 'isp.TIMEOUT' end"
        " where taxpayer_ids && %(ids)s::int[]",
        {"ids": list(numbers)},
    )


async def test_unknown_messages_are_listed_with_reasons(town: Town) -> None:
    campaign, _ = await town.running_round(CITY)
    await mark_unknown(town, [1, 2, 3])
    first = (await town.get(f"/campaigns/{campaign}/unknown?limit=2")).json()
    rest = (await town.get(f"/campaigns/{campaign}/unknown?limit=2&cursor={first['next']}")).json()
    rows = first["rows"] + rest["rows"]
    assert (len(first["rows"]), len(rest["rows"]), rest["next"]) == (2, 1, None)
    assert len({row["id"] for row in rows}) == 3
    for row in rows:
        assert ("isp.TIMEOUT" in row["reason"]) == (row["code"] is not None)
        assert "不会重发" in row["reason"]


async def test_the_report_agrees_with_itself(town: Town) -> None:
    campaign, number = await town.running_round(CITY)
    report = (await town.get(f"/campaigns/{campaign}/report")).json()
    (part,) = report["rounds"]
    assert part["audience"] == part["planned"] + sum(part["exclusions"].values()) == 8
    assert (part["id"], part["gap"], part["outcomes"]) == (number, 0, {"planned": 8})
    assert part["fell_back"] == {"by_operator": 0, "by_ladder": 0, "parts": 0}
    assert report["households_targeted"] == 8
    assert sum(org["messages"]["planned"] for org in report["orgs"]) == 8


async def test_exports_hold_text_not_formulas(town: Town) -> None:
    name = '=HYPERLINK("http://evil.example","x")'
    campaign, _ = await town.running_round(CITY)
    await town.rt.db.execute("update campaign set name = %(name)s", {"name": name})
    answer = await town.get(f"/campaigns/{campaign}/report/export?format=csv")
    assert answer.headers["content-disposition"].endswith('.csv"')
    lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {line["活动"] for line in lines} == {f"'{name}"}
    planned = [int(line["数量"]) for line in lines if line["项目"] in ("列入发送",)]
    assert planned == [8]
    answer = await town.get(f"/campaigns/{campaign}/report/export?format=xlsx")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    assert rows[0][0] == name
    audited = await town.rt.db.fetch("select detail from audit_event where action = 'report.export'")
    assert [row["detail"]["format"] for row in audited] == ["csv", "xlsx"]
    assert (await town.get(f"/campaigns/{campaign}/report/export?format=pdf")).status_code == 422


async def test_a_round_that_has_not_started_has_no_figures(town: Town) -> None:
    late = {**CAMPAIGN["rounds"][0], "starts_at": (START + timedelta(days=2)).isoformat()}
    number = await town.campaign(CITY, rounds=[late])
    row = await town.rt.db.fetch_one("select id from round where campaign_id = %(id)s", {"id": number})
    assert row is not None
    shown = (await town.get(f"/rounds/{row['id']}")).json()
    assert (shown["audience"], shown["planned"], shown["messages"]) == (None, None, {})
    assert shown["stalls"] == ["活动还没有审批，审批通过后轮次按时自动开始。"]


async def test_a_campaign_is_changed_submitted_and_looked_up(town: Town) -> None:
    number = await town.campaign(COUNTY)
    changed = {**CAMPAIGN, "code": f"c{COUNTY}", "purpose": "别的目的", "allowances": ["amount"]}
    shown = (await town.ask("PUT", f"/campaigns/{number}", unit=COUNTY, json=changed)).json()
    assert (shown["purpose"], shown["allowances"], shown["state"]) == ("别的目的", ["amount"], "draft")
    answer = await town.post(f"/campaigns/{number}/submit", {"note": "请核对"}, unit=COUNTY)
    assert answer.json()["state"] == "in_review"
    (review,) = (await town.get(f"/campaigns/{number}/reviews", unit=COUNTY)).json()
    assert (review["note"], review["decision"], len(review["hash"])) == ("请核对", None, 64)
    assert (await town.ask("PUT", f"/campaigns/{number}", unit=SISTER, json=changed)).status_code == 404


async def test_a_refused_wording_is_listed_place_by_place(town: Town) -> None:
    message = {"channel": "sms", "content": {"text": "您必须办理，应补150元。"}}
    body = {"code": "harsh", "name": "催办", "message": message}
    assert (await town.post("/templates", body)).status_code == 201
    steps = [{"channel": "sms", "template": "harsh"}]
    number = await town.campaign(CITY, rounds=[{**CAMPAIGN["rounds"][0], "steps": steps}])
    answer = await town.post(f"/campaigns/{number}/submit", {}, unit=CITY)
    assert answer.status_code == 422
    faults = answer.json()["details"]["faults"]
    assert {fault["field"] for fault in faults} == {"第 1 轮第 1 级「催办」正文"}
    assert [("必须" in f["reason"], "150元" in f["reason"]) for f in faults] == [(True, False), (False, True)]


async def test_a_campaign_stands_goes_on_and_is_given_up(town: Town) -> None:
    number, _ = await town.running_round(CITY)
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = await town.post(f"/campaigns/{number}/{verb}", unit=CITY)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert (await town.post(f"/campaigns/{number}/resume", unit=CITY)).status_code == 409
    assert (await town.post(f"/campaigns/{number}/pause", unit=COUNTY)).status_code == 403
    rounds = await town.rt.db.fetch("select state from round")
    assert [row["state"] for row in rounds] == ["cancelled"]


async def test_a_longer_window_is_asked_for_and_a_price_is_noted(town: Town) -> None:
    number, round_id = await town.running_round(CITY)
    later = {"round_id": round_id, "ends_at": (START + timedelta(days=20)).isoformat(), "note": "延长"}
    assert (await town.post(f"/campaigns/{number}/extensions", later, unit=CITY)).status_code == 201
    early = {**later, "ends_at": START.isoformat()}
    assert (await town.post(f"/campaigns/{number}/extensions", early, unit=CITY)).status_code == 422
    gateway = (await town.get("/prices")).json()[0]["gateway_id"]
    assert (await town.ask("PUT", f"/prices/{gateway}", json={"yuan": "0.0350"})).status_code == 204
    priced = [row for row in (await town.get("/prices")).json() if row["gateway_id"] == gateway]
    assert [row["yuan"] for row in priced] == ["0.0350"]
    assert (await town.ask("PUT", f"/prices/{gateway}", json={"yuan": "-1"})).status_code == 422
