"""Campaigns: the list, and one campaign with its rounds."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from campaigns.quota import standing_quotas
from outreach.analytics.stall_causes import Cause
from outreach.analytics.stalls import RoundProgress, round_progress
from outreach.errors import InvalidInput
from outreach.ledger.kinds import KINDS
from outreach.statements.links import LinksSent
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.pieces import message_balance
from outreach.web.console.render import fragment, page
from outreach.web.console.show_rounds import combined_balance, show_round
from outreach.web.emergencies import emergency_context
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import count_states, find_campaign, list_campaigns, rounds_of, steps_of
from outreach.web.reads.figures import message_counts, round_figures, summed
from outreach.web.reads.triggers import triggers_today
from outreach.web.reads.work_items import handed_counts
from outreach.web.reviews import review_context

routes = console_routes()
_STANDING = ("scheduled", "planning", "running", "paused")
"""Rounds of which it may be asked why they do not move."""
_DONE = {
    "pause": "已暂停。这个活动的全部轮次两秒内不再发出新消息，没有发出的在原地等待。",
    "resume": "已继续。全部轮次从停下的地方接着发，已经收到的人不会再收到第二条。",
    "revoke": "正在作废这个活动发出的链接，几分钟内全部失效；打开的人看到的页面与过期的一样。",
    "cancel": "已取消。没有发出的全部放弃，已经发出的照收回执。",
}
"""What a button has done to the whole campaign."""


@routes.get("/campaigns", permission="campaign.read")
async def show_list(request: Request, q: str = "", state: str = "", cursor: str = "") -> HTMLResponse:
    """All campaigns that concern the scope."""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        found = await list_campaigns(conn, actor, search=q.strip(), state=state, cursor=cursor)
        states = await count_states(conn, actor)
        rounds = await rounds_of(conn, [row["id"] for row in found.rows])
        counts = await message_counts(conn, actor, [row["id"] for row in rounds])
    ids: dict[int, list[int]] = {}
    for row in rounds:
        ids.setdefault(row["campaign_id"], []).append(row["id"])
    balances = {
        row["id"]: message_balance(summed(counts, ids.get(row["id"], [])), title=row["name"])
        for row in found.rows
    }
    context: dict[str, Any] = {"found": found, "balances": balances, "q": q, "state": state, "states": states}
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "campaign_rows.html", **context)
    return page(request, "campaigns.html", place="campaigns", title="活动", **context)


@routes.get("/campaigns/{campaign_id}", permission="campaign.read")
async def show(request: Request, campaign_id: int, done: str = "") -> HTMLResponse:
    """One campaign: balance over all rounds, the rounds with their ladders, what it rests on; and what the
    button before it has done."""
    return await campaign_page(request, campaign_id, done=done)


@routes.get("/campaigns/{campaign_id}/live", permission="campaign.read")
async def live(request: Request, campaign_id: int) -> HTMLResponse:
    """The part of the page that moves."""
    return fragment(request, "campaign_live.html", **await _context(request, campaign_id))


async def campaign_page(
    request: Request,
    campaign_id: int,
    *,
    error: InvalidInput | None = None,
    emergency_error: InvalidInput | None = None,
    typed: Mapping[str, Any] | None = None,
    link_error: InvalidInput | None = None,
    links: LinksSent | None = None,
    done: str = "",
) -> HTMLResponse:
    """The page of a campaign; with what was wrong about the last attempt to submit or sign it, to start it as
    an emergency or to revoke its `links`, and what was `typed` then."""
    context = await _context(request, campaign_id)
    rt, cache, actor = runtime_of(request), cache_of(request), actor_of(request)
    context |= await review_context(rt, cache, actor, context["campaign"])
    context |= await emergency_context(rt, actor, context["campaign"])
    context |= {"emergency_error": emergency_error, "typed": typed or {}, "done": _DONE.get(done, "")}
    context |= {"link_error": link_error, "links": links}
    context["may_control"] = context["campaign"]["is_own"] and actor.may("round.control")
    title = context["campaign"]["name"]
    status = 422 if error or emergency_error or link_error else 200
    return page(
        request, "campaign.html", place="campaigns", title=title, status=status, error=error, **context
    )


def _is_ahead(progress: RoundProgress) -> bool:
    """Nothing but that it starts later, which its own line says already."""
    return all(stall.cause is Cause.TOO_EARLY for stall in progress.stalls)


async def _context(request: Request, campaign_id: int) -> dict[str, Any]:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        campaign = await find_campaign(conn, actor, campaign_id)
        rounds = await rounds_of(conn, [campaign_id])
        ids = [row["id"] for row in rounds]
        steps = await steps_of(conn, ids)
        figures = await round_figures(conn, cache_of(request), actor, ids)
        counts = await message_counts(conn, actor, ids)
        handed = await handed_counts(conn, actor, ids)
        progress = {
            row["id"]: await round_progress(conn, row["id"], with_numbers=campaign["is_own"])
            for row in rounds
            if row["state"] in _STANDING and row["lap"] is None
        }
        today = await triggers_today(conn, actor, rounds)
        kind = KINDS[campaign["kind"]]
        quotas = await standing_quotas(conn, campaign["org_id"]) if kind.under_quota else []
    shown = [
        show_round(
            row, [s for s in steps if s["round_id"] == row["id"]], figures.get(row["id"]), counts, handed
        )
        for row in rounds
    ]
    planned = [figures[round_id] for round_id in ids if round_id in figures]
    return {
        "campaign": campaign,
        "quotas": quotas,
        # A trigger's rounds, one a day, are listed on its own page.
        "shown": [one for one in shown if one.row["lap"] is None],
        "today": today,
        "people": combined_balance(planned)
        if len(planned) > 1
        else next((one.people for one in shown if one.people), None),
        "messages": message_balance(summed(counts, ids), href=f"/console/messages?campaign={campaign_id}"),
        "progress": {key: one for key, one in progress.items() if not _is_ahead(one)},
        "is_moving": campaign["state"] in ("running", "paused"),
    }
