"""Gateways in the settings: the list, a new account, taking one out of service and back."""

import re
from decimal import Decimal
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.audit import append_audit
from outreach.ledger.gateways import CARRIED, reset_pace, save_gateway
from outreach.ledger.pace_log import list_changes, paces
from outreach.statements.access import read_miss_share
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.gateway_form import draft_of, fields_of
from outreach.web.console.render import page
from outreach.web.console.settings import PARTS
from outreach.web.gateway_checks import check_gateway
from outreach.web.permissions import actor_of
from outreach.web.reads.health import health_of
from outreach.web.reads.paging import PAGE, decode_numbers, encode_cursor
from outreach.web.reads.prices import list_prices, set_price

_SQL = load_queries(__file__)
routes = console_routes()
STATES = ("active", "closed")
_YUAN = re.compile(r"\d{1,4}(\.\d{1,4})?")


@routes.get("/settings/gateways", permission="gateway.read")
async def show_list(request: Request, cursor: str = "") -> HTMLResponse:
    """Accounts with what waits for them, what their provider promises, and what breakers and weights did."""
    return await _list_page(request, cursor, {})


@routes.post("/settings/gateways/{gateway_id}/check", permission="gateway.read")
async def check(request: Request, gateway_id: int) -> HTMLResponse:
    """Try an account without sending anything, and say beside it what came of it."""
    reason = await check_gateway(request.app.state.fleet, gateway_id)
    return await _list_page(request, "", {gateway_id: reason})


@routes.post("/settings/gateways/{gateway_id}/price", permission="gateway.write")
async def change_price(request: Request, gateway_id: int) -> Response:
    """What the account charges for a part or a message; forecasts use it at once."""
    typed = str((await request.form()).get("yuan", "")).strip()
    if not _YUAN.fullmatch(typed):
        return await _list_page(request, "", {}, (gateway_id, typed))
    async with runtime_of(request).db.begin() as conn:
        await set_price(conn, actor_of(request), gateway_id, Decimal(typed))
    return RedirectResponse("/console/settings/gateways#prices", 303)


async def _list_page(
    request: Request, cursor: str, checked: dict[int, str], wrong: tuple[int, str] = (0, "")
) -> HTMLResponse:
    before = decode_numbers(cursor, 1)[0] if cursor else None
    async with runtime_of(request).db.begin() as conn:
        health = await health_of(conn)
        standing = await paces(conn)
        changes = await list_changes(conn, before=before, limit=PAGE + 1)
        prices = await list_prices(conn)
        guessed = await read_miss_share(conn)
    facts = {name: adapter.facts for name, adapter in CARRIED.items()}
    older = encode_cursor(changes[PAGE - 1].id) if len(changes) > PAGE else None
    return _page(
        request,
        "settings_gateways.html",
        "网关",
        health=health,
        facts=facts,
        paces=standing,
        changes=changes[:PAGE],
        older=older,
        checked=checked,
        prices=prices,
        guessed=guessed,
        wrong=wrong,
        status=422 if wrong[0] else 200,
    )


@routes.get("/settings/gateways/new", permission="gateway.write")
async def show_new(request: Request, adapter: str) -> HTMLResponse:
    """The form of an adapter."""
    return _form_page(request, adapter, {}, {})


@routes.post("/settings/gateways", permission="gateway.write")
async def add(request: Request) -> Response:
    """Store an account. Its credentials are sealed and never shown again; its callback address is, once."""
    form = await request.form()
    adapter = str(form.get("adapter", ""))
    rt, actor = runtime_of(request), actor_of(request)
    try:
        draft = draft_of(adapter, form)
        async with rt.db.begin() as conn:
            if await (await conn.execute(_SQL["by_name"], {"name": draft.name})).fetchone():
                raise InvalidInput("", faults={"name": "已经有叫这个名称的网关，请换一个。"})
            gateway_id = await save_gateway(conn, rt.settings, draft)
            row = await (await conn.execute(_SQL["secret"], {"id": gateway_id})).fetchone()
            await append_audit(conn, actor, "gateway.create", f"gateway:{gateway_id}", {"adapter": adapter})
    except InvalidInput as error:
        return _form_page(request, adapter, error.details.get("faults", {"name": error.message}), dict(form))
    assert row is not None
    address = f"{rt.settings.base_url}/hooks/{gateway_id}/{row['secret']}"
    return _page(request, "settings_gateway_made.html", draft.name, name=draft.name, address=address)


@routes.post("/settings/gateways/{gateway_id}/state", permission="gateway.write")
async def change_state(request: Request, gateway_id: int) -> Response:
    """Out of service: nothing more leaves through it, receipts are still taken; and back."""
    state = str((await request.form()).get("state", ""))
    if state not in STATES:
        raise InvalidInput("网关状态只能是启用或停用。", field="state")
    async with runtime_of(request).db.begin() as conn:
        row = await (await conn.execute(_SQL["set_state"], {"id": gateway_id, "state": state})).fetchone()
        if row is None:
            raise NotFound("没有这个网关。")
        if state == "active":
            await reset_pace(conn, gateway_id)
        detail = {"state": state}
        await append_audit(conn, actor_of(request), "gateway.state", f"gateway:{gateway_id}", detail)
    return RedirectResponse("/console/settings/gateways", 303)


def _form_page(request: Request, adapter: str, errors: dict[str, str], typed: dict[str, Any]) -> HTMLResponse:
    fields = fields_of(adapter)
    # What is secret is not sent back to the browser: it is entered again.
    secret = {field.name for field in fields if field.kind == "password"}
    kept = {name: str(value) for name, value in typed.items() if name not in secret}
    return _page(
        request,
        "settings_gateway.html",
        "添加网关",
        status=422 if errors else 200,
        adapter=adapter,
        channel=CARRIED[adapter].facts.channel.value,
        fields=fields,
        errors=errors,
        typed=kept,
    )


def _page(request: Request, template: str, title: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    parts = [(key, word) for key, word, permission in PARTS if actor_of(request).may(permission)]
    return page(
        request, template, place="settings", title=title, status=status, parts=parts, part="gateways",
        adapters=CARRIED, **context,
    )  # fmt: skip
