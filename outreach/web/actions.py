"""What both the console and the API can do: the check of scope, the deed, and its line in the audit chain."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.approval import approve_campaign, send_back, submit_campaign
from campaigns.audience import largest_audience
from campaigns.campaigns import CampaignDraft, create_campaign, edit_campaign
from campaigns.extension import approve_extension, ask_extension, refuse_extension
from campaigns.rounds import cancel_round, pause_round, resume_round
from campaigns.templates import SavedTemplate, file_template, save_template
from outreach.errors import InvalidInput, NotAllowed, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.reconfirm import reconfirm
from outreach.governance.scope import require_scope
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import check_text
from outreach.runtime import Runtime
from outreach.web.reads.segments import delete_segment, save_segment
from outreach.web.reads.templates import filings_of

VERBS: dict[str, Callable[[Runtime, int, str], Awaitable[None]]] = {
    "pause": pause_round,
    "resume": resume_round,
    "cancel": cancel_round,
}


@dataclass(frozen=True, slots=True)
class Signature:
    """What comes with an approval: the hash that was shown (hex), the password or one-time code for a large
    campaign, and where it comes from."""

    seen: str = ""
    proof: str = ""
    remote: str = ""


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


async def approve(
    rt: Runtime, cache: SetCache, actor: Actor, campaign: Mapping[str, Any], signature: Signature
) -> None:
    """Sign a campaign as the second person. Raises NotAllowed for its makers and outside the scope, Conflict
    where it has changed, InvalidInput at `proof` for a large one that is signed without proof."""
    if not campaign["is_own"]:
        raise NotAllowed(f"这个活动{_ABOVE}")
    if await needs_proof(rt, cache, campaign):
        await reconfirm(rt, actor, signature.proof, remote=signature.remote)
    await approve_campaign(rt, campaign["id"], actor.name, seen=signature.seen)


async def needs_proof(rt: Runtime, cache: SetCache, campaign: Mapping[str, Any]) -> bool:
    """Whether a campaign is so large that its approver proves again who she is."""
    async with rt.db.begin() as conn:
        return await largest_audience(conn, cache, campaign["id"]) > rt.settings.confirm_above


async def refuse(rt: Runtime, actor: Actor, campaign: Mapping[str, Any], reason: str) -> None:
    """Send a campaign back to its makers with a reason. Raises NotAllowed, InvalidInput, Conflict."""
    if not campaign["is_own"]:
        raise NotAllowed(f"这个活动{_ABOVE}")
    await send_back(rt, campaign["id"], actor.name, reason)


async def submit(rt: Runtime, actor: Actor, campaign: Mapping[str, Any], note: str = "") -> None:
    """Ask for a signature. Raises NotAllowed outside the scope, InvalidInput for its wording, Conflict."""
    if not campaign["is_own"]:
        raise NotAllowed(f"这个活动{_ABOVE}")
    await submit_campaign(rt, campaign["id"], actor.name, note=note.strip())


async def extend(
    rt: Runtime, actor: Actor, campaign: Mapping[str, Any], round_id: int, ends_at: datetime, note: str
) -> None:
    """Ask for a later end of a round. Raises NotAllowed, InvalidInput, Conflict."""
    if not campaign["is_own"]:
        raise NotAllowed(f"这个活动{_ABOVE}")
    await ask_extension(rt, campaign["id"], round_id, ends_at, actor.name, note=note)


async def answer_extension(
    rt: Runtime, actor: Actor, campaign: Mapping[str, Any], refusal: str | None
) -> None:
    """Agree to a longer window, or refuse it with a reason. Raises NotAllowed, InvalidInput, Conflict."""
    if not campaign["is_own"]:
        raise NotAllowed(f"这个活动{_ABOVE}")
    if refusal is None:
        await approve_extension(rt, campaign["id"], actor.name)
    else:
        await refuse_extension(rt, campaign["id"], actor.name, refusal)


async def change_campaign(
    rt: Runtime, actor: Actor, campaign: Mapping[str, Any], draft: CampaignDraft
) -> None:
    """Replace a campaign that has not begun; a signature over it is void. Raises InvalidInput, NotFound,
    NotAllowed, Conflict."""
    if not campaign["is_own"]:
        raise NotAllowed(f"这个活动{_ABOVE}")
    async with rt.db.begin() as conn:
        await require_scope(conn, actor, draft.org_id)
    await edit_campaign(rt, campaign["id"], actor.name, draft)


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
