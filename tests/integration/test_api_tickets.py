"""Tickets over the API, evidence by command and over the console's address: scope and permission hold."""

import re
from pathlib import Path

import pytest

from outreach.clock import utc_now
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.confirmations import read_evidence
from outreach.service.evidence import build_package, evidence_signer
from tests.integration.answer_stage import ask_to_confirm, visiting
from tests.integration.api_town import SISTER, Town
from tests.integration.command_line import outreach
from tests.integration.test_confirmations import forged, seen_on
from tests.town import COUNTY, GRID, PROVINCE

MATTER = {"ref": "12366-1", "org_id": GRID, "text": "退税多久到账？"}


async def test_a_call_is_registered_answered_and_closed(town: Town) -> None:
    made = await town.post("/tickets", {**MATTER, "taxpayer_id": town.in_county[0]}, unit=COUNTY)
    assert made.status_code == 201, made.text
    assert (await town.post("/tickets", MATTER, unit=COUNTY)).status_code == 409
    ticket = made.json()["id"]
    listed = (await town.get("/tickets", unit=PROVINCE)).json()["rows"]
    assert [(row["id"], row["state"], row["text"]) for row in listed] == [(ticket, "open", MATTER["text"])]
    answered = await town.post(
        f"/tickets/{ticket}/answer", {"text": "十个工作日", "close": True}, unit=COUNTY
    )
    assert answered.status_code == 200, answered.text
    shown = (await town.get(f"/tickets/{ticket}", unit=COUNTY)).json()
    assert shown["state"] == "closed"
    assert [step["kind"] for step in shown["steps"]] == ["opened", "answered", "closed"]
    assert (await town.get("/tickets", unit=COUNTY)).json()["rows"] == []
    assert len((await town.get("/tickets?state=closed", unit=COUNTY)).json()["rows"]) == 1


async def test_the_unit_beside_sees_and_does_nothing(town: Town) -> None:
    ticket = (await town.post("/tickets", MATTER, unit=COUNTY)).json()["id"]
    assert (await town.get(f"/tickets/{ticket}", unit=SISTER)).status_code == 404
    assert (await town.get("/tickets?state=", unit=SISTER)).json()["rows"] == []
    assert (await town.post(f"/tickets/{ticket}/answer", {"text": "好"}, unit=SISTER)).status_code == 404
    assert (await town.post("/tickets", {**MATTER, "ref": "2"}, unit=SISTER)).status_code == 404
    wrong = {**MATTER, "ref": "3", "taxpayer_id": town.in_sister[0]}
    assert (await town.post("/tickets", wrong, unit=COUNTY)).status_code == 404


async def test_reading_is_not_writing(town: Town) -> None:
    key = await town.key_with("service.read")
    assert (await town.ask("GET", "/tickets", key=key)).status_code == 200
    assert (await town.ask("POST", "/tickets", key=key, json=MATTER)).status_code == 403
    for page in ("not-a-cursor", "WzEsMl0"):
        assert (await town.get(f"/tickets?cursor={page}")).status_code == 422


async def test_the_command_verifies_a_file(
    rt: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with visiting(rt) as visitor:
        campaign, round_id = await ask_to_confirm(rt)
        await visitor.enter(round_id=round_id)
        (seen,) = seen_on((await visitor.http.get("/answers")).text)
        await visitor.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": seen})
    async with rt.db.begin() as conn:
        found = await read_evidence(conn, open_vault(rt.settings), campaign, path="1.")
    body = build_package(*found, by="officer", at=utc_now(), signer=evidence_signer(open_vault(rt.settings)))
    files = {"good": body, "forged": forged(body, "confirmed", "declined"), "other": b"no package"}
    # Whoever checks a package has no database of ours.
    monkeypatch.setenv("OUTREACH_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("OUTREACH_REDIS_URL", "redis://127.0.0.1:1")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        code, told = outreach("evidence", "verify", str(tmp_path / name))
        assert code == (0 if name == "good" else 1), told
        assert ("没有核对由谁导出" in told) == (name == "good"), told
    monkeypatch.setenv("OUTREACH_MASTER_KEY", rt.settings.master_key.get_secret_value())
    monkeypatch.setenv("OUTREACH_TENANT", rt.settings.tenant)
    code, told = outreach("evidence", "key")
    (key,) = re.findall(r"[0-9a-f]{64}", told)
    for given, expected in ((key, 0), ("0" * 64, 1), ("short", 1)):
        code, told = outreach("evidence", "verify", str(tmp_path / "good"), "--key", given)
        assert code == expected and ("签名有效" in told) == (expected == 0), told
