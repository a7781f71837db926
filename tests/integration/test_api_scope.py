"""The scope matrix: whoever asks for whatever sees the own subtree and what the units above share with it,
and nothing of its sisters. Outside and not there look the same."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.api_town import SISTER, SISTER_BRANCH, Town
from tests.town import BRANCH, CITY, COUNTY, GRID, PROVINCE

OWN, ABOVE, BELOW, BESIDE = (COUNTY,), (CITY, PROVINCE), (BRANCH, GRID), (SISTER, SISTER_BRANCH)
EVERYBODY = (*OWN, *ABOVE, *BELOW, *BESIDE)


def ids_of(found: Any) -> set[int]:
    return {row["id"] for row in found.json()["rows"]}


async def statuses(town: Town, path: str, method: str = "GET", **options: Any) -> dict[int, int]:
    return {unit: (await town.ask(method, path, unit=unit, **options)).status_code for unit in EVERYBODY}


def seen_by(*units: int, code: int = 200) -> dict[int, int]:
    return {unit: code if unit in units else 404 for unit in EVERYBODY}


async def settle_at_county(town: Town) -> int:
    """Household 1 belongs to the county's office itself, not to its grid."""
    await town.rt.db.execute("update taxpayer set org_id = %(org)s where id = 1", {"org": COUNTY})
    return 1


async def test_a_household_is_seen_from_its_unit_upwards(town: Town) -> None:
    number = await settle_at_county(town)
    for part in ("", "/timeline", "/statements"):
        assert await statuses(town, f"/taxpayers/{number}{part}") == seen_by(*OWN, *ABOVE), part


async def test_lists_and_searches_of_households_are_cut(town: Town) -> None:
    number = await settle_at_county(town)
    for unit in EVERYBODY:
        listed = ids_of(await town.get("/taxpayers", unit=unit))
        found = ids_of(await town.post("/taxpayers/search", {"q": town.tax_no(number)}, unit=unit))
        assert (number in listed) == (number in found) == (unit in (*OWN, *ABOVE)), unit
        assert (town.in_sister[0] in listed) == (unit in (*ABOVE, *BESIDE)), unit


async def test_a_statement_is_issued_from_its_unit_upwards(town: Town) -> None:
    number = await settle_at_county(town)
    got = await statuses(town, f"/taxpayers/{number}/statements", "POST", json={"year": 2025})
    assert got == seen_by(*OWN, *ABOVE)


async def test_an_explanation_needs_the_household_in_scope(town: Town) -> None:
    body = {"expression": "everyone", "taxpayer_id": town.in_county[0]}
    got = await statuses(town, "/segments/explain", "POST", json=body)
    assert got == seen_by(*OWN, *ABOVE, *BELOW)


async def test_counts_are_cut(town: Town) -> None:
    found = {}
    for unit in EVERYBODY:
        found[unit] = (await town.post("/segments/count", {"expression": "everyone"}, unit=unit)).json()[
            "count"
        ]
    half = len(town.in_county)
    assert found == {unit: 2 * half if unit in ABOVE else half for unit in EVERYBODY}


async def make_segment(town: Town) -> int:
    answer = await town.post("/segments", {"name": "本县", "expression": "everyone"}, unit=COUNTY)
    return int(answer.json()["id"])


async def make_template(town: Town) -> int:
    message = {"channel": "sms", "content": {"text": "请办理。"}}
    answer = await town.post("/templates", {"code": "own", "name": "本县", "message": message}, unit=COUNTY)
    return int(answer.json()["id"])


async def make_campaign(town: Town) -> int:
    return await town.campaign(COUNTY)


SHARED: list[tuple[str, Callable[[Town], Any]]] = [
    ("/segments", make_segment),
    ("/templates", make_template),
    ("/campaigns", make_campaign),
]


@pytest.mark.parametrize(("path", "make"), SHARED)
async def test_what_a_unit_makes_is_shared_downwards_and_owned_upwards(
    town: Town, path: str, make: Callable[[Town], Any]
) -> None:
    number = await make(town)
    assert await statuses(town, f"{path}/{number}") == seen_by(*OWN, *ABOVE, *BELOW)
    for unit in EVERYBODY:
        rows = {row["id"]: row for row in (await town.get(path, unit=unit)).json()["rows"]}
        assert (number in rows) == (unit not in BESIDE), unit
        if number in rows:
            assert rows[number]["is_own"] == (unit in (*OWN, *ABOVE)), unit


async def test_a_segment_is_removed_from_its_unit_upwards_only(town: Town) -> None:
    number = await make_segment(town)
    for unit in (*BELOW, *BESIDE):
        assert (await town.ask("DELETE", f"/segments/{number}", unit=unit)).status_code == 404
    assert (await town.ask("DELETE", f"/segments/{number}", unit=CITY)).status_code == 204


async def test_what_belongs_to_a_campaign_is_seen_as_it_is(town: Town) -> None:
    campaign, number = await town.running_round(COUNTY)
    paths = [f"/campaigns/{campaign}{part}" for part in ("/report", "/report/export?format=csv", "/unknown")]
    for path in [
        *paths,
        f"/campaigns/{campaign}/report/export",
        f"/rounds/{number}",
        f"/rounds/{number}/messages",
    ]:
        assert await statuses(town, path) == seen_by(*OWN, *ABOVE, *BELOW), path


async def test_the_brake_is_in_the_hands_of_the_unit_and_those_above(town: Town) -> None:
    _, number = await town.running_round(COUNTY)
    for verb in ("pause", "resume", "cancel"):
        for unit in (*BESIDE, *BELOW):
            answer = await town.post(f"/rounds/{number}/{verb}", unit=unit)
            assert answer.status_code == (404 if unit in BESIDE else 403), (verb, unit)
    assert (await town.get(f"/rounds/{number}")).json()["state"] == "running"
    for verb, unit in (("pause", COUNTY), ("resume", CITY), ("cancel", PROVINCE)):
        assert (await town.post(f"/rounds/{number}/{verb}", unit=unit)).status_code == 200


async def test_figures_of_a_campaign_from_above_are_cut(town: Town) -> None:
    campaign, number = await town.running_round(CITY)
    half = len(town.in_county)
    for table in ("message", "message_count"):
        await town.rt.db.execute(f"update {table} set state = 1 where org_id = %(org)s", {"org": GRID})
    await town.rt.db.execute("update message set tried_at = now() where state = 1")
    for unit, share in ((CITY, 2 * half), (COUNTY, half), (GRID, half), (SISTER, half)):
        shown = (await town.get(f"/rounds/{number}", unit=unit)).json()
        assert (shown["audience"], shown["planned"], sum(shown["messages"].values())) == (share, share, share)
        rows = (await town.get(f"/rounds/{number}/messages", unit=unit)).json()["rows"]
        assert len(rows) == share
        report = (await town.get(f"/campaigns/{campaign}/report", unit=unit)).json()
        assert (report["households_targeted"], report["rounds"][0]["messages"]) == (share, share)
        unknown = (await town.get(f"/campaigns/{campaign}/unknown", unit=unit)).json()["rows"]
        assert len(unknown) == (0 if unit == SISTER else half)


async def test_a_message_names_only_households_of_the_scope(town: Town) -> None:
    _, number = await town.running_round(CITY)
    mine, other = town.in_county[0], town.in_sister[0]
    await town.rt.db.execute(
        "update message set taxpayer_ids = %(both)s::int[] where taxpayer_ids = array[%(mine)s::int]",
        {"both": [mine, other], "mine": mine},
    )
    rows = (await town.get(f"/rounds/{number}/messages", unit=COUNTY)).json()["rows"]
    (row,) = [row for row in rows if mine in row["taxpayer_ids"]]
    assert (row["taxpayer_ids"], row["others"]) == ([mine], 1)


async def test_imports_and_keys_are_seen_from_their_unit_upwards(town: Town) -> None:
    row = await town.rt.db.fetch_one(
        "insert into import_file (kind, name, sha256, by, org_id, state)"
        " values ('taxpayers', 'a.csv', '', 'x', %(org)s, 'finished') returning id",
        {"org": COUNTY},
    )
    assert row is not None
    assert await statuses(town, f"/imports/{row['id']}") == seen_by(*OWN, *ABOVE)
    # There is no errors file, so nobody gets one; but those outside must not learn even that.
    assert set((await statuses(town, f"/imports/{row['id']}/errors")).values()) == {404}
    for unit in EVERYBODY:
        assert ids_of(await town.get("/imports", unit=unit)) == (
            {row["id"]} if unit in (*OWN, *ABOVE) else set()
        )
        units = {key["org_id"] for key in (await town.get("/keys", unit=unit)).json()["rows"]}
        assert (COUNTY in units) == (unit in (*OWN, *ABOVE))
        assert (SISTER in units) == (unit in (*ABOVE, SISTER))
