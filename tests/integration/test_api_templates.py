"""Templates over the API: every version checked, previewed with what it will cost."""

from typing import Any

from outreach.rehearsal import add_gateways, free_ports
from tests.integration.api_town import Town
from tests.town import CITY, CONTENT, COUNTY


def draft(channel: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    shown = {key: value for key, value in (content or CONTENT[channel]).items() if value != ""}
    return {"code": "t-1", "name": "提醒", "message": {"channel": channel, "content": shown}}


async def test_every_channel_is_saved_as_it_was_given(town: Town) -> None:
    for channel in CONTENT:
        body = draft(channel)
        made = await town.post("/templates", body, unit=CITY)
        assert made.status_code == 201, made.text
        shown = (await town.get(f"/templates/{made.json()['id']}", unit=CITY)).json()
        assert (shown["channel"], shown["version"], shown["org_id"]) == (channel, 1, CITY)
        for part, value in body["message"]["content"].items():
            if part not in ("actions", "chips"):
                assert shown["content"][part] == value


CAROUSEL = {
    "text": "请办理汇算。",
    "title": "汇算清缴",
    "body": "请于六月三十日前办理。",
    "image_url": "https://media.example.cn/a.png",
    "height": "short",
    "width": "small",
    "actions": [{"kind": "map", "label": "怎么去", "value": "40.8,111.7,办税厅", "postback": "way"}],
    "more": [
        {
            "title": "所需材料",
            "body": "身份证",
            "actions": [{"kind": "dial", "label": "问", "value": "12366"}],
        }
    ],
}


async def test_a_carousel_is_kept_whole_and_held_to_its_limits(town: Town) -> None:
    made = await town.post("/templates", draft("rcs", CAROUSEL))
    assert made.status_code == 201, made.text
    kept = made.json()["content"]
    assert {name: kept[name] for name in ("height", "width", "actions")} == {
        name: CAROUSEL[name] for name in ("height", "width", "actions")
    }
    assert [card["title"] for card in kept["more"]] == ["所需材料"]
    again = await town.post("/templates", draft("rcs", kept))
    assert (again.json()["id"], again.json()["version"]) == (made.json()["id"], 1)
    lying = await town.post("/templates", draft("rcs", {**CAROUSEL, "layout": "left"}))
    assert lying.status_code == 422
    assert "竖排" in lying.text


async def test_a_change_is_a_new_version_and_the_same_is_not(town: Town) -> None:
    first = (await town.post("/templates", draft("sms"))).json()
    assert (await town.post("/templates", draft("sms"))).json()["version"] == 1
    changed = (await town.post("/templates", draft("sms", {"text": "请尽快办理。"}))).json()
    assert (changed["id"], changed["version"]) == (first["id"], 2)
    assert [row["version"] for row in changed["versions"]] == [2, 1]
    old = (await town.get(f"/templates/{first['id']}?version=1")).json()
    assert old["content"] == first["content"]


async def test_all_faults_are_told_at_once(town: Town) -> None:
    content = {"subject": "{{ 1 + 1 }}", "html": "<p>{{ name }}</p>", "text": "{% for x in y %}"}
    answer = await town.post("/templates", draft("email", content))
    assert answer.status_code == 422
    fields = [fault["field"] for fault in answer.json()["details"]["faults"]]
    assert fields == ["message.content.subject", "message.content.text"]


async def test_a_variable_that_nobody_fills_is_refused(town: Town) -> None:
    answer = await town.post("/templates", draft("sms", {"text": "{{ shoe_size }}"}))
    assert (answer.status_code, answer.json()["code"]) != (201, "")
    assert "shoe_size" in answer.text


HOSTILE: list[Any] = [
    {"channel": "fax", "content": {"text": "x"}},
    {"channel": "sms", "content": {"text": 5}},
    {"channel": "sms", "content": {}},
    {"channel": "sms", "content": {"text": "x", "title": "y"}},
    {"channel": "rcs", "content": {"text": "x", "title": "y", "body": "z", "actions": "no"}},
    {"channel": "rcs", "content": {"text": "x", "title": "y", "body": "z", "chips": [{"kind": "run"}]}},
    {"channel": "wechat", "content": {"fields": {"__class__": "x"}}},
    {"channel": "wechat", "content": {"fields": {}}},
    {"channel": "sms", "content": {"text": "a\u0000b"}},
    {"channel": "sms", "content": {"text": "{{ ''.__class__ }}"}},
    {"channel": "sms", "content": {"text": "{{ 'x' * 999999999 }}"}},
    None,
]


async def test_hostile_contents_are_refused(town: Town) -> None:
    for message in HOSTILE:
        for path, head in (("/templates", {"code": "t-1", "name": "x"}), ("/templates/preview", {})):
            answer = await town.post(path, {**head, "message": message})
            assert answer.status_code == 422, message
    assert (await town.get("/templates?q=t-1")).json()["rows"] == []


async def test_a_preview_says_what_is_billed(town: Town) -> None:
    text = "办" * 80
    shown = (
        await town.post("/templates/preview", {"message": {"channel": "sms", "content": {"text": text}}})
    ).json()
    assert (shown["rendered"], shown["variables"], shown["parts"]) == ({"text": text}, [], 2)
    letter = (await town.post("/templates/preview", {"message": draft("email")["message"]})).json()
    assert letter["parts"] is None
    assert "{{" not in letter["rendered"]["html"]


async def test_templates_of_the_units_above_may_be_used_but_not_changed(town: Town) -> None:
    rows = (await town.get("/templates?channel=sms", unit=COUNTY)).json()["rows"]
    assert [row["is_own"] for row in rows if row["code"] == "remind"] == [False]
    own = await town.post("/templates", {**draft("sms"), "code": "remind"}, unit=COUNTY)
    assert (own.json()["org_id"], own.json()["version"]) == (COUNTY, 1)
    assert own.json()["id"] != rows[0]["id"]


async def test_a_version_is_sent_by_who_files_texts_only_under_the_code_noted(town: Town) -> None:
    ids = await add_gateways(town.rt, free_ports(), rate=1000, quiet_seconds=1)
    made = (await town.post("/templates", draft("sms"))).json()
    path = f"/templates/{made['id']}/filings"
    (row,) = (await town.get(path)).json()
    assert (row["gateway_id"], row["code"]) == (ids["aliyun_sms"], "")
    assert "{{" not in row["text"]
    assert "${" in row["text"]
    note = {"version": 1, "gateway_id": ids["aliyun_sms"], "code": "SMS_153055065"}
    assert (await town.ask("PUT", path, json={**note, "code": "SMS 1"})).status_code == 422
    assert (await town.ask("PUT", path, json={**note, "gateway_id": ids["email_smtp"]})).status_code == 404
    assert (await town.ask("PUT", path, unit=COUNTY, json=note)).status_code == 403
    assert (await town.ask("PUT", path, json=note)).status_code == 204
    assert (await town.get(path)).json()[0]["code"] == "SMS_153055065"
    letter = (await town.post("/templates", draft("email"))).json()
    assert (await town.get(f"/templates/{letter['id']}/filings")).json() == []
