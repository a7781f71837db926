"""Gateways, imports and keys over the API."""

import asyncio
from typing import Any

import httpx

from outreach.rehearsal import add_gateways, build_simulators, free_ports, plan_rehearsal
from tests.integration.api_town import SISTER, Town
from tests.town import COUNTY, PROVINCE

HEADER = "纳税人识别号,纳税人名称,纳税人类型,主管税务机关代码\n"


async def upload(
    town: Town, text: str, *, kind: str = "taxpayers", name: str = "a.csv", unit: int = PROVINCE
) -> httpx.Response:
    files = {"file": (name, text.encode(), "text/csv")}
    return await town.ask("POST", "/imports", unit=unit, data={"kind": kind}, files=files)


async def finished(town: Town, number: int) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (row := (await town.get(f"/imports/{number}")).json())["state"] == "running":
            await asyncio.sleep(0.05)
    found: dict[str, Any] = row
    return found


async def test_a_file_is_imported_and_its_refusals_are_told(town: Town) -> None:
    text = HEADER + "91330100MA27XW5L0B,新来的公司,企业,100000005\n坏号码,=cmd|x,企业,100000005\n"
    answer = await upload(town, text)
    assert answer.status_code == 202, answer.text
    number = answer.json()["import_id"]
    row = await finished(town, number)
    assert row["rows_read"] == row["rows_good"] + row["rows_bad"] == 2
    assert row["rows_bad"] >= 1
    errors = await town.get(f"/imports/{number}/errors")
    assert errors.headers["content-type"].startswith("text/csv")
    assert ",=" not in errors.content.decode("utf-8-sig")
    assert [item["id"] for item in (await town.get("/imports")).json()["rows"]] == [number]


UNREADABLE = [
    ("", "taxpayers", "a.csv"),
    ("完全不相干的列\n1\n", "taxpayers", "a.csv"),
    (HEADER, "secrets", "a.csv"),
    (HEADER, "taxpayers", "a.exe"),
    ("PK\x03\x04broken", "taxpayers", "a.xlsx"),
]


async def test_a_file_that_cannot_be_read_is_refused_at_once(town: Town) -> None:
    for text, kind, name in UNREADABLE:
        answer = await upload(town, text, kind=kind, name=name)
        assert answer.status_code == 422, answer.text
        assert not answer.json()["message"].isascii()


async def test_a_name_cannot_lead_out_of_the_folder(town: Town) -> None:
    await upload(town, HEADER, name="../../../../tmp/evil.csv")
    assert {path.parent for path in town.rt.settings.var.rglob("*.csv")} <= {town.rt.settings.var / "imports"}


async def test_gateways_are_listed_without_their_credentials(town: Town) -> None:
    await add_gateways(town.rt, free_ports(), rate=100, quiet_seconds=60)
    answer = await town.get("/gateways")
    rows = {row["channel"]: row for row in answer.json()["rows"]}
    assert set(rows) == {"sms", "rcs", "wechat", "email"}
    assert rows["sms"]["delivery_class"] == "B"
    assert (answer.json()["workers"], rows["sms"]["backlog"]) == (0, 0)
    assert "secret" not in answer.text
    assert "config" not in answer.text


async def test_a_gateway_is_tried_without_sending(town: Town) -> None:
    ports = free_ports()
    ids = await add_gateways(town.rt, ports, rate=100, quiet_seconds=60, timeout=30)
    plan = await plan_rehearsal(town.rt, ports, ids, faults={}, capable=1.0)
    simulator = build_simulators(plan)["fiveg_bot"]
    await simulator.start("127.0.0.1", ports["fiveg_bot"])
    path = f"/gateways/{ids['fiveg_bot']}/check"
    try:
        assert (await town.post(path)).json() == {"works": True, "reason": ""}
        assert len(simulator.books.entries) == 0
    finally:
        await simulator.stop()
    down = (await town.post(path)).json()
    assert down["works"] is False
    assert not down["reason"].isascii()
    assert (await town.post("/gateways/999/check")).status_code == 404


async def test_keys_are_listed_without_their_secrets(town: Town) -> None:
    answer = await town.get("/keys", unit=COUNTY)
    assert {row["org_id"] for row in answer.json()["rows"]} >= {COUNTY}
    assert SISTER not in {row["org_id"] for row in answer.json()["rows"]}
    assert "hash" not in answer.text
    assert town.keys[COUNTY] not in answer.text
