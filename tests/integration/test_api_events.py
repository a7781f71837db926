"""Events over the API: taken once, only for taxpayers in scope, and visible to the next count."""

import json
from typing import Any

import httpx

from outreach.labels.cache import SetCache
from outreach.labels.evaluate import count
from outreach.runtime import Runtime
from tests.integration.api_town import Town
from tests.town import COUNTY, PROVINCE

AT = "2026-03-15T10:24:00+08:00"


def event(key: str, **fields: Any) -> dict[str, Any]:
    return {"key": key, "type": "filed", "at": AT, **fields}


async def send(town: Town, *events: dict[str, Any], unit: int = PROVINCE) -> httpx.Response:
    return await town.post("/events", {"events": list(events)}, unit=unit)


async def test_events_are_taken_once_and_move_the_labels(town: Town, rt: Runtime) -> None:
    events = [event("a", taxpayer_id=1), event("b", taxpayer_no=town.tax_no(2))]
    first = await send(town, *events)
    assert (first.status_code, first.json()) == (200, {"new": 2, "repeated": 0, "outside": 0})
    again = await send(town, *events)
    assert again.json() == {"new": 0, "repeated": 2, "outside": 0}
    assert await count(rt, SetCache(), "iit.filed", PROVINCE) == 2
    told = (await town.get("/taxpayers/1/timeline?kind=event")).json()["rows"]
    assert [row["more"].startswith("来自 test（key:") for row in told] == [True]


async def test_a_number_is_read_as_people_write_it(town: Town) -> None:
    number = f" {town.tax_no(1).lower()} "
    assert (await send(town, event("a", taxpayer_no=number))).json()["new"] == 1


async def test_a_key_repeated_within_one_call_counts_once(town: Town) -> None:
    answer = await send(town, event("a", taxpayer_id=1), event("a", taxpayer_id=1))
    assert answer.json() == {"new": 1, "repeated": 1, "outside": 0}


async def test_outside_the_scope_and_unknown_look_the_same(town: Town, rt: Runtime) -> None:
    sister = town.in_sister[0]
    events = [event("a", taxpayer_id=sister), event("b", taxpayer_no=town.tax_no(sister))]
    events += [event("c", taxpayer_id=999_999), event("d", taxpayer_no="91330100MA000000XX")]
    own = event("e", taxpayer_id=town.in_county[0])
    answer = await send(town, *events, own, unit=COUNTY)
    assert answer.json() == {"new": 1, "repeated": 0, "outside": 4}
    assert await count(rt, SetCache(), "iit.filed", PROVINCE) == 1


JSON = {"content-type": "application/json"}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"taxpayer_id": 1, "taxpayer_no": "x"}, "events.0"),
    ({}, "events.0"),
    ({"taxpayer_id": 2**31}, "events.0.taxpayer_id"),
    ({"taxpayer_id": 0}, "events.0.taxpayer_id"),
    ({"taxpayer_id": 1, "at": "2026-03-15T10:24:00"}, "events.0.at"),
    ({"taxpayer_id": 1, "at": "0001-01-01T00:00:00+08:00"}, "events.0.at"),
    ({"taxpayer_id": 1, "key": ""}, "events.0.key"),
    ({"taxpayer_id": 1, "key": "a\x00b"}, "events.0.key"),
    ({"taxpayer_id": 1, "key": "\ud800"}, "events.0.key"),
    ({"taxpayer_id": 1, "key": "k" * 101}, "events.0.key"),
    ({"taxpayer_id": 1, "typo": 1}, "events.0.typo"),
]


async def test_a_bad_event_is_named_by_its_place(town: Town) -> None:
    for fields, place in BAD:
        body = json.dumps({"events": [{**event("a"), **fields}]})
        answer = await town.post("/events", content=body.encode(), headers=JSON)
        assert answer.status_code == 422, fields
        faults = answer.json()["details"]["faults"]
        assert [fault["field"] for fault in faults] == [place], fields
        assert not faults[0]["reason"].isascii(), fields


async def test_an_unknown_type_is_named(town: Town) -> None:
    answer = await send(town, {**event("a", taxpayer_id=1), "type": "danced"})
    assert answer.status_code == 422
    assert answer.json()["details"]["field"] == "events.0.type"


async def test_a_call_holds_at_most_a_thousand(town: Town) -> None:
    many = [event(f"k{n}", taxpayer_id=1) for n in range(1001)]
    assert (await send(town, *many)).status_code == 422
    assert (await send(town, *many[:1000])).json()["new"] == 1000
    assert (await send(town)).status_code == 422
