"""作废链接: the links of a campaign end at once, with a reason and its code typed."""

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput
from outreach.statements.links import count_links
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.campaign_reviews import found_campaign, require_own
from outreach.web.console.campaigns import campaign_page
from outreach.web.console.render import fragment
from outreach.web.permissions import actor_of
from outreach.web.revocations import Revocations

routes = console_routes()


@routes.get("/campaigns/{campaign_id}/links", permission="round.control")
async def show(request: Request, campaign_id: int) -> HTMLResponse:
    """How many there are, fetched after the page, because it may be millions; nothing where there is none."""
    campaign = await found_campaign(request, campaign_id)
    require_own(campaign)
    async with runtime_of(request).db.begin() as conn:
        links = await count_links(conn, campaign_id)
    return fragment(request, "campaign_links.html", campaign=campaign, links=links, link_error=None, typed={})


@routes.post("/campaigns/{campaign_id}/links/revoke", permission="round.control")
async def revoke(request: Request, campaign_id: int) -> Response:
    """All of them, whatever round has sent them."""
    form = await request.form()
    campaign = await found_campaign(request, campaign_id)
    require_own(campaign)
    revocations: Revocations = request.app.state.revocations
    try:
        if str(form.get("typed", "")).strip() != campaign["code"]:
            raise InvalidInput(f"请输入活动编码 {campaign['code']} 再确认，以免误操作。", field="typed")
        await revocations.begin(actor_of(request), campaign, str(form.get("reason", "")))
    except InvalidInput as error:
        async with runtime_of(request).db.begin() as conn:
            links = await count_links(conn, campaign_id)
        return await campaign_page(request, campaign_id, link_error=error, links=links, typed=form)
    return RedirectResponse(f"/console/campaigns/{campaign_id}?done=revoke", 303)
