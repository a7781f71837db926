"""A whole campaign is paused, goes on, is given up, or leaves at once as an emergency."""

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from campaigns.control import VERBS
from outreach.errors import InvalidInput, NotFound
from outreach.web import emergencies
from outreach.web.actions import Signature
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.campaign_reviews import found_campaign, require_own
from outreach.web.console.campaigns import campaign_page
from outreach.web.permissions import actor_of

routes = console_routes()


@routes.post("/campaigns/{campaign_id}/control/{verb}", permission="round.control")
async def control(request: Request, campaign_id: int, verb: str) -> Response:
    """Pause, resume or cancel all of its rounds; whoever cancels types the campaign's code."""
    if verb not in VERBS:
        raise NotFound("没有这个操作。")
    rt, actor = runtime_of(request), actor_of(request)
    campaign = await found_campaign(request, campaign_id)
    require_own(campaign)
    typed = str((await request.form()).get("typed", "")).strip()
    if verb == "cancel" and typed != campaign["code"]:
        error = InvalidInput(f"请输入活动编码 {campaign['code']} 再确认，以免误操作。", field="typed")
        return await campaign_page(request, campaign_id, error=error)
    await VERBS[verb](rt, campaign_id, actor.name)
    return RedirectResponse(f"/console/campaigns/{campaign_id}?done={verb}", 303)


@routes.post("/campaigns/{campaign_id}/emergency", permission="campaign.emergency")
async def start(request: Request, campaign_id: int) -> Response:
    """One person's signature, with the reason and her password or code."""
    form = await request.form()
    rt, actor = runtime_of(request), actor_of(request)
    campaign = await found_campaign(request, campaign_id)
    remote = request.client.host if request.client else ""
    signature = Signature(str(form.get("seen", "")), str(form.get("proof", "")), remote)
    try:
        await emergencies.start(rt, actor, campaign, str(form.get("reason", "")), signature)
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, emergency_error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)


@routes.post("/campaigns/{campaign_id}/emergency/review", permission="campaign.approve")
async def review(request: Request, campaign_id: int) -> Response:
    """The second person confirms it, or objects with a note."""
    form = await request.form()
    rt, actor = runtime_of(request), actor_of(request)
    campaign = await found_campaign(request, campaign_id)
    try:
        agrees = form.get("agree") == "yes"
        await emergencies.review(rt, actor, campaign, agrees, str(form.get("note", "")))
    except InvalidInput as error:
        return await campaign_page(request, campaign_id, emergency_error=error, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}", 303)
