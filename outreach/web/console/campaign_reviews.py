"""Submitted, signed or sent back: the second step of every campaign, with what the second person must see."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from campaigns.occurrences import approve_re_evaluation, ask_re_evaluation, refuse_re_evaluation
from outreach.errors import InvalidInput, NotAllowed
from outreach.web import actions
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.campaign_form import moment_of
from outreach.web.console.campaigns import campaign_page
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign

routes = console_routes()


@routes.post("/campaigns/{campaign_id}/submit", permission="campaign.write")
async def submit(request: Request, campaign_id: int) -> Response:
    """Ask for a signature."""
    form = await request.form()
    campaign = await found_campaign(request, campaign_id)
    try:
        note = str(form.get("note", ""))
        await actions.submit(runtime_of(request), actor_of(request), campaign, note)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/approve", permission="campaign.approve")
async def approve(request: Request, campaign_id: int) -> Response:
    """The second person's signature over everything that the campaign says."""
    form = await request.form()
    remote = request.client.host if request.client else ""
    signature = actions.Signature(str(form.get("seen", "")), str(form.get("proof", "")), remote)
    campaign = await found_campaign(request, campaign_id)
    try:
        await actions.approve(runtime_of(request), cache_of(request), actor_of(request), campaign, signature)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/send-back", permission="campaign.approve")
async def send_back(request: Request, campaign_id: int) -> Response:
    """Back to its makers, with the reason."""
    form = await request.form()
    campaign = await found_campaign(request, campaign_id)
    try:
        reason = str(form.get("reason", ""))
        await actions.refuse(runtime_of(request), actor_of(request), campaign, reason)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/extension", permission="campaign.write")
async def extend(request: Request, campaign_id: int) -> Response:
    """Ask for a later end of a round."""
    form = await request.form()
    campaign = await found_campaign(request, campaign_id)
    try:
        ends_at = moment_of(str(form.get("ends_at", "")))
        round_id = str(form.get("round_id", ""))
        if ends_at is None or not round_id.isdecimal():
            raise InvalidInput("请选择轮次、日期和时间", field="ends_at")
        note = str(form.get("note", ""))
        await actions.extend(runtime_of(request), actor_of(request), campaign, int(round_id), ends_at, note)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/extension/answer", permission="campaign.approve")
async def answer(request: Request, campaign_id: int) -> Response:
    """The second person agrees, or says why not."""
    form = await request.form()
    refusal = None if form.get("agree") == "yes" else str(form.get("reason", ""))
    campaign = await found_campaign(request, campaign_id)
    try:
        await actions.answer_extension(runtime_of(request), actor_of(request), campaign, refusal)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/re-evaluation", permission="campaign.write")
async def ask_again(request: Request, campaign_id: int) -> Response:
    """Ask to look again whom a round concerns, because a policy has changed."""
    form = await request.form()
    require_own(await found_campaign(request, campaign_id))
    try:
        round_id = str(form.get("round_id", ""))
        if not round_id.isdecimal():
            raise InvalidInput("请选择轮次", field="policy")
        note, by = str(form.get("policy", "")), actor_of(request).name
        await ask_re_evaluation(runtime_of(request), campaign_id, int(round_id), by, note=note)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/re-evaluation/answer", permission="campaign.approve")
async def answer_again(request: Request, campaign_id: int) -> Response:
    """The second person agrees, or says why not."""
    form = await request.form()
    require_own(await found_campaign(request, campaign_id))
    rt, by = runtime_of(request), actor_of(request).name
    try:
        if form.get("agree") == "yes":
            await approve_re_evaluation(rt, campaign_id, by)
        else:
            await refuse_re_evaluation(rt, campaign_id, by, str(form.get("reason", "")))
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


def require_own(campaign: Mapping[str, Any]) -> None:
    """Raises NotAllowed for a campaign of a unit above."""
    if not campaign["is_own"]:
        raise NotAllowed("这个活动由上级机构管理，在这里只能查看。")


async def found_campaign(request: Request, campaign_id: int) -> dict[str, Any]:
    """The campaign within the scope of whoever asks. Raises NotFound."""
    async with runtime_of(request).db.begin() as conn:
        return await find_campaign(conn, actor_of(request), campaign_id)
