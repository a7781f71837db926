"""再发一次: unknown messages of a round, asked for by one person and decided by another."""

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from outreach.errors import InvalidInput
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_round
from outreach.web.second_sends import ask_again, decide_again

routes = console_routes()


@routes.post("/rounds/{round_id}/second-sends", permission="round.control")
async def ask(request: Request, round_id: int) -> Response:
    """The form on the page of unknown messages."""
    rt, actor = runtime_of(request), actor_of(request)
    form = await request.form()
    gateway = str(form.get("gateway", ""))
    if gateway and not gateway.isdecimal():
        raise InvalidInput("没有这个网关。", field="gateway")
    async with rt.db.begin() as conn:
        row = await find_round(conn, actor, round_id)
    await ask_again(rt, actor, row, int(gateway) if gateway else None, str(form.get("note", "")))
    return RedirectResponse(f"/console/unknown?round={round_id}&done=asked", 303)


@routes.post("/rounds/{round_id}/second-sends/{asked}/{verdict}", permission="campaign.approve")
async def decide(request: Request, round_id: int, asked: int, verdict: str) -> Response:
    """同意 or 不同意, by another person."""
    if verdict not in ("approve", "decline"):
        raise InvalidInput("只能同意或者不同意。", field="verdict")
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        row = await find_round(conn, actor, round_id)
    await decide_again(rt, actor, row, asked, approve=verdict == "approve")
    return RedirectResponse(f"/console/unknown?round={round_id}&done={verdict}", 303)
