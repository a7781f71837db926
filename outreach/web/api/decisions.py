"""What is decided about a campaign that has been signed: it stands, goes on, is given up, or ends later."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import Field

from campaigns.control import VERBS
from campaigns.emergency import latest_emergency
from campaigns.occurrences import approve_re_evaluation, ask_re_evaluation, refuse_re_evaluation
from outreach.errors import NotAllowed, NotFound
from outreach.web.actions import Signature, answer_extension, extend
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model, Moment, PathId, SmallId, Text, examples, pick
from outreach.web.emergencies import review, start
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign

routes = api_routes("/campaigns", "活动")


class CampaignState(Model):
    """How a campaign stands now."""

    id: int
    state: str


class ExtensionIn(Model):
    """A later end of a round that has not ended."""

    model_config = examples(
        {"round_id": 1, "ends_at": "2026-05-31T20:00:00+08:00", "note": "宣传月延长至5月底"}
    )
    round_id: SmallId
    ends_at: Moment
    note: Annotated[Text, Field(min_length=1, max_length=500)]


class ReEvaluationIn(Model):
    """A round that has begun, and what has changed in the policy."""

    model_config = examples({"round_id": 1, "note": "中型企业存量退税提前到5月"})
    round_id: SmallId
    note: Annotated[Text, Field(min_length=1, max_length=500)]


class Answer(Model):
    """Whether the second person agrees; a refusal says why."""

    model_config = examples({"agree": True, "reason": ""})
    agree: bool
    reason: Annotated[Text, Field(max_length=500)] = ""


class EmergencyIn(Model):
    """Why it cannot wait. `proof`: her password or one-time code, always; `seen`: the hash that was shown,
    for what had been submitted."""

    model_config = examples({"reason": "电子税务局突发故障，距申报期结束不足两小时", "proof": "", "seen": ""})
    reason: Annotated[Text, Field(min_length=1, max_length=500)]
    proof: Annotated[Text, Field(max_length=200)] = ""
    seen: Annotated[Text, Field(max_length=64, pattern=r"^([0-9a-f]{64})?$")] = ""


class EmergencyShown(Model):
    """A start without a second signature and its review; `decision` is null while it is owed."""

    started_by: str
    started_at: datetime
    reason: str
    hash: str
    due_at: datetime
    is_overdue: bool
    decision: Literal["confirmed", "objected", "withdrawn"] | None
    decided_by: str | None
    decided_at: datetime | None
    note: str


@routes.get("/{campaign_id}/emergency", permission="campaign.read", summary="应急发出及其复核")
async def show_emergency(request: Request, campaign_id: PathId) -> EmergencyShown:
    """最近一次先发后审：谁、为什么、应在何时以前复核、复核的结果。"""
    await _found(request, campaign_id)
    async with runtime_of(request).db.begin() as conn:
        found = await latest_emergency(conn, campaign_id)
    if found is None:
        raise NotFound("这个活动没有应急发出过。")
    return pick(EmergencyShown, found)


@routes.post("/{campaign_id}/emergency", permission="campaign.emergency", summary="应急发出（先发后审）")
async def start_now(request: Request, campaign_id: PathId, body: EmergencyIn) -> CampaignState:
    """只限应急通知：每轮先灰度，72 小时内结束，不受静默时段限制；须由另一人在期限内复核。"""
    remote = request.client.host if request.client else ""
    signature = Signature(body.seen, body.proof, remote)
    campaign = await _found(request, campaign_id)
    await start(runtime_of(request), actor_of(request), campaign, body.reason, signature)
    return await _state(request, campaign_id)


@routes.post("/{campaign_id}/emergency/review", permission="campaign.approve", summary="复核应急发出")
async def look_back(request: Request, campaign_id: PathId, body: Answer) -> CampaignState:
    """同意即存档；异议须写原因，没有发出的立即取消。发出人和经办人不能复核。"""
    campaign = await _found(request, campaign_id)
    await review(runtime_of(request), actor_of(request), campaign, body.agree, body.reason)
    return await _state(request, campaign_id)


@routes.post(
    "/{campaign_id}/extensions", permission="campaign.write", summary="申请延长轮次", status_code=201
)
async def ask(request: Request, campaign_id: PathId, body: ExtensionIn) -> CampaignState:
    """进行中的活动唯一可以改的是轮次的结束时间，只能延后；须由另一人审批。"""
    campaign = await _found(request, campaign_id)
    await extend(runtime_of(request), actor_of(request), campaign, body.round_id, body.ends_at, body.note)
    return await _state(request, campaign_id)


@routes.post("/{campaign_id}/extensions/answer", permission="campaign.approve", summary="审批延长")
async def answer(request: Request, campaign_id: PathId, body: Answer) -> CampaignState:
    """同意后立即生效，已经收到的人不会再收到；申请人和经办人不能审批。"""
    refusal = None if body.agree else body.reason
    campaign = await _found(request, campaign_id)
    await answer_extension(runtime_of(request), actor_of(request), campaign, refusal)
    return await _state(request, campaign_id)


@routes.post(
    "/{campaign_id}/re-evaluations", permission="campaign.write", summary="申请重新评估", status_code=201
)
async def ask_again(request: Request, campaign_id: PathId, body: ReEvaluationIn) -> CampaignState:
    """政策有变化时，重新找出现在符合条件、而本轮及其补充都没有列入过的户；须由另一人审批。"""
    await _own(request, campaign_id)
    rt, by = runtime_of(request), actor_of(request).name
    await ask_re_evaluation(rt, campaign_id, body.round_id, by, note=body.note)
    return await _state(request, campaign_id)


@routes.post("/{campaign_id}/re-evaluations/answer", permission="campaign.approve", summary="审批重新评估")
async def answer_again(request: Request, campaign_id: PathId, body: Answer) -> CampaignState:
    """同意后另起一个补充轮次，只发给新增的；申请人和经办人不能审批。"""
    await _own(request, campaign_id)
    rt, by = runtime_of(request), actor_of(request).name
    if body.agree:
        await approve_re_evaluation(rt, campaign_id, by)
    else:
        await refuse_re_evaluation(rt, campaign_id, by, body.reason)
    return await _state(request, campaign_id)


@routes.post("/{campaign_id}/{verb}", permission="round.control", summary="暂停、继续、取消活动")
async def control(
    request: Request, campaign_id: PathId, verb: Literal["pause", "resume", "cancel"]
) -> CampaignState:
    """对活动的全部轮次生效：两秒内停止发出；继续后不会重复；取消不能恢复。"""
    await _own(request, campaign_id)
    await VERBS[verb](runtime_of(request), campaign_id, actor_of(request).name)
    return await _state(request, campaign_id)


async def _own(request: Request, campaign_id: int) -> None:
    if not (await _found(request, campaign_id))["is_own"]:
        raise NotAllowed("这个活动由上级机构管理，在这里只能查看。")


async def _state(request: Request, campaign_id: int) -> CampaignState:
    found = await _found(request, campaign_id)
    return CampaignState(id=found["id"], state=found["state"])


async def _found(request: Request, campaign_id: int) -> dict[str, Any]:
    async with runtime_of(request).db.begin() as conn:
        return await find_campaign(conn, actor_of(request), campaign_id)
