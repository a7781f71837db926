"""Taxpayers over the API: found, shown masked, with what happened to them and their statements."""

from tests.integration.api_town import Town
from tests.town import COUNTY, mobile


async def test_a_household_is_found_by_number_mobile_and_name(town: Town) -> None:
    for given in (town.tax_no(2), mobile(2), "示例企业2"):
        rows = (await town.post("/taxpayers/search", {"q": given})).json()["rows"]
        assert [(row["id"], row["name"], row["tax_no"]) for row in rows] == [
            (2, "示例企业2", town.tax_no(2))
        ], given


async def test_a_search_leaves_no_number_in_an_address(town: Town) -> None:
    assert (await town.get(f"/taxpayers/search?q={mobile(1)}")).status_code == 422


async def test_hostile_searches_find_nothing(town: Town) -> None:
    for text in ("", "x", "%%", "__", "\\\\", "' or 1=1 --", "\x00ab", "x" * 101):
        answer = await town.post("/taxpayers/search", {"q": text})
        assert answer.status_code in (200, 422), text
        assert answer.json().get("rows", []) == [], text


async def test_one_household_is_masked(town: Town) -> None:
    shown = (await town.get("/taxpayers/1", unit=COUNTY)).json()
    assert (shown["name"], shown["org_name"]) == ("示例企业1", "一网格")
    (person,) = shown["persons"]
    assert (person["name"], person["roles"], person["is_contact"]) == ("张*", ["tax_filer"], True)
    (address,) = person["addresses"]
    assert address["value"] == f"{mobile(1)[:3]}****{mobile(1)[-4:]}"
    assert mobile(1) not in (await town.get("/taxpayers/1")).text


async def test_the_list_is_paged_in_order(town: Town) -> None:
    first = (await town.get("/taxpayers?limit=5")).json()
    rest = (await town.get(f"/taxpayers?limit=5&cursor={first['next']}")).json()
    assert [row["id"] for row in first["rows"] + rest["rows"]] == list(range(1, 9))
    assert rest["next"] is None


async def test_the_timeline_tells_events_and_labels(town: Town) -> None:
    event = {"key": "k", "taxpayer_id": 1, "type": "filed", "at": "2026-03-15T10:24:00+08:00"}
    await town.post("/events", {"events": [event]})
    rows = (await town.get("/taxpayers/1/timeline")).json()["rows"]
    assert {row["kind"] for row in rows} == {"event", "label"}
    only = (await town.get("/taxpayers/1/timeline?kind=event")).json()["rows"]
    assert [row["kind"] for row in only] == ["event"]
    assert (await town.get("/taxpayers/1/timeline?kind=other")).status_code == 422


async def test_a_statement_is_issued_once_and_listed(town: Town) -> None:
    await town.rt.db.execute(
        "insert into annual_record (taxpayer_id, year, credit_grade) values (1, 2025, 'A')"
    )
    first = await town.post("/taxpayers/1/statements", {"year": 2025})
    assert first.status_code == 200
    (row,) = first.json()["rows"]
    assert (row["year"], row["version"], row["is_current"], len(row["digest"])) == (2025, 1, True, 64)
    again = await town.post("/taxpayers/1/statements", {"year": 2025})
    assert again.json() == first.json() == (await town.get("/taxpayers/1/statements")).json()
    assert (await town.post("/taxpayers/1/statements", {"year": 2199})).status_code == 422
    assert (await town.get("/taxpayers/2/statements")).json() == {"rows": []}


async def test_what_is_no_id_is_refused(town: Town) -> None:
    for number in ("0", "-1", "2147483648", "1.5", "abc", "%00", "9" * 5000):
        assert (await town.get(f"/taxpayers/{number}")).status_code == 422, number
