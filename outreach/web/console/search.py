"""One search for everything: places, campaigns, taxpayers, templates."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from outreach.db.pool import Connection
from outreach.governance.actor import Actor
from outreach.registry.search import find_taxpayer
from outreach.runtime import Runtime
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import PLACES, fragment, page
from outreach.web.console.wording import CAMPAIGN_STATES, CHANNELS, TAXPAYER_KINDS
from outreach.web.permissions import SELF, actor_of
from outreach.web.reads.campaigns import list_campaigns
from outreach.web.reads.templates import list_templates

routes = console_routes()
_FEW = 5
Hit = tuple[str, str, str]
Group = tuple[str, str, list[Hit]]


@routes.get("/search", permission=SELF)
async def search(request: Request, q: str = "") -> HTMLResponse:
    """Hits as a list below the field, or as a page."""
    rt, actor, text = runtime_of(request), actor_of(request), q.strip()[:60]
    groups: list[Group] = []
    if text:
        households = await _taxpayers(rt, actor, text)
        async with rt.db.begin() as conn:
            groups = [
                ("去往", "right", _places(actor, text)),
                ("活动", "campaigns", await _campaigns(conn, actor, text)),
                ("纳税人", "taxpayers", households),
                ("模板", "templates", await _templates(conn, actor, text)),
            ]
    context: dict[str, Any] = {"groups": groups, "q": text, "any_hit": any(hits for _, _, hits in groups)}
    if request.headers.get("hx-request"):
        return fragment(request, "search_results.html", **context)
    return page(request, "search.html", place="", title="搜索", **context)


def _places(actor: Actor, text: str) -> list[Hit]:
    return [
        (name, "页面", address)
        for _, name, address, permission in PLACES
        if text in name and (permission == SELF or actor.may(permission))
    ]


async def _campaigns(conn: Connection, actor: Actor, text: str) -> list[Hit]:
    if not actor.may("campaign.read"):
        return []
    found = await list_campaigns(conn, actor, search=text, limit=_FEW)
    return [
        (row["name"], CAMPAIGN_STATES[row["state"]], f"/console/campaigns/{row['id']}") for row in found.rows
    ]


async def _taxpayers(rt: Runtime, actor: Actor, text: str) -> list[Hit]:
    if not actor.may("taxpayer.read") or len(text) < 2:
        return []
    return [
        (hit.name, f"{TAXPAYER_KINDS[hit.kind]} · {hit.org_name}", f"/console/taxpayers/{hit.id}")
        for hit in (await find_taxpayer(rt, actor.org_id, text))[:_FEW]
    ]


async def _templates(conn: Connection, actor: Actor, text: str) -> list[Hit]:
    if not actor.may("template.read"):
        return []
    found = await list_templates(conn, actor, search=text, limit=_FEW)
    return [(row["name"], CHANNELS[row["channel"]], f"/console/templates/{row['id']}") for row in found.rows]
