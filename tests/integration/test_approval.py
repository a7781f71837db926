"""Approval that binds: who may sign, what the signature covers, and what happens when it no longer fits."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from campaigns.approval import approve_campaign, send_back, submit_campaign
from campaigns.approval_text import cover, differences
from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign, edit_campaign
from campaigns.extension import approve_extension, ask_extension
from campaigns.forecast import forecast
from campaigns.rounds import tick
from campaigns.templates import save_template
from outreach.analytics.stalls import round_progress
from outreach.errors import Conflict, InvalidInput, NotAllowed
from outreach.governance.audit import verify_audit
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from tests import town

DRAFT = CampaignDraft(
    code="bound",
    name="汇算提醒",
    purpose="提醒未办理的纳税人",
    kind="do_it_reminder",
    legal_basis="国家税务总局令第57号",
    org_id=town.CITY,
    segment="segment 应办未办",
    rounds=(
        RoundDraft("第一轮", town.START, town.START + timedelta(days=9), (StepDraft("sms", "remind"),)),
        RoundDraft(
            "第二轮",
            town.START + timedelta(days=10),
            town.START + timedelta(days=19),
            (StepDraft("sms", "remind"),),
        ),
    ),
    done_segment="iit.filed",
    variables={"tax_year": "2025"},
)


@pytest.fixture
async def draft(rt: Runtime) -> int:
    """A draft over a saved segment, in a town with a gateway."""
    await town.settle_town(rt, town.households(4))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    await save_segment(rt, "iit.must_file")
    return await create_campaign(rt, "maker", DRAFT)


async def save_segment(rt: Runtime, expression: str) -> None:
    await rt.db.execute(
        "insert into segment (name, expression, org_id, created_by)"
        " values ('应办未办', %(text)s, %(org)s, 'maker')"
        " on conflict (org_id, name) do update set expression = excluded.expression",
        {"text": expression, "org": town.CITY},
    )


async def signed(rt: Runtime, campaign: int) -> None:
    await submit_campaign(rt, campaign, "maker")
    await approve_campaign(rt, campaign, "checker")


async def state_of(rt: Runtime, campaign: int) -> dict[str, Any]:
    row = await rt.db.fetch_one(
        "select state, approved_by, encode(approved_hash, 'hex') as hash from campaign where id = %(id)s",
        {"id": campaign},
    )
    assert row is not None
    return row


async def rounds_of(rt: Runtime, campaign: int) -> list[dict[str, Any]]:
    return await rt.db.fetch(
        "select id, state, ends_at from round where campaign_id = %(id)s order by ordinal", {"id": campaign}
    )


async def test_from_draft_to_finished(rt: Runtime, draft: int) -> None:
    assert (await state_of(rt, draft))["state"] == "draft"
    await submit_campaign(rt, draft, "maker", note="请核对")
    assert (await state_of(rt, draft))["state"] == "in_review"
    await approve_campaign(rt, draft, "checker")
    assert (await state_of(rt, draft))["state"] == "approved"
    await tick(town.ticker(rt))
    assert (await state_of(rt, draft))["state"] == "running"
    assert [row["state"] for row in await rounds_of(rt, draft)] == ["running", "scheduled"]
    await town.set_clock(rt, town.START + timedelta(days=40))
    for _ in range(2):
        await tick(town.ticker(rt))
    assert (await state_of(rt, draft))["state"] == "finished"


async def test_nobody_signs_what_she_has_made_changed_or_submitted(rt: Runtime, draft: int) -> None:
    await edit_campaign(rt, draft, "helper", replace(DRAFT, name="汇算提醒二"))
    await submit_campaign(rt, draft, "leader")
    for maker in ("maker", "helper", "leader"):
        with pytest.raises(NotAllowed, match="另一位审批人"):
            await approve_campaign(rt, draft, maker)
        with pytest.raises(NotAllowed, match="另一位审批人"):
            await send_back(rt, draft, maker, "不行")
    await approve_campaign(rt, draft, "checker")
    assert (await state_of(rt, draft))["approved_by"] == "checker"


async def test_sent_back_with_a_reason_that_stays(rt: Runtime, draft: int) -> None:
    await submit_campaign(rt, draft, "maker")
    with pytest.raises(InvalidInput, match="原因"):
        await send_back(rt, draft, "checker", " ")
    await send_back(rt, draft, "checker", "人群太宽")
    assert (await state_of(rt, draft))["state"] == "draft"
    with pytest.raises(Conflict):
        await approve_campaign(rt, draft, "checker")
    rows = await rt.db.fetch("select decision, decided_by, reason from campaign_review")
    assert rows == [{"decision": "sent_back", "decided_by": "checker", "reason": "人群太宽"}]


async def test_an_edit_voids_the_signature(rt: Runtime, draft: int) -> None:
    await signed(rt, draft)
    before = (await state_of(rt, draft))["hash"]
    await edit_campaign(rt, draft, "maker", replace(DRAFT, holdout_permille=10))
    assert await state_of(rt, draft) == {"state": "draft", "approved_by": None, "hash": None}
    assert await tick(town.ticker(rt)) == 0
    await signed(rt, draft)
    assert (await state_of(rt, draft))["hash"] != before


async def test_a_page_that_is_out_of_date_signs_nothing(rt: Runtime, draft: int) -> None:
    await submit_campaign(rt, draft, "maker")
    row = await rt.db.fetch_one("select encode(hash, 'hex') as hash from campaign_review")
    assert row is not None
    await edit_campaign(rt, draft, "maker", replace(DRAFT, purpose="别的目的"))
    await submit_campaign(rt, draft, "maker")
    with pytest.raises(Conflict, match="刷新"):
        await approve_campaign(rt, draft, "checker", seen=row["hash"])


async def test_a_segment_changed_under_its_name_stops_the_round(rt: Runtime, draft: int) -> None:
    await signed(rt, draft)
    await save_segment(rt, "everyone")
    assert await tick(town.ticker(rt)) == 0
    assert (await state_of(rt, draft))["state"] == "in_review"
    first, _ = await rounds_of(rt, draft)
    assert first["state"] == "scheduled"
    review = await rt.db.fetch_one("select asked_by, note from campaign_review where decision is null")
    assert review is not None
    assert (review["asked_by"], "人群条件" in review["note"]) == ("system:scheduler", True)
    async with rt.db.begin() as conn:
        progress = await round_progress(conn, first["id"])
    assert "人群条件" in progress.stalls[0].text
    await approve_campaign(rt, draft, "checker")
    await tick(town.ticker(rt))
    assert (await rounds_of(rt, draft))[0]["state"] == "running"


async def test_a_segment_that_is_gone_stops_the_round(rt: Runtime, draft: int) -> None:
    await signed(rt, draft)
    await rt.db.execute("delete from segment")
    await tick(town.ticker(rt))
    assert (await state_of(rt, draft))["state"] == "in_review"
    with pytest.raises(InvalidInput):
        await approve_campaign(rt, draft, "checker")
    await send_back(rt, draft, "checker", "人群已被删除")
    assert (await state_of(rt, draft))["state"] == "draft"


@pytest.mark.parametrize(
    "change",
    [
        "update campaign set quota_messages = 9, quota_days = 7",
        'update campaign set variables = \'{"tax_year": "2024"}\'',
        "update campaign set kind = 'policy_push'",
        "update campaign set org_id = 1",
        "update campaign set done_segment = 'nobody'",
        "update campaign set allowances = '{amount}'",
        "update round set starts_at = starts_at - interval '1 hour' where ordinal = 2",
        "update round set segment = 'iit.filed' where ordinal = 2",
        "update round_step set wait = interval '1 hour'",
        "update round_step set version_id = (select max(id) from template_version)",
    ],
)
async def test_whatever_is_covered_is_noticed(rt: Runtime, draft: int, change: str) -> None:
    await signed(rt, draft)
    await rt.db.execute(change)
    await tick(town.ticker(rt))
    assert (await state_of(rt, draft))["state"] == "in_review"


async def test_a_new_version_of_a_template_changes_nothing_that_is_signed(rt: Runtime, draft: int) -> None:
    await signed(rt, draft)
    new = {"text": "{{ tax_year }}年度汇算请登录个人所得税APP办理，咨询12366。"}
    await save_template(
        rt, "editor", code="remind", name="提醒", channel="sms", content=new, org_id=town.PROVINCE
    )
    await tick(town.ticker(rt))
    assert (await state_of(rt, draft))["state"] == "running"


async def test_the_wording_is_asked_when_it_is_submitted_and_signed(rt: Runtime, draft: int) -> None:
    bad = {"text": "您必须于{{ tax_year }}年缴纳150元。"}
    await save_template(
        rt, "editor", code="remind", name="提醒", channel="sms", content=bad, org_id=town.PROVINCE
    )
    with pytest.raises(InvalidInput) as caught:
        await submit_campaign(rt, draft, "maker")
    faults = caught.value.details["faults"]
    assert {fault["field"] for fault in faults} == {"第 1 轮第 1 级「提醒」正文"}
    assert any("必须" in fault["reason"] and "建议" in fault["reason"] for fault in faults)
    assert (await state_of(rt, draft))["state"] == "draft"


async def test_a_variable_without_a_value_is_told_before_it_is_sent(rt: Runtime, draft: int) -> None:
    await edit_campaign(rt, draft, "maker", replace(DRAFT, variables={}))
    with pytest.raises(InvalidInput, match="tax_year"):
        await submit_campaign(rt, draft, "maker")


async def test_what_no_account_of_its_channel_has_on_file_is_not_submitted(rt: Runtime, draft: int) -> None:
    async with town.wired(rt) as wire:
        await rt.db.execute("delete from template_filing")
        with pytest.raises(InvalidInput) as caught:
            await submit_campaign(rt, draft, "maker")
        assert (await state_of(rt, draft))["state"] == "draft"
        faults = caught.value.details["faults"]
        assert faults[0]["field"] == "轮次「第一轮」第 1 级（短信）"
        assert "模板「提醒」还没有在网关账号「演练·短信」报备" in faults[0]["reason"]
        first, _ = await rounds_of(rt, draft)
        async with rt.db.begin() as conn:
            told = await forecast(rt, conn, SetCache(), first["id"])
        assert [(one.step, one.template) for one in told.unfiled] == [(0, "提醒")]

        await rt.db.execute(
            "insert into template_filing (version_id, gateway_id, provider_code)"
            " select v.id, %(sms)s, 'SMS_1' from template_version v join template t on t.id = v.template_id"
            " where t.channel = 'sms'",
            {"sms": wire.ids["aliyun_sms"]},
        )
        await submit_campaign(rt, draft, "maker")


async def test_an_account_that_takes_free_text_is_enough(rt: Runtime, draft: int) -> None:
    async with town.wired(rt) as wire:
        await rt.db.execute("delete from template_filing")
        await rt.db.execute(
            "update gateway set adapter = 'cmpp' where id = %(sms)s", {"sms": wire.ids["aliyun_sms"]}
        )
        await submit_campaign(rt, draft, "maker")
    assert (await state_of(rt, draft))["state"] == "in_review"


async def test_a_running_campaign_is_extended_by_two(rt: Runtime, draft: int) -> None:
    await signed(rt, draft)
    await tick(town.ticker(rt))
    first, second = await rounds_of(rt, draft)
    later = first["ends_at"] + timedelta(days=5)
    with pytest.raises(Conflict, match="不能修改"):
        await edit_campaign(rt, draft, "maker", DRAFT)
    with pytest.raises(InvalidInput, match="晚于"):
        await ask_extension(rt, draft, first["id"], first["ends_at"], "maker", note="宣传月延长")
    await ask_extension(rt, draft, first["id"], later, "maker", note="宣传月延长")
    with pytest.raises(NotAllowed):
        await approve_extension(rt, draft, "maker")
    await approve_extension(rt, draft, "checker")
    assert (await rounds_of(rt, draft))[0]["ends_at"] == later
    await town.set_clock(rt, town.START + timedelta(days=10))
    await tick(town.ticker(rt))
    assert (await rounds_of(rt, draft))[1]["state"] == "running"
    assert second["state"] == "scheduled"


async def test_differences_name_what_has_changed(rt: Runtime, draft: int) -> None:
    async with rt.db.begin() as conn:
        before = await cover(conn, draft)
    await save_segment(rt, "iit.must_file and not iit.disputed")
    await rt.db.execute("update round set name = '改名' where ordinal = 2")
    async with rt.db.begin() as conn:
        after = await cover(conn, draft)
    found = differences(before.parts, after.parts)
    assert [(one.name, one.before, one.after) for one in found] == [
        ("人群条件", "iit.must_file", "iit.must_file and not iit.disputed"),
        ("第 2 轮名称", "第二轮", "改名"),
    ]


async def test_every_step_stands_in_the_chain(rt: Runtime, draft: int) -> None:
    await submit_campaign(rt, draft, "maker")
    await send_back(rt, draft, "checker", "改一下")
    await edit_campaign(rt, draft, "maker", DRAFT)
    await signed(rt, draft)
    await save_segment(rt, "everyone")
    await tick(town.ticker(rt))
    rows = await rt.db.fetch("select action, actor from audit_event order by id")
    assert [row["action"].split(".")[1] for row in rows] == [
        "submit", "send_back", "edit", "submit", "approve", "void",
    ]  # fmt: skip
    assert await verify_audit(rt) is None
