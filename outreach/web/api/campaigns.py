"""Campaigns: drafted by one, approved by another person, carried out in rounds."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import Field

from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft
from campaigns.quota import MOST_DAYS
from outreach.labels.evaluate import check_text
from outreach.runtime import Runtime
from outreach.web.actions import Signature, approve, change_campaign, draft_campaign, refuse, submit
from outreach.web.api.access import api_routes, cache_of, runtime_of
from outreach.web.api.fields import (
    FIRST,
    Cursor,
    Limit,
    Listing,
    Model,
    Moment,
    PathId,
    Search,
    SmallId,
    Text,
    examples,
    pick_all,
)
from outreach.web.api.plans import (
    AnchorIn,
    CanaryIn,
    StaggerIn,
    anchor_meant,
    canary_meant,
    stagger_meant,
)
from outreach.web.api.segments import Expression
from outreach.web.api.trigger_fields import TriggerIn, trigger_meant
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign, list_campaigns, reviews_of, rounds_of, steps_of

routes = api_routes("/campaigns", "活动")
State = Literal["", "draft", "in_review", "approved", "running", "paused", "finished", "cancelled"]
_LONGEST_WAIT = 24 * 90


class CampaignRow(Model):
    """A campaign in a list; `is_own`: of this unit or one below it, so that it may be controlled here."""

    id: int
    code: str
    name: str
    kind: str
    state: str
    org_id: int
    org_name: str
    is_own: bool
    created_by: str
    approved_by: str | None
    created_at: datetime


class StepShown(Model):
    """A rung of a round's ladder. `code` is what a taxpayer types to see that a message is genuine."""

    step: int
    channel: str
    template_id: int
    template_name: str
    version: int | None
    wait: timedelta
    code: str


class RoundRow(Model):
    """A wave. `audience` and `planned` are households of the whole round, null until it has started."""

    id: int
    ordinal: int
    name: str
    state: str
    starts_at: datetime
    ends_at: datetime
    segment: str
    started_at: datetime | None
    finished_at: datetime | None
    stagger: dict[str, Any]
    canary_permille: int
    anchor_attribute: str | None
    anchor_days: int | None
    trigger: dict[str, Any] | None
    parent_id: int | None
    occurs_on: date | None
    lap: int | None
    steps: list[StepShown]


class CampaignShown(CampaignRow):
    """A campaign with its rounds. `approved_hash`: SHA-256 of everything that the approval covers."""

    purpose: str
    legal_basis: str
    segment: str
    done_segment: str
    exempt_segment: str
    dispute_segment: str
    holdout_permille: int
    quota_messages: int | None
    quota_days: int | None
    approved_hash: str | None
    allowances: list[str]
    contact_roles: list[str]
    rounds: list[RoundRow]


class StepIn(Model):
    """A rung: a channel, the code of a template, hours without a delivery after which the next is tried."""

    channel: Literal["sms", "rcs", "wechat", "email", "wecom", "dingtalk", "call", "visit"]
    template: Annotated[Text, Field(min_length=1, max_length=60)]
    wait_hours: Annotated[int, Field(ge=0, le=_LONGEST_WAIT)] = 48


class RoundIn(Model):
    """A wave; `segment` narrows the campaign's and is evaluated when the round starts."""

    name: Annotated[Text, Field(min_length=1, max_length=60)]
    starts_at: Moment
    ends_at: Moment
    segment: Expression = "everyone"
    steps: Annotated[list[StepIn], Field(min_length=1, max_length=6)]
    stagger: StaggerIn | None = None
    canary: CanaryIn | None = None
    anchor: AnchorIn | None = None
    trigger: TriggerIn | None = None


class CampaignIn(Model):
    """A draft. `done_segment`: who needs nothing more; `exempt_segment`: whom the rules spare;
    `dispute_segment`: where everything stops. `variables` are values that the templates may use."""

    model_config = examples(
        {
            "code": "iit-2025",
            "name": "2025 年度个税汇算提醒",
            "purpose": "提醒需要办理而未办理的纳税人",
            "kind": "statutory_deadline",
            "legal_basis": "国家税务总局令第57号",
            "segment": "iit.must_file",
            "done_segment": "iit.filed",
            "variables": {"tax_year": "2025", "deadline": "6月30日"},
            "rounds": [
                {
                    "name": "第一轮",
                    "starts_at": "2026-03-15T09:00:00+08:00",
                    "ends_at": "2026-03-31T20:00:00+08:00",
                    "steps": [
                        {"channel": "rcs", "template": "iit-remind"},
                        {"channel": "sms", "template": "iit-remind", "wait_hours": 48},
                    ],
                }
            ],
        }
    )
    code: Annotated[Text, Field(min_length=1, max_length=60, pattern=r"^[\w.-]+$")]
    name: Annotated[Text, Field(min_length=1, max_length=100)]
    purpose: Annotated[Text, Field(min_length=1, max_length=500)]
    kind: Annotated[Text, Field(max_length=40, description="17 种消息种类之一，决定能否退订、静默时段和频次")]
    legal_basis: Annotated[Text, Field(min_length=1, max_length=500)]
    org_id: SmallId | None = Field(default=None, description="主办机构，默认为密钥所属机构")
    segment: Expression
    done_segment: Expression = "nobody"
    exempt_segment: Expression = "nobody"
    dispute_segment: Expression = "nobody"
    holdout_permille: Annotated[int, Field(ge=0, le=500)] = 0
    holdout_seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    quota_messages: Annotated[int, Field(ge=1, le=1_000)] | None = None
    quota_days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = None
    allowances: Annotated[list[Literal["link", "amount", "name", "phone"]], Field(max_length=4)] = Field(
        default=[], description="短信里放行的用语规则，审批人会看到并为此签字"
    )
    care_path: Literal["call_first", "as_others"] = Field(
        default="call_first", description="特殊关怀人员：阶梯有电话或上门时直接打电话再上门，或与其他人相同"
    )
    contact_roles: Annotated[
        list[Literal["self", "tax_filer", "finance_head", "legal_representative", "invoice_clerk", "agent"]],
        Field(max_length=6),
    ] = Field(
        default=[],
        description="一户里发给谁：只发给排在前面、又联系得上的一位，都没有的户不发；空为登记的联系人；自然人一律发给本人",
    )
    variables: Annotated[dict[Annotated[Text, Field(max_length=40)], Text | int], Field(max_length=20)] = (
        Field(default={})
    )
    rounds: Annotated[list[RoundIn], Field(min_length=1, max_length=50)]


class Note(Model):
    """What the reviewer should know."""

    model_config = examples({"note": "两地试点，请核对人群条件。"})
    note: Annotated[Text, Field(max_length=500)] = ""


class Refusal(Model):
    """Why it is sent back."""

    model_config = examples({"reason": "人群太宽，请去掉已申报的。"})
    reason: Annotated[Text, Field(min_length=1, max_length=500)]


class SignatureIn(Model):
    """`seen`: the hash that was looked at, so that nothing else is signed. `proof`: password or one-time
    code, asked for above `OUTREACH_CONFIRM_ABOVE` households."""

    model_config = examples({"seen": "", "proof": ""})
    seen: Annotated[Text, Field(max_length=64, pattern=r"^([0-9a-f]{64})?$")] = ""
    proof: Annotated[Text, Field(max_length=200)] = ""


class ReviewShown(Model):
    """A request for a signature and what came of it; null while it waits. `hash`: what was to be signed."""

    what: Literal["campaign", "extension", "re_evaluation"]
    asked_by: str
    asked_at: datetime
    note: str
    hash: str
    round_id: int | None
    ends_at: datetime | None
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str


@routes.get("", permission="campaign.read", summary="活动列表")
async def show_list(
    request: Request,
    q: Search = "",
    state: Annotated[State, Query(description="只看一种状态")] = "",
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[CampaignRow]:
    """本级及下级的活动，以及涉及本级的上级活动，最新的在前。"""
    async with runtime_of(request).db.begin() as conn:
        found = await list_campaigns(
            conn, actor_of(request), search=q, state=state, cursor=cursor, limit=limit
        )
    return Listing[CampaignRow](rows=pick_all(CampaignRow, found.rows), next=found.next)


@routes.get("/{campaign_id}", permission="campaign.read", summary="一个活动及其轮次")
async def show(request: Request, campaign_id: PathId) -> CampaignShown:
    """轮次的数字见 `/rounds/{round_id}`，按数据范围切分。"""
    return await _show(request, campaign_id)


@routes.post("", permission="campaign.write", summary="新建活动草稿", status_code=201)
async def create(request: Request, body: CampaignIn) -> CampaignShown:
    """草稿须由另一人审批后才会按时开始。"""
    rt, actor = runtime_of(request), actor_of(request)
    draft = _draft(body, body.org_id or actor.org_id)
    await _check_segments(rt, draft)
    return await _show(request, await draft_campaign(rt, actor, draft))


@routes.put("/{campaign_id}", permission="campaign.write", summary="修改活动")
async def edit(request: Request, campaign_id: PathId, body: CampaignIn) -> CampaignShown:
    """整体替换还没有开始的活动，编码不变；已有的审批作废，须重新提交。"""
    rt, actor = runtime_of(request), actor_of(request)
    campaign = await _found(request, campaign_id)
    draft = _draft(body, body.org_id or campaign["org_id"])
    await _check_segments(rt, draft)
    await change_campaign(rt, actor, campaign, draft)
    return await _show(request, campaign_id)


@routes.post("/{campaign_id}/submit", permission="campaign.write", summary="提交审批")
async def ask(request: Request, campaign_id: PathId, body: Note) -> CampaignShown:
    """固定模板版本并检查用语；不合规的用语逐条列在 `details.faults`。"""
    await submit(runtime_of(request), actor_of(request), await _found(request, campaign_id), body.note)
    return await _show(request, campaign_id)


@routes.post("/{campaign_id}/approve", permission="campaign.approve", summary="审批活动")
async def sign(request: Request, campaign_id: PathId, body: SignatureIn) -> CampaignShown:
    """只有人员登录后才能审批，接口密钥不能持有这个权限；创建、修改、提交过活动的人不能审批它。"""
    remote = request.client.host if request.client else ""
    signature = Signature(body.seen, body.proof, remote)
    campaign = await _found(request, campaign_id)
    await approve(runtime_of(request), cache_of(request), actor_of(request), campaign, signature)
    return await _show(request, campaign_id)


@routes.post("/{campaign_id}/send-back", permission="campaign.approve", summary="退回活动")
async def give_back(request: Request, campaign_id: PathId, body: Refusal) -> CampaignShown:
    """退回给经办人修改，原因留档。"""
    await refuse(runtime_of(request), actor_of(request), await _found(request, campaign_id), body.reason)
    return await _show(request, campaign_id)


@routes.get("/{campaign_id}/reviews", permission="campaign.read", summary="审批记录")
async def show_reviews(request: Request, campaign_id: PathId) -> list[ReviewShown]:
    """每次提交、审批、退回和延长，最新的在前。"""
    await _found(request, campaign_id)
    async with runtime_of(request).db.begin() as conn:
        return pick_all(ReviewShown, await reviews_of(conn, campaign_id))


async def _found(request: Request, campaign_id: int) -> dict[str, Any]:
    async with runtime_of(request).db.begin() as conn:
        return await find_campaign(conn, actor_of(request), campaign_id)


async def _check_segments(rt: Runtime, draft: CampaignDraft) -> None:
    # Names of segments and units are looked for as the round will: from the campaign's own unit.
    texts = [draft.segment, draft.done_segment, draft.exempt_segment, draft.dispute_segment]
    async with rt.db.begin() as conn:
        axes = [axis for part in draft.rounds if part.stagger for axis in part.stagger.parts.values()]
        stretches = [stretch.segment for axis in axes for stretch in axis]
        for text in (*texts, *(part.segment for part in draft.rounds), *stretches):
            await check_text(conn, text, draft.org_id)


async def _show(request: Request, campaign_id: int) -> CampaignShown:
    async with runtime_of(request).db.begin() as conn:
        campaign = await find_campaign(conn, actor_of(request), campaign_id)
        rounds = await rounds_of(conn, [campaign_id])
        steps = await steps_of(conn, [row["id"] for row in rounds])
    return _shown(campaign, rounds, steps)


def _draft(body: CampaignIn, org_id: int) -> CampaignDraft:
    set_here = body.model_fields_set - {"rounds", "allowances", "contact_roles"}
    plain: dict[str, Any] = {name: getattr(body, name) for name in set_here}
    allowances = tuple(body.allowances)
    return CampaignDraft(
        **{**plain, "org_id": org_id},
        allowances=allowances,
        contact_roles=tuple(body.contact_roles),
        rounds=tuple(_round(part) for part in body.rounds),
    )


def _round(part: RoundIn) -> RoundDraft:
    steps = tuple(StepDraft(s.channel, s.template, timedelta(hours=s.wait_hours)) for s in part.steps)
    return RoundDraft(
        part.name,
        part.starts_at,
        part.ends_at,
        steps,
        part.segment,
        stagger_meant(part.stagger),
        canary_meant(part.canary),
        anchor_meant(part.anchor),
        trigger_meant(part.trigger),
    )


def _shown(
    campaign: dict[str, Any], rounds: list[dict[str, Any]], steps: list[dict[str, Any]]
) -> CampaignShown:
    shown = [
        RoundRow.model_validate(
            {
                **{name: row[name] for name in RoundRow.model_fields if name != "steps"},
                "steps": pick_all(StepShown, [step for step in steps if step["round_id"] == row["id"]]),
            }
        )
        for row in rounds
    ]
    plain = {name: campaign[name] for name in CampaignShown.model_fields if name != "rounds"}
    return CampaignShown(**plain, rounds=shown)
