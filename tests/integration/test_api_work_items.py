"""Calls and visits over the API: what a key sees, what it may write down, and nothing beyond its unit."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.rounds import tick
from campaigns.templates import save_template
from outreach.governance.actor import Actor
from outreach.governance.permissions import PERMISSIONS
from outreach.runtime import Runtime
from outreach.service.calls_sheet import call_list, take_results
from outreach.web.reads.work_items import next_midnight
from tests import town as small
from tests.integration.api_town import CAMPAIGN, Town, open_town
from tests.integration.doorstep import SCRIPT, handed


@pytest.fixture
async def town(rt: Runtime) -> AsyncIterator[Town]:
    """A campaign of the city that calls everybody, four in either county."""
    async with open_town(rt) as opened:
        await small.set_clock(rt, small.START)
        await save_template(
            rt, "editor", code="remind", name="话术", channel="call", content=SCRIPT, org_id=small.PROVINCE
        )
        steps = [{"channel": "call", "template": "remind"}]
        campaign = await opened.campaign(small.CITY, rounds=[{**CAMPAIGN["rounds"][0], "steps": steps}])
        await submit_campaign(rt, campaign, "maker")
        await approve_campaign(rt, campaign, "checker")
        await tick(small.ticker(rt))
        yield opened


async def test_a_unit_sees_its_own_work_only(town: Town) -> None:
    everything = (await town.get("/work-items")).json()["rows"]
    county = (await town.get("/work-items", unit=small.COUNTY)).json()["rows"]
    assert (len(everything), len(county)) == (8, 4)
    assert county[0]["person"] == "张*"
    other = next(row["id"] for row in everything if row["id"] not in {one["id"] for one in county})
    answer = await town.post(f"/work-items/{other}/result", {"result": "told"}, unit=small.COUNTY)
    assert answer.status_code == 404


async def test_a_result_is_taken_once(town: Town) -> None:
    (first, *_) = (await town.get("/work-items")).json()["rows"]
    answer = await town.post(f"/work-items/{first['id']}/result", {"result": "told"})
    assert answer.json() == {"id": first["id"], "state": "done"}
    assert (await town.post(f"/work-items/{first['id']}/result", {"result": "told"})).status_code == 409
    assert len((await town.get("/work-items?state=closed")).json()["rows"]) == 1


async def test_pages_neither_skip_nor_repeat(town: Town) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        found = (await town.get(f"/work-items?limit=3&cursor={cursor}")).json()
        seen += [row["id"] for row in found["rows"]]
        cursor = found["next"]
    assert seen == sorted(set(seen)) and len(seen) == 8


async def test_a_key_without_the_power_writes_nothing(town: Town) -> None:
    key = await town.key_with("work.read")
    assert (
        await town.ask("POST", "/work-items/1/result", key=key, json={"result": "told"})
    ).status_code == 403


async def test_a_call_list_comes_back_with_results(town: Town, tmp_path: Path) -> None:
    caller = Actor(1, "seat", "坐席", frozenset(PERMISSIONS), 3, "1.2.3.", 3, "1.2.3.")
    file = tmp_path / "calls.xlsx"
    file.write_bytes(await call_list(town.rt, caller, next_midnight(small.START)))
    head, *rows = CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()
    assert len(rows) == 4 and rows[0][2] == small.mobile(1)
    words = ("接通，已告知", "无人接听", "不知道", "")
    lines = [(str(int(row[0])), word) for row, word in zip(rows, words, strict=True)]
    file = tmp_path / "results.csv"
    text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in [(head[0], head[8]), *lines])
    file.write_bytes(text.encode("gbk"))
    taken = await take_results(town.rt, caller, file)
    assert (taken.good, taken.empty, [one.row for one in taken.bad]) == (2, 1, [4])
    assert "没有结果「不知道」" in taken.bad[0].reason
    assert await handed(town.rt) == {(0, 0): 7, (0, 1): 1}
