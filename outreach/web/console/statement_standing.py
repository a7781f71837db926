"""随数据更新: which documents of which units follow their data, begun and ended."""

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.scope import scope_choices
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.standing import begin_standing, end_standing, list_standing
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.console.statements import KIND_NAMES
from outreach.web.permissions import actor_of

routes = console_routes()
_ADDRESS = "/console/statements/standing"
_DONE = {
    "begun": "已开始。从现在起，数据有变化的户会自动出具新版；原有的数据请用「出具文书」处理。",
    "ended": "已结束。已经出具的文书保留。",
}


@routes.get("/statements/standing", permission="statement.read")
async def show(request: Request, done: str = "") -> HTMLResponse:
    """The standing orders of the scope, and the form for one more."""
    return await _page(request, done=_DONE.get(done, ""))


@routes.post("/statements/standing", permission="statement.write")
async def begin(request: Request) -> Response:
    """Begin one."""
    form = await request.form()
    kind, unit = str(form.get("kind", "")), str(form.get("org_id", ""))
    try:
        org_id = int(unit) if unit.isdecimal() and len(unit) < 10 else 0
        async with runtime_of(request).db.begin() as conn:
            await begin_standing(conn, actor_of(request), kind, org_id)
    except (Conflict, InvalidInput, NotFound) as error:
        return await _page(request, kind=kind, unit=unit, error=error)
    return RedirectResponse(f"{_ADDRESS}?done=begun", 303)


@routes.post("/statements/standing/{standing_id}/end", permission="statement.write")
async def end(request: Request, standing_id: int) -> Response:
    """End one."""
    async with runtime_of(request).db.begin() as conn:
        await end_standing(conn, actor_of(request), standing_id)
    return RedirectResponse(f"{_ADDRESS}?done=ended", 303)


async def _page(
    request: Request,
    *,
    kind: str = "benefit_bill",
    unit: str = "",
    done: str = "",
    error: Conflict | InvalidInput | NotFound | None = None,
) -> HTMLResponse:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        orders = await list_standing(conn, actor)
        units = await scope_choices(conn, actor)
    return page(
        request,
        "statement_standing.html",
        place="statements",
        title="随数据更新",
        status=error.status if error else 200,
        orders=orders,
        units=units,
        kinds_offered=[(key, one.title) for key, one in DOCUMENT_KINDS.items()],
        kind_names=KIND_NAMES,
        kind=kind,
        unit_id=unit or str(actor.org_id),
        done=done,
        error=error,
    )
