"""Labels and segments over the API: counted, explained, saved; errors at their place."""

from tests.integration.api_town import Town
from tests.town import CITY, COUNTY


async def test_the_catalogue_names_labels_and_attributes(town: Town) -> None:
    labels = {row["code"]: row for row in (await town.get("/labels")).json()["rows"]}
    assert labels["iit.must_file"]["kind"] == "flag"
    attributes = {row["code"]: row["type"] for row in (await town.get("/attributes")).json()["rows"]}
    assert "money" in attributes.values()


async def test_a_count_is_cut_to_the_scope_and_written_in_codes(town: Town) -> None:
    whole = await town.post("/segments/count", {"expression": "iit.must_file and not iit.filed"})
    assert whole.json() == {"count": 8, "expression": "iit.must_file and not iit.filed"}
    part = await town.post("/segments/count", {"expression": "everyone"}, unit=COUNTY)
    assert part.json()["count"] == len(town.in_county)


async def test_an_error_has_line_column_and_suggestion(town: Town) -> None:
    answer = await town.post("/segments/count", {"expression": "everyone\nand iit.must_fil"})
    assert (answer.status_code, answer.json()["code"]) == (422, "expression_invalid")
    details = answer.json()["details"]
    assert (details["line"], details["column"], details["suggestion"]) == (2, 5, "iit.must_file")


async def test_hostile_expressions_are_refused(town: Town) -> None:
    many = ("(" * 5000, "not " * 3000, "a" * 16_001, "\x00", "", "everyone; drop table", "💥")
    for text in many:
        answer = await town.post("/segments/count", {"expression": text})
        assert answer.status_code == 422, text[:20]


async def test_a_household_is_explained(town: Town) -> None:
    body = {"expression": "iit.must_file and iit.filed", "taxpayer_id": 1}
    told = (await town.post("/segments/explain", body)).json()
    assert told["holds"] is False
    assert [child["holds"] for child in told["children"]] == [True, False]
    assert told["children"][0]["origin"]["source"] == "town"


async def test_a_segment_is_saved_replaced_used_and_removed(town: Town) -> None:
    made = await town.post("/segments", {"name": "要办的", "expression": "iit.must_file"}, unit=CITY)
    assert made.status_code == 201
    number = made.json()["id"]
    again = await town.post("/segments", {"name": "要办的", "expression": "nobody"}, unit=CITY)
    assert (again.json()["id"], again.json()["expression"]) == (number, "nobody")
    listed = (await town.get("/segments?q=要办", unit=CITY)).json()["rows"]
    assert [row["id"] for row in listed] == [number]
    assert (await town.ask("DELETE", f"/segments/{number}", unit=CITY)).status_code == 204
    assert (await town.get(f"/segments/{number}", unit=CITY)).status_code == 404


async def test_a_wrong_segment_is_not_saved(town: Town) -> None:
    answer = await town.post("/segments", {"name": "x", "expression": "no.such"})
    assert answer.status_code == 422
    assert (await town.get("/segments")).json()["rows"] == []
