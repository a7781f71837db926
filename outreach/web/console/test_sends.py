"""试发: the page of a round's test send, with the unit's list of staff."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from campaigns.test_sends import Tried, add_address, drop_address, list_addresses, send_tests
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.registry.people import ADDRESS_TITLES
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_round

routes = console_routes()


@routes.get("/rounds/{round_id}/test", permission="campaign.write")
async def show(request: Request, round_id: int) -> HTMLResponse:
    """Whom to send to, and what will happen."""
    return await _page(request, round_id)


@routes.post("/rounds/{round_id}/test", permission="campaign.write")
async def send(request: Request, round_id: int) -> Response:
    """Send, and say beside each what came of it."""
    await _own(request, round_id)
    form = await request.form()
    chosen = [int(str(one)) for one in form.getlist("address") if str(one).isdecimal()]
    rt, fleet = runtime_of(request), request.app.state.fleet
    try:
        tried = await send_tests(rt, cache_of(request), fleet, actor_of(request), round_id, chosen)
    except (NotFound, Conflict) as error:
        return await _page(request, round_id, errors={"address": error.message})
    return await _page(request, round_id, tried=tried)


@routes.post("/rounds/{round_id}/test/addresses", permission="campaign.write")
async def add(request: Request, round_id: int) -> Response:
    """List somebody of the unit acted in."""
    form = await request.form()
    typed = {name: str(form.get(name, "")) for name in ("name", "kind", "value")}
    try:
        await add_address(runtime_of(request), actor_of(request), **typed)
    except InvalidInput as error:
        return await _page(
            request, round_id, errors={str(error.details.get("field")): error.message}, typed=typed
        )
    except Conflict as error:
        return await _page(request, round_id, errors={"value": error.message}, typed=typed)
    return RedirectResponse(f"/console/rounds/{round_id}/test", 303)


@routes.post("/rounds/{round_id}/test/addresses/{address_id}/drop", permission="campaign.write")
async def drop(request: Request, round_id: int, address_id: int) -> Response:
    """Take somebody off the list."""
    await drop_address(runtime_of(request), actor_of(request), address_id)
    return RedirectResponse(f"/console/rounds/{round_id}/test", 303)


async def _own(request: Request, round_id: int) -> dict[str, Any]:
    async with runtime_of(request).db.begin() as conn:
        row = await find_round(conn, actor_of(request), round_id)
    if not row["is_own"]:
        raise NotAllowed("这个轮次由上级机构管理，在这里只能查看。")
    return row


async def _page(
    request: Request,
    round_id: int,
    *,
    errors: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    tried: Sequence[Tried] = (),
) -> HTMLResponse:
    row, rt = await _own(request, round_id), runtime_of(request)
    async with rt.db.begin() as conn:
        rows = await list_addresses(rt, conn, actor_of(request))
    return page(
        request,
        "round_test.html",
        place="campaigns",
        title="试发",
        status=422 if errors else 200,
        round=row,
        rows=rows,
        kinds=list(ADDRESS_TITLES.items()),
        errors=dict(errors or {}),
        typed=dict(typed or {}),
        tried=tried,
    )
