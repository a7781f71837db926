"""Submitted, signed or sent back: the second step of every campaign, with what the second person must see."""

from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from outreach.errors import InvalidInput
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
    note = str((await request.form()).get("note", ""))
    try:
        await actions.submit(runtime_of(request), actor_of(request), await _found(request, campaign_id), note)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/approve", permission="campaign.approve")
async def approve(request: Request, campaign_id: int) -> Response:
    """The second person's signature over everything that the campaign says."""
    form = await request.form()
    remote = request.client.host if request.client else ""
    signature = actions.Signature(str(form.get("seen", "")), str(form.get("proof", "")), remote)
    campaign = await _found(request, campaign_id)
    try:
        await actions.approve(runtime_of(request), cache_of(request), actor_of(request), campaign, signature)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/send-back", permission="campaign.approve")
async def send_back(request: Request, campaign_id: int) -> Response:
    """Back to its makers, with the reason."""
    reason = str((await request.form()).get("reason", ""))
    try:
        await actions.refuse(
            runtime_of(request), actor_of(request), await _found(request, campaign_id), reason
        )
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/extension", permission="campaign.write")
async def extend(request: Request, campaign_id: int) -> Response:
    """Ask for a later end of a round."""
    form = await request.form()
    campaign = await _found(request, campaign_id)
    try:
        ends_at = moment_of(str(form.get("ends_at", "")))
        round_id = str(form.get("round_id", ""))
        if ends_at is None or not round_id.isdecimal():
            raise InvalidInput("请选择轮次、日期和时间", field="ends_at")
        note = str(form.get("note", ""))
        await actions.extend(runtime_of(request), actor_of(request), campaign, int(round_id), ends_at, note)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/extension/answer", permission="campaign.approve")
async def answer(request: Request, campaign_id: int) -> Response:
    """The second person agrees, or says why not."""
    form = await request.form()
    refusal = None if form.get("agree") == "yes" else str(form.get("reason", ""))
    campaign = await _found(request, campaign_id)
    try:
        await actions.answer_extension(runtime_of(request), actor_of(request), campaign, refusal)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, error=error)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


async def _found(request: Request, campaign_id: int) -> dict[str, Any]:
    async with runtime_of(request).db.begin() as conn:
        return await find_campaign(conn, actor_of(request), campaign_id)
