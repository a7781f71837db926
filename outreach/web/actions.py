"""What both the console and the API can do: the check of scope, the deed, and its line in the audit chain."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from campaigns.campaigns import CampaignDraft, approve_campaign, create_campaign
from campaigns.rounds import cancel_round, pause_round, resume_round
from campaigns.templates import SavedTemplate, file_template, save_template
from outreach.errors import InvalidInput, NotAllowed, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.scope import require_scope
from outreach.labels.evaluate import check_text
from outreach.runtime import Runtime
from outreach.web.reads.segments import delete_segment, save_segment
from outreach.web.reads.templates import filings_of

VERBS: dict[str, Callable[[Runtime, int, str], Awaitable[None]]] = {
    "pause": pause_round,
    "resume": resume_round,
    "cancel": cancel_round,
}
_ABOVE = "由上级机构管理，在这里只能查看。"
_PROVIDER_CODE = re.compile(r"[A-Za-z0-9_-]{1,128}")


async def control_round(rt: Runtime, actor: Actor, row: Mapping[str, Any], verb: str) -> None:
    """Pause, resume or cancel a round found for this actor. Raises NotAllowed, Conflict, NotFound."""
    run = VERBS.get(verb)
    if run is None:
        raise NotFound("没有这个操作。")
    if not row["is_own"]:
        raise NotAllowed(f"这个轮次{_ABOVE}")
    await run(rt, row["id"], actor.name)
    async with rt.db.begin() as conn:
        await append_audit(conn, actor, f"round.{verb}", f"round:{row['id']}", {"planned": row["planned"]})


async def approve(rt: Runtime, actor: Actor, campaign: Mapping[str, Any]) -> None:
    """Sign a campaign as the second person. Raises NotAllowed for its maker and outside the scope."""
    if not campaign["is_own"]:
        raise NotAllowed(f"这个活动{_ABOVE}")
    await approve_campaign(rt, campaign["id"], actor.name)
    async with rt.db.begin() as conn:
        await append_audit(conn, actor, "campaign.approve", f"campaign:{campaign['id']}")


async def draft_campaign(rt: Runtime, actor: Actor, draft: CampaignDraft) -> int:
    """Store a campaign of an org unit in scope. Raises InvalidInput, NotFound."""
    async with rt.db.begin() as conn:
        await require_scope(conn, actor, draft.org_id)
    campaign_id = await create_campaign(rt, actor.name, draft)
    async with rt.db.begin() as conn:
        await append_audit(conn, actor, "campaign.create", f"campaign:{campaign_id}", {"code": draft.code})
    return campaign_id


async def keep_template(
    rt: Runtime, actor: Actor, head: Mapping[str, Any], content: Mapping[str, Any]
) -> SavedTemplate:
    """Store a version of a template (`code`, `name`, `channel`, `language`, `org_id`). Raises InvalidInput
    with the place that is wrong."""
    saved = await save_template(
        rt,
        actor.name,
        code=head["code"],
        name=head["name"],
        channel=head["channel"],
        content=content,
        org_id=head["org_id"],
        language=head["language"],
    )
    async with rt.db.begin() as conn:
        detail = {"version": saved.version}
        await append_audit(conn, actor, "template.save", f"template:{saved.template_id}", detail)
    return saved


async def note_filing(
    rt: Runtime, actor: Actor, template: Mapping[str, Any], gateway_id: int, code: str
) -> None:
    """Note the code that a provider gave to a version (as `find_template` returns it). Raises InvalidInput,
    NotAllowed for a template of a unit above, NotFound for an account that files nothing."""
    plain = code.strip()
    if not _PROVIDER_CODE.fullmatch(plain):
        raise InvalidInput("请填写运营商给出的模板编号，只含字母、数字、- 和 _。", field="code")
    if not template["is_own"]:
        raise NotAllowed(f"这个模板{_ABOVE}")
    async with rt.db.begin() as conn:
        if gateway_id not in {filing.gateway_id for filing in await filings_of(conn, template)}:
            raise NotFound("没有这个网关，或者它不需要报备模板。")
        await file_template(conn, template["version_id"], gateway_id, plain)
        detail = {"version": template["version"], "gateway": gateway_id, "code": plain}
        await append_audit(conn, actor, "template.file", f"template:{template['id']}", detail)


async def keep_segment(rt: Runtime, actor: Actor, name: str, expression: str) -> int:
    """Store an expression under a name of the unit acted in. Raises InvalidInput."""
    plain = name.strip()
    if not 1 <= len(plain) <= 60:
        raise InvalidInput("请给人群起一个 1 到 60 个字的名称。", field="name")
    async with rt.db.begin() as conn:
        await check_text(conn, expression, actor.org_id)
        segment_id = await save_segment(conn, actor, plain, expression)
        await append_audit(conn, actor, "segment.save", f"segment:{segment_id}", {"name": plain})
        return segment_id


async def drop_segment(rt: Runtime, actor: Actor, segment_id: int) -> None:
    """Remove a segment of the subtree. Raises NotFound."""
    async with rt.db.begin() as conn:
        await delete_segment(conn, actor, segment_id)
        await append_audit(conn, actor, "segment.delete", f"segment:{segment_id}")
