"""设置 › 频次上限: how often all campaigns together may tell a household, for this unit and all below it."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from campaigns.quota import Quota, drop_quota, set_quota, standing_quotas
from outreach.errors import InvalidInput
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.console.settings import PARTS
from outreach.web.permissions import actor_of

routes = console_routes()


@routes.get("/settings/quota", permission="campaign.read")
async def show(request: Request) -> HTMLResponse:
    """What holds here, and which unit has set it."""
    return await _page(request, {}, {})


@routes.post("/settings/quota", permission="campaign.approve")
async def change(request: Request) -> Response:
    """Set the quota of the unit acted in."""
    form = await request.form()
    typed = {name: str(form.get(name, "")).strip() for name in ("messages", "days")}
    try:
        quota = Quota(_number(typed, "messages"), _number(typed, "days"))
        await set_quota(runtime_of(request), actor_of(request), quota)
    except InvalidInput as error:
        return await _page(request, typed, {str(error.details["field"]): error.message})
    return RedirectResponse("/console/settings/quota", 303)


@routes.post("/settings/quota/drop", permission="campaign.approve")
async def drop(request: Request) -> Response:
    """Only the units above, and each campaign, say it again."""
    await drop_quota(runtime_of(request), actor_of(request))
    return RedirectResponse("/console/settings/quota", 303)


def _number(typed: Mapping[str, str], field: str) -> int:
    # What is no number is told as one that is out of range.
    return int(typed[field]) if typed[field].isdecimal() and len(typed[field]) < 5 else 0


async def _page(request: Request, typed: Mapping[str, str], errors: Mapping[str, str]) -> HTMLResponse:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        quotas = await standing_quotas(conn, actor.org_id)
    return page(
        request,
        "settings_quota.html",
        place="settings",
        title="频次上限",
        status=422 if errors else 200,
        parts=[(key, word) for key, word, permission in PARTS if actor.may(permission)],
        part="quota",
        quotas=quotas,
        own=next((one for one in quotas if one.is_own), None),
        typed=dict(typed),
        errors=dict(errors),
    )
