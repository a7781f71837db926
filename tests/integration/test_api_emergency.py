"""Emergencies over the API: who may start and review one, and that it asks for a second proof."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns.templates import save_template
from tests.integration.api_town import CAMPAIGN, Town
from tests.integration.test_api_access import PASSWORD, as_staff, staff
from tests.town import COUNTY, PROVINCE, START, set_clock

ORDER = {"reason": "系统故障，距申报期结束不足两小时", "proof": PASSWORD}


@pytest.fixture
async def draft(town: Town) -> int:
    """An emergency of the county."""
    await set_clock(town.rt, START)
    content = {"text": "电子税务局暂时无法登录，正在抢修，请稍后再试。咨询12366。"}
    await save_template(
        town.rt, "editor", code="urgent", name="应急", channel="sms", content=content, org_id=PROVINCE
    )
    part = {
        "name": "故障提示",
        "starts_at": START.isoformat(),
        "ends_at": (START + timedelta(hours=9)).isoformat(),
        "steps": [{"channel": "sms", "template": "urgent"}],
        "canary": {"permille": 250},
    }
    return await town.campaign(
        COUNTY, **{**CAMPAIGN, "code": "outage", "kind": "emergency", "rounds": [part]}
    )


async def shown(town: Town, draft: int) -> dict[str, Any]:
    found: dict[str, Any] = (await town.get(f"/campaigns/{draft}/emergency", unit=COUNTY)).json()
    return found


async def test_one_person_starts_another_reviews(town: Town, draft: int) -> None:
    path = f"/campaigns/{draft}/emergency"
    assert (await town.get(path, unit=COUNTY)).status_code == 404
    duty = await staff(town, "duty", "duty_officer")
    for proof in ("", "wrong password"):
        refused = await as_staff(town, "POST", path, *duty, json={**ORDER, "proof": proof})
        assert (refused.status_code, refused.json()["details"]["field"]) == (422, "proof")
    begun = await as_staff(town, "POST", path, *duty, json=ORDER)
    assert begun.json() == {"id": draft, "state": "approved"}, begun.text
    found = await shown(town, draft)
    assert (found["started_by"], found["decision"], found["is_overdue"]) == ("duty", None, False)
    assert len(found["hash"]) == 64

    assert (await as_staff(town, "POST", f"{path}/review", *duty, json={"agree": True})).status_code == 403
    checker = await staff(town, "checker", "approver")
    silent = await as_staff(town, "POST", f"{path}/review", *checker, json={"agree": False})
    assert (silent.status_code, silent.json()["details"]["field"]) == (422, "note")
    agreed = await as_staff(town, "POST", f"{path}/review", *checker, json={"agree": True, "reason": "属实"})
    assert agreed.status_code == 200
    found = await shown(town, draft)
    assert (found["decision"], found["decided_by"], found["note"]) == ("confirmed", "checker", "属实")


async def test_neither_a_key_nor_an_approver_starts_one(town: Town, draft: int) -> None:
    path = f"/campaigns/{draft}/emergency"
    assert (await town.post(path, ORDER, unit=COUNTY)).status_code == 403
    checker = await staff(town, "checker", "approver")
    assert (await as_staff(town, "POST", path, *checker, json=ORDER)).status_code == 403
    state = (await town.get(f"/campaigns/{draft}", unit=COUNTY)).json()["state"]
    assert state == "draft"
