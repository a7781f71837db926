"""“不满意，请扫我”: codes for halls, windows and persons, and the sheet that is printed and put up."""

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput
from outreach.governance.scope import scope_choices
from outreach.service.places import KINDS, close_place, list_places, make_places
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.qr import qr_svg
from outreach.web.console.render import page
from outreach.web.permissions import actor_of

routes = console_routes()


@routes.get("/service/places", permission="service.read")
async def show(request: Request) -> HTMLResponse:
    """All codes in use, with their ratings and complaints."""
    return await _page(request)


@routes.get("/service/places/sheet", permission="service.read")
async def sheet(request: Request) -> HTMLResponse:
    """One label for each code, for the printer."""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        rows = await list_places(conn, actor_of(request))
    labels = [(row, qr_svg(f"{rt.settings.base_url}/p/{row['token']}")) for row in rows]
    return page(
        request,
        "place_sheet.html",
        place="service",
        title="打印评价二维码",
        labels=labels,
        signature=rt.settings.signature,
    )


@routes.get("/service/places/{place_id}.svg", permission="service.read")
async def code(request: Request, place_id: int) -> Response:
    """One code as an image file."""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        rows = [row for row in await list_places(conn, actor_of(request)) if row["id"] == place_id]
    if not rows:
        raise InvalidInput("没有这个二维码，或者它不在您的数据范围内。", field="place")
    body = str(qr_svg(f"{rt.settings.base_url}/p/{rows[0]['token']}")).replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" stroke="#000" ', 1
    )
    headers = {"Content-Disposition": f'attachment; filename="place-{place_id}.svg"'}
    return Response(body, media_type="image/svg+xml", headers=headers)


@routes.post("/service/places", permission="service.write")
async def make(request: Request) -> Response:
    """One code for each line."""
    rt, actor = runtime_of(request), actor_of(request)
    form = await request.form()
    given = {key: str(form.get(key, "")) for key in ("org_id", "kind", "names")}
    try:
        org_id = int(given["org_id"]) if given["org_id"].isdecimal() else actor.org_id
        async with rt.db.begin() as conn:
            made = await make_places(conn, actor, org_id, given["kind"], given["names"])
    except InvalidInput as error:
        return await _page(request, error=error, given=given)
    return RedirectResponse(f"/console/service/places?made={made}", 303)


@routes.post("/service/places/{place_id}/close", permission="service.write")
async def close(request: Request, place_id: int) -> Response:
    """Take a code out of use."""
    async with runtime_of(request).db.begin() as conn:
        await close_place(conn, actor_of(request), place_id)
    return RedirectResponse("/console/service/places", 303)


async def _page(
    request: Request, *, error: InvalidInput | None = None, given: dict[str, str] | None = None
) -> HTMLResponse:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        rows = await list_places(conn, actor)
        units = await scope_choices(conn, actor)
    made = request.query_params.get("made", "")
    return page(
        request,
        "places.html",
        place="service",
        title="评价二维码",
        status=error.status if error else 200,
        rows=rows,
        units=units,
        kinds_of_place=list(KINDS.items()),
        given=given or {"org_id": str(actor.org_id), "kind": "window", "names": ""},
        errors={error.details.get("field", "names"): error.message} if error else {},
        made=int(made) if made.isdecimal() else 0,
    )
