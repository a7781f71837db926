"""纳税人: search, and one household's whole timeline."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from pyroaring import AbstractBitMap

from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import open_vault
from outreach.ledger.reasons import REASONS
from outreach.registry.fields import ROLES
from outreach.registry.search import find_taxpayer, get_household
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.home import pending_expression
from outreach.web.console.render import fragment, page
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign, find_round
from outreach.web.reads.figures import page_members, set_members
from outreach.web.reads.paging import PAGE, Page, decode_numbers, encode_cursor
from outreach.web.reads.segments import matching
from outreach.web.reads.taxpayers import list_taxpayers, taxpayers_by_id
from outreach.web.reads.timeline import KINDS, by_day, timeline_of

routes = console_routes()


@routes.get("/taxpayers", permission="taxpayer.read")
async def search(request: Request, q: str = "", cursor: str = "") -> HTMLResponse:
    """Search by number or name; without a text, all of the scope."""
    rt, actor = runtime_of(request), actor_of(request)
    context: dict[str, Any] = {"q": q, "error": None, "more": "/console/taxpayers", "hits": None}
    if q.strip():
        try:
            context["hits"] = await find_taxpayer(rt, actor.org_id, q)
        except InvalidInput as error:
            context["error"] = error
    async with rt.db.begin() as conn:
        context["found"] = await list_taxpayers(conn, open_vault(rt.settings), actor, cursor=cursor)
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "taxpayer_rows.html", **context)
    return page(request, "taxpayers.html", place="taxpayers", title="纳税人", **context)


@routes.get("/taxpayers/{taxpayer_id}", permission="taxpayer.read")
async def show(request: Request, taxpayer_id: int, kind: str = "") -> HTMLResponse:
    """One household."""
    rt, actor = runtime_of(request), actor_of(request)
    household = await get_household(rt, actor.org_id, taxpayer_id)
    async with rt.db.begin() as conn:
        moments = await timeline_of(conn, taxpayer_id, kind=kind if kind in KINDS else "")
    return page(
        request,
        "taxpayer.html",
        place="taxpayers",
        title=household.name,
        taxpayer=household,
        days=by_day(moments),
        kind=kind,
        timeline_kinds=KINDS,
        role_names=ROLES,
    )


@routes.get("/rounds/{round_id}/households", permission="taxpayer.read")
async def behind_figure(
    request: Request, round_id: int, set: str = "planned", cursor: str = ""
) -> HTMLResponse:
    """The list behind one part of a balance bar."""
    rt, actor = runtime_of(request), actor_of(request)
    kind, reason = ("exclusion", set) if set in REASONS else (set, "")
    if kind not in ("exclusion", "planned", "audience"):
        raise NotFound("这个轮次没有这样的名单。")
    async with rt.db.begin() as conn:
        row = await find_round(conn, actor, round_id)
        members = await set_members(conn, cache_of(request), actor, round_id, kind, reason)
    word = REASONS.get(reason) or {"planned": "列入发送", "audience": "受众"}[kind]
    sentence = f"{row['campaign_name']} 第 {row['ordinal']} 轮，名单冻结于轮次开始时。"
    back = (f"/console/rounds/{round_id}", f"第 {row['ordinal']} 轮 {row['name']}")
    here = f"/console/rounds/{round_id}/households?set={set}"
    return await _list_page(request, members, word, sentence, back, here, cursor)


@routes.get("/campaigns/{campaign_id}/pending", permission="taxpayer.read")
async def not_acted(request: Request, campaign_id: int, cursor: str = "") -> HTMLResponse:
    """Whom a campaign concerns and who has not acted, as of now."""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        campaign = await find_campaign(conn, actor, campaign_id)
        members = await matching(conn, cache_of(request), actor, pending_expression(campaign))
    back = (f"/console/campaigns/{campaign_id}", campaign["name"])
    sentence = "符合人群条件、没有办结、也不属于免办的户，按现在的标签计算；办结后自动从这里消失。"
    here = f"/console/campaigns/{campaign_id}/pending?"
    return await _list_page(request, members, "还没办的户", sentence, back, here, cursor)


async def _list_page(
    request: Request,
    members: AbstractBitMap,
    title: str,
    sentence: str,
    back: tuple[str, str],
    here: str,
    cursor: str,
) -> HTMLResponse:
    rt, actor = runtime_of(request), actor_of(request)
    after = decode_numbers(cursor, 1)[0] if cursor else 0
    ids = page_members(members, after, PAGE)
    async with rt.db.begin() as conn:
        rows = await taxpayers_by_id(conn, open_vault(rt.settings), actor, ids)
    last = ids[-1] if ids and ids[-1] < members.max() else None
    found = Page(rows, encode_cursor(last) if last is not None else None)
    context: dict[str, Any] = {
        "found": found,
        "total": len(members),
        "sentence": sentence,
        "back": back,
        "more": here,
    }
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "taxpayer_rows.html", **context)
    return page(request, "households.html", place="campaigns", title=title, **context)
