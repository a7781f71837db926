"""人群: an expression with its count while it is written, explained for one household, saved under a name."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput, OutreachError
from outreach.governance.vault import open_vault
from outreach.labels.catalogue import list_catalogue
from outreach.labels.explain import explain
from outreach.registry.search import find_taxpayer
from outreach.web.actions import keep_segment
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.permissions import actor_of
from outreach.web.reads.figures import scope_members
from outreach.web.reads.segments import find_segment, list_segments, matching
from outreach.web.reads.taxpayers import taxpayers_by_id

routes = console_routes()
_SAMPLES = 5


@routes.get("/segments", permission="segment.read")
async def show(request: Request, expression: str = "", q: str = "") -> HTMLResponse:
    """The editor with the saved segments beside it."""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        found = await list_segments(conn, actor, search=q.strip())
        catalogue = await list_catalogue(conn)
    context: dict[str, Any] = {"expression": expression, "name": "", "errors": {}, "saved": None}
    context |= await _count(request, expression) if expression.strip() else _NOTHING
    return page(
        request,
        "segments.html",
        place="segments",
        title="人群",
        found=found,
        catalogue=catalogue,
        q=q,
        **context,
    )


@routes.get("/segments/{segment_id}", permission="segment.read")
async def show_one(request: Request, segment_id: int) -> HTMLResponse:
    """A saved segment in the editor."""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        saved = await find_segment(conn, actor, segment_id)
        found = await list_segments(conn, actor)
        catalogue = await list_catalogue(conn)
    context = {
        "expression": saved["expression"],
        "name": saved["name"],
        "errors": {},
        "saved": saved,
        "q": "",
    }
    context |= await _count(request, saved["expression"])
    return page(
        request,
        "segments.html",
        place="segments",
        title=saved["name"],
        found=found,
        catalogue=catalogue,
        **context,
    )


@routes.post("/segments/count", permission="segment.read")
async def count(request: Request) -> HTMLResponse:
    """How many, while the expression is written."""
    expression = str((await request.form()).get("expression", ""))
    context = await _count(request, expression) if expression.strip() else _NOTHING
    return fragment(request, "segment_count.html", expression=expression, **context)


@routes.post("/segments/explain", permission="taxpayer.read")
async def why(request: Request) -> HTMLResponse:
    """Why one household matches or not."""
    form = await request.form()
    expression, who = str(form.get("expression", "")), str(form.get("who", ""))
    rt, actor = runtime_of(request), actor_of(request)
    context: dict[str, Any] = {"who": who, "taxpayer": None, "tree": None, "problem": ""}
    try:
        found = await find_taxpayer(rt, actor.org_id, who)
        if not found:
            raise InvalidInput("数据范围内没有找到这一户，请输入完整的税号或名称中连续的两个字。")
        context["taxpayer"] = found[0]
        context["tree"] = await explain(rt, cache_of(request), expression, actor.org_id, found[0].id)
    except OutreachError as error:
        context["problem"] = error.message
    return fragment(request, "segment_why.html", **context)


@routes.post("/segments", permission="segment.write")
async def save(request: Request) -> Response:
    """Keep an expression under a name; a name of the own unit is replaced."""
    form = await request.form()
    name, expression = str(form.get("name", "")), str(form.get("expression", ""))
    try:
        segment_id = await keep_segment(runtime_of(request), actor_of(request), name, expression)
    except InvalidInput as error:
        return await _again(request, name, expression, error)
    return RedirectResponse(f"/console/segments/{segment_id}", 303)


async def _again(request: Request, name: str, expression: str, error: InvalidInput) -> HTMLResponse:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        found = await list_segments(conn, actor)
        catalogue = await list_catalogue(conn)
    errors = {error.details.get("field", "expression"): error.message}
    context: dict[str, Any] = {
        "expression": expression,
        "name": name,
        "errors": errors,
        "saved": None,
        "q": "",
    }
    context |= _NOTHING
    return page(
        request,
        "segments.html",
        place="segments",
        title="人群",
        status=422,
        found=found,
        catalogue=catalogue,
        **context,
    )


_NOTHING: dict[str, Any] = {"size": None, "scope_size": None, "samples": [], "problem": None}


async def _count(request: Request, expression: str) -> dict[str, Any]:
    rt, actor, cache = runtime_of(request), actor_of(request), cache_of(request)
    try:
        async with rt.db.begin() as conn:
            members = await matching(conn, cache, actor, expression)
            scope = await scope_members(conn, cache, actor)
            samples = []
            if actor.may("taxpayer.read"):
                samples = await taxpayers_by_id(
                    conn, open_vault(rt.settings), actor, list(members[:_SAMPLES])
                )
    except InvalidInput as error:
        return {**_NOTHING, "problem": error}
    return {"size": len(members), "scope_size": len(scope), "samples": samples, "problem": None}
