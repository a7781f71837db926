"""An emergency notice: one person starts it, another reviews it afterwards; it binds as an approval does."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from campaigns.approval import submit_campaign
from campaigns.campaigns import CampaignDraft, Canary, RoundDraft, StepDraft, create_campaign, edit_campaign
from campaigns.emergency import (
    latest_emergency,
    note_overdue_reviews,
    review_emergency,
    start_emergency,
    waiting_reviews,
)
from campaigns.rounds import tick
from campaigns.templates import save_template
from outreach.analytics.stalls import round_progress
from outreach.errors import Conflict, InvalidInput, NotAllowed
from outreach.governance.audit import verify_audit
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_approval import state_of
from tests.integration.test_ledger import assert_sums, until, working

NIGHT = town.START.replace(hour=23)
REASON = "电子税务局突发故障，距申报期结束不足两小时"
ROUND = RoundDraft(
    "故障提示", NIGHT, NIGHT + timedelta(hours=10), (StepDraft("sms", "urgent"),), canary=Canary(250)
)
DRAFT = CampaignDraft(
    code="outage",
    name="系统故障提示",
    purpose="告知纳税人系统故障和恢复时间",
    kind="emergency",
    legal_basis="税收征收管理法第七条",
    org_id=town.CITY,
    segment="iit.must_file",
    rounds=(ROUND,),
)


@pytest.fixture
async def draft(rt: Runtime) -> int:
    """A draft of an emergency, at eleven in the evening."""
    await town.settle_town(rt, town.households(8))
    await town.write_templates(rt)
    await save(rt, "电子税务局暂时无法登录，正在抢修，请稍后再试。咨询12366。")
    await town.set_clock(rt, NIGHT)
    return await create_campaign(rt, "maker", DRAFT)


async def save(rt: Runtime, text: str) -> None:
    await save_template(
        rt, "editor", code="urgent", name="应急", channel="sms", content={"text": text}, org_id=town.PROVINCE
    )


async def review_of(rt: Runtime, campaign: int) -> str:
    async with rt.db.begin() as conn:
        found = await latest_emergency(conn, campaign)
    assert found is not None
    return "overdue" if found["is_overdue"] else found["decision"] or "waiting"


async def test_one_person_starts_it_and_its_canary_leaves_at_night(rt: Runtime, draft: int) -> None:
    async with town.wired(rt) as wire:
        await start_emergency(wire.rt, draft, "duty", reason=REASON)
        begun = await state_of(rt, draft)
        assert (begun["state"], begun["approved_by"]) == ("approved", None)
        async with working(wire.rt):
            assert await tick(town.ticker(wire.rt)) == 2, "a canary first"
            await until(lambda: _delivered(rt, 2))
    assert await review_of(rt, draft) == "waiting"
    await review_emergency(rt, draft, "checker", agrees=True)
    assert await review_of(rt, draft) == "confirmed"
    rows = await rt.db.fetch("select action, actor from audit_event where action like '%%emergency%%'")
    assert [(row["action"], row["actor"]) for row in rows] == [
        ("campaign.emergency_start", "duty"),
        ("campaign.emergency_review", "checker"),
    ]
    assert await verify_audit(rt) is None
    await assert_sums(rt)


async def _delivered(rt: Runtime, count: int) -> bool:
    return await town.states(rt) == {State.DELIVERED: count}


@pytest.mark.parametrize("by", ["duty", "maker"])
async def test_nobody_reviews_her_own(rt: Runtime, draft: int, by: str) -> None:
    await start_emergency(rt, draft, "duty", reason=REASON)
    with pytest.raises(NotAllowed, match="另一位"):
        await review_emergency(rt, draft, by, agrees=True)
    with pytest.raises(psycopg.errors.CheckViolation):
        await rt.db.execute(
            "update emergency_start set decision = 'confirmed', decided_by = 'duty', decided_at = now()"
        )
    assert await review_of(rt, draft) == "waiting"


async def test_an_objection_needs_a_reason_and_stops_what_has_not_left(rt: Runtime, draft: int) -> None:
    async with town.wired(rt) as wire:
        await start_emergency(wire.rt, draft, "duty", reason=REASON)
        await tick(town.ticker(wire.rt))
        with pytest.raises(InvalidInput, match="异议的原因"):
            await review_emergency(rt, draft, "checker", agrees=False, note=" ")
        await review_emergency(rt, draft, "checker", agrees=False, note="故障已恢复，不应再发")
        await tick(town.ticker(wire.rt))
    assert (await state_of(rt, draft))["state"] == "cancelled"
    assert await town.states(rt) == {State.CANCELLED: 2}
    with pytest.raises(Conflict, match="没有等待复核"):
        await review_emergency(rt, draft, "checker", agrees=True)


async def test_changed_content_does_not_start(rt: Runtime, draft: int) -> None:
    await start_emergency(rt, draft, "duty", reason=REASON)
    await rt.db.execute("update campaign set segment = 'everyone' where id = %(id)s", {"id": draft})
    assert await tick(town.ticker(rt)) == 0
    assert (await state_of(rt, draft))["state"] == "in_review"
    assert await review_of(rt, draft) == "withdrawn", "nothing has left"


async def test_an_edit_voids_it_and_a_new_text_of_the_template_does_not_slip_in(
    rt: Runtime, draft: int
) -> None:
    await start_emergency(rt, draft, "duty", reason=REASON)
    await save(rt, "系统已恢复。咨询12366。")
    await edit_campaign(rt, draft, "maker", replace(DRAFT, purpose="另一件事"))
    found = await state_of(rt, draft)
    assert (found["state"], found["hash"]) == ("draft", None)
    assert await review_of(rt, draft) == "withdrawn"
    await submit_campaign(rt, draft, "maker")
    with pytest.raises(Conflict, match="不是现在的内容"):
        await start_emergency(rt, draft, "duty", reason=REASON, seen="0" * 64)


async def test_an_overdue_review_bars_the_next_and_is_told(rt: Runtime, draft: int) -> None:
    other = await create_campaign(rt, "maker", replace(DRAFT, code="fraud", name="防诈骗提示"))
    await start_emergency(rt, draft, "duty", reason=REASON)
    await tick(town.ticker(rt))
    assert await note_overdue_reviews(rt) == 0
    await town.set_clock(rt, NIGHT + timedelta(hours=9))
    await rt.db.execute("update emergency_start set due_at = business_now() - interval '1 minute'")
    with pytest.raises(NotAllowed, match="「系统故障提示」逾期未经复核"):
        await start_emergency(rt, other, "duty", reason=REASON)
    assert [await note_overdue_reviews(rt) for _ in range(2)] == [1, 0]
    row = await rt.db.fetch_one("select id from round where campaign_id = %(id)s", {"id": draft})
    assert row is not None
    async with rt.db.begin() as conn:
        owed = await waiting_reviews(conn, "1.2.")
        elsewhere = await waiting_reviews(conn, "1.6.")
        causes = [stall.cause.value for stall in (await round_progress(conn, row["id"])).stalls]
    assert [(one["campaign_id"], one["is_overdue"]) for one in owed] == [(draft, True)]
    assert elsewhere == [] and "review_owed" in causes
    await start_emergency(rt, other, "another", reason=REASON)
    await review_emergency(rt, draft, "checker", agrees=True, note="情况属实")
    third = await create_campaign(rt, "maker", replace(DRAFT, code="third"))
    await start_emergency(rt, third, "duty", reason=REASON)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kind": "policy_push"}, "只有应急通知"),
        ({"allowances": ("link",)}, "不能放行"),
        ({"rounds": (replace(ROUND, canary=None),)}, "没有灰度"),
        ({"rounds": (replace(ROUND, ends_at=NIGHT + timedelta(hours=73)),)}, "超过 72 小时"),
    ],
)
async def test_what_can_wait_is_refused(
    rt: Runtime, draft: int, changed: dict[str, object], says: str
) -> None:
    other = await create_campaign(rt, "maker", replace(DRAFT, code="other", **changed))
    with pytest.raises(Conflict, match=says):
        await start_emergency(rt, other, "duty", reason=REASON)
    with pytest.raises(InvalidInput, match="等不到审批"):
        await start_emergency(rt, draft, "duty", reason="")
    assert (await state_of(rt, other))["state"] == "draft"
