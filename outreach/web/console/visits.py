"""入户审批: visits that are asked for by one person and decided by another."""

from datetime import date

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import open_vault
from outreach.service.visits import approve_visits, ask_visits, refuse_visits, visit_requests
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.console.work import ticked
from outreach.web.permissions import actor_of
from outreach.web.reads.work_items import Wanted, list_items

routes = console_routes()
DONE = {
    "asked": "已提交，等另一位审批人决定；批准以前不能分派，也不能登记结果。",
    "approve": "已批准，可以分派了。",
    "refuse": "已退回，这些走访不再进行。",
}


@routes.get("/service/visits", permission="work.read")
async def show(request: Request, done: str = "") -> HTMLResponse:
    """Visits that nobody has asked for, and requests with what came of them."""
    return await _page(request, {}, DONE.get(done, ""))


@routes.post("/service/visits", permission="work.assign")
async def ask(request: Request) -> Response:
    """Ask for the ticked visits."""
    form = await request.form()
    try:
        day = _day(str(form.get("visit_on", "")))
        items, note = ticked(form.getlist("items")), str(form.get("note", ""))
        await ask_visits(runtime_of(request), actor_of(request), items, note=note, visit_on=day)
    except InvalidInput as error:
        return await _page(request, {error.details.get("field", "items"): error.message}, "")
    return RedirectResponse("/console/service/visits?done=asked", 303)


@routes.post("/service/visits/{request_id}/{verdict}", permission="visit.approve")
async def decide(request: Request, request_id: int, verdict: str) -> Response:
    """批准 or 不批准, by another person."""
    rt, actor = runtime_of(request), actor_of(request)
    if verdict == "approve":
        await approve_visits(rt, actor, request_id)
    elif verdict == "refuse":
        reason = str((await request.form()).get("reason", ""))
        try:
            await refuse_visits(rt, actor, request_id, reason)
        except InvalidInput as error:
            return await _page(request, {f"reason-{request_id}": error.message}, "")
    else:
        raise NotFound("没有这个操作。")
    return RedirectResponse(f"/console/service/visits?done={verdict}", 303)


async def _page(request: Request, errors: dict[str, str], done: str) -> HTMLResponse:
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        wanted = Wanted("visit", "open", "", "unapproved")
        found = await list_items(conn, open_vault(rt.settings), actor, wanted)
        asked = await visit_requests(conn, actor)
    context = {"found": found, "asked": asked, "errors": errors, "done": done}
    status = 422 if errors else 200
    return page(request, "visits.html", place="service", title="入户审批", status=status, **context)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("请选择入户日期", field="visit_on") from error
