"""工作台: what runs, who has not acted, is everything healthy."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from campaigns.emergency import waiting_reviews
from outreach.labels.evaluate import evaluate_text
from outreach.ledger.states import State
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.console.show_rounds import show_round
from outreach.web.permissions import SELF, actor_of
from outreach.web.reads.campaigns import active_rounds, running_campaigns, steps_of
from outreach.web.reads.figures import message_counts, round_figures, summed
from outreach.web.reads.health import health_of

routes = console_routes()


@routes.get("", permission=SELF)
async def to_home() -> RedirectResponse:
    """Without the slash."""
    return RedirectResponse("/console/", 303)


@routes.get("/", permission=SELF)
async def show(request: Request) -> HTMLResponse:
    """The page an officer opens forty times a day."""
    if not actor_of(request).may("campaign.read"):
        return page(request, "home_admin.html", place="home", title="工作台")
    context = await _context(request)
    context["pending"] = await _pending(request)
    async with runtime_of(request).db.begin() as conn:
        context["owed"] = await waiting_reviews(conn, actor_of(request).org_path)
    return page(request, "home.html", place="home", title="工作台", **context)


@routes.get("/home/live", permission="campaign.read")
async def live(request: Request) -> HTMLResponse:
    """The part of the page that moves."""
    return fragment(request, "home_live.html", **await _context(request))


async def _context(request: Request) -> dict[str, Any]:
    actor, rt = actor_of(request), runtime_of(request)
    async with rt.db.begin() as conn:
        rounds = await active_rounds(conn, actor)
        ids = [row["id"] for row in rounds]
        steps = await steps_of(conn, ids)
        figures = await round_figures(conn, cache_of(request), actor, ids)
        counts = await message_counts(conn, actor, ids)
        health = await health_of(conn)
    totals = summed(counts, ids)
    shown = [
        show_round(row, [s for s in steps if s["round_id"] == row["id"]], figures.get(row["id"]), counts)
        for row in rounds
    ]
    return {
        "now": rounds[0]["now"] if rounds else await rt.now(),
        "shown": shown,
        "health": health,
        "arrived": totals.get(State.DELIVERED, 0) + totals.get(State.READ, 0),
        "on_the_way": totals.get(State.ACCEPTED, 0),
        "unknown": totals.get(State.UNKNOWN, 0),
        "failed": totals.get(State.FAILED, 0),
        "sent": sum(totals.get(int(s), 0) for s in State if s not in _UNSENT),
    }


_UNSENT = (State.PLANNED, State.WITHHELD, State.EXPIRED, State.CANCELLED)


async def _pending(request: Request) -> Sequence[tuple[dict[str, Any], int, int]]:
    """(campaign, households concerned, households that have not acted) of the running campaigns."""
    actor, rt, cache = actor_of(request), runtime_of(request), cache_of(request)
    async with rt.db.begin() as conn:
        campaigns = await running_campaigns(conn, actor)
        return [
            (
                campaign,
                len((await evaluate_text(conn, cache, campaign["segment"], actor.org_id)).members),
                len((await evaluate_text(conn, cache, pending_expression(campaign), actor.org_id)).members),
            )
            for campaign in campaigns
        ]


def pending_expression(campaign: dict[str, Any]) -> str:
    """Whom a campaign concerns and who has still to act."""
    return (
        f"({campaign['segment']}) and not ({campaign['done_segment']}) and not ({campaign['exempt_segment']})"
    )
