"""Findings over the API: what a key sees, that it verifies nothing, and nothing beyond its unit."""

from collections.abc import AsyncIterator

import pytest

from outreach.runtime import Runtime
from outreach.statements.findings import decide
from outreach.statements.scan_run import run_scan
from tests import town as small
from tests.integration.api_town import Town, open_town
from tests.integration.finding_stage import verifier

CODE = "DPF_SMALL_EXEMPT"


@pytest.fixture
async def town(rt: Runtime) -> AsyncIterator[Town]:
    """Eight households, four in either county, none of which has claimed a benefit."""
    async with open_town(rt) as opened:
        await small.set_clock(rt, small.START)
        await rt.db.execute(
            "insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount)"
            ' select id, 202509, \'DPF_SMALL_EXEMPT\', false, \'{"employees": "20", "due": "900.00"}\', 900'
            " from taxpayer"
        )
        await run_scan(rt, 2025, scope_org_id=1, by="test")
        yield opened


async def test_a_unit_sees_its_own_findings_only(town: Town) -> None:
    everything = (await town.get("/findings?year=2025")).json()["rows"]
    county = (await town.get("/findings?year=2025", unit=small.COUNTY)).json()["rows"]
    assert (len(everything), len(county)) == (8, 4)
    assert (county[0]["amount"], county[0]["state"], county[0]["verified_by"]) == ("900.00", "found", None)
    (counts,) = (await town.get("/findings/counts?year=2025", unit=small.COUNTY)).json()["rows"]
    assert (counts["code"], counts["total"], counts["by_state"]["found"]) == (CODE, 4, 4)
    mine = {row["id"] for row in county}
    other = next(row["id"] for row in everything if row["id"] not in mine)
    assert (await town.get(f"/findings/{other}", unit=small.COUNTY)).status_code == 404
    one = (await town.get(f"/findings/{county[0]['id']}", unit=small.COUNTY)).json()
    assert one["evidence"]["entries"][0]["inputs"] == {"在职职工人数": "20", "应缴税额": "900.00"}
    assert (await town.get(f"/findings?year=2025&unit={small.CITY}", unit=small.COUNTY)).status_code == 404


async def test_a_key_verifies_nothing(town: Town) -> None:
    (first, *_) = (await town.get("/findings?year=2025")).json()["rows"]
    body = {"ids": [first["id"]], "verdict": "confirm"}
    assert (await town.post("/findings/decisions", body)).status_code == 403
    policy = {"code": CODE, "direction": "unclaimed", "year": 2025, "verdict": "confirm", "expected": 8}
    assert (await town.post("/findings/decisions/all", policy)).status_code == 403
    assert (await town.get(f"/findings/{first['id']}")).json()["state"] == "found"


async def test_registers_and_reasons(town: Town) -> None:
    rows = (await town.get("/findings?year=2025", unit=small.COUNTY)).json()["rows"]
    await decide(town.rt, verifier(1, "1."), [row["id"] for row in rows], "confirm")
    household = rows[0]["taxpayer_id"]
    body = {"code": CODE, "year": 2025, "ids": [household], "reason": "unreachable"}
    assert (await town.post("/findings/registers/reasons", body, unit=small.COUNTY)).json() == {"n": 1}
    (register,) = (await town.get("/findings/registers?year=2025", unit=small.COUNTY)).json()["rows"]
    assert register["entitled"] == sum(register["by_state"].values()) == 4
    assert (register["by_state"]["open"], register["by_state"]["unreachable"]) == (3, 1)
