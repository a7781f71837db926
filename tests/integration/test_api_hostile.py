"""Hostile input at every door: no answer of the API is ever a 500."""

import base64
import json
from typing import Any

from outreach.web.api.limits import CallLimit
from tests.integration.api_town import Town
from tests.town import CITY

BIG = 10**30
CURSORS: list[Any] = [
    [True],
    [None],
    [1.5],
    ["a"],
    [[1]],
    [-1],
    [2**31],
    [2**63],
    [-(2**63)],
    [BIG],
    [],
    1,
    {},
]
TEXTS = ["%", "\\", "%00", "%ff", "'", '"', "%F0%9F%92%A5", "a" * 5_000, "_" * 90]
BODIES: list[Any] = [
    None,
    [],
    1,
    "x",
    {},
    {"\ud800": 1},
    {"x" * 10_000: 1},
    {"q": "\ud800\x00", "name": "\ud800\x00", "expression": "\ud800\x00", "events": [{}], "message": {}},
    {"q": [], "name": {}, "expression": 5, "events": {}, "message": [], "year": "x", "taxpayer_id": True},
    {"events": [None, 1, [], {"at": BIG}, {"at": "2026-13-45"}], "year": BIG, "taxpayer_id": BIG, "days": -1},
    {"message": {"channel": {"a": 1}}, "rounds": [{"steps": [{}]}], "variables": {"\x00": 1}},
]


def encoded(key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


async def test_cursors_and_searches_that_nobody_gave(town: Town) -> None:
    town.app.state.api_limit = CallLimit(10_000, 10_000)
    campaign, number = await town.running_round(CITY)
    lists = ["/taxpayers", "/segments", "/templates", "/campaigns", "/imports"]
    lists += [f"/rounds/{number}/messages", f"/campaigns/{campaign}/unknown"]
    for path in lists:
        for cursor in [*map(encoded, CURSORS), "=", "!!", "a", "%00", "é"]:
            answer = await town.get(f"{path}?cursor={cursor}")
            assert answer.status_code in (200, 422), (path, cursor, answer.text)
    for path in ("/segments", "/templates", "/campaigns"):
        for text in TEXTS:
            assert (await town.get(f"{path}?q={text}")).status_code in (200, 422), (path, text)


async def test_bodies_that_nobody_wrote(town: Town) -> None:
    town.app.state.api_limit = CallLimit(10_000, 10_000)
    document = town.app.openapi()["paths"]
    posts = [path for path, methods in document.items() if path.startswith("/api/v1") and "post" in methods]
    for path in posts:
        plain = path.removeprefix("/api/v1")
        for name in ("taxpayer_id", "campaign_id", "round_id", "gateway_id", "key_id"):
            plain = plain.replace(f"{{{name}}}", "999")
        for body in BODIES:
            text = json.dumps(body).encode()
            answer = await town.post(plain, content=text, headers={"content-type": "application/json"})
            assert answer.status_code in (400, 403, 404, 422), (path, body, answer.text)
            assert answer.json()["message"]


async def test_a_fault_never_repeats_what_was_sent(town: Town) -> None:
    secret = "13800138000"
    answer = await town.post("/taxpayers/search", {"q": [secret], "mobile": secret})
    assert answer.status_code == 422
    assert secret not in answer.text
