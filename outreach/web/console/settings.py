"""设置: gateways, accounts, API keys, imports, audit; each part for those whose power it is."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput, NotAllowed
from outreach.governance.accounts import (
    STATES,
    assign_roles,
    create_account,
    find_account,
    list_accounts,
    set_state,
)
from outreach.governance.api_keys import PERSONS_ONLY, create_key, list_keys, revoke_key
from outreach.governance.audit import verify_audit
from outreach.governance.permissions import PERMISSIONS
from outreach.governance.scope import scope_choices
from outreach.governance.totp import reset_second_factor
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.permissions import SELF, actor_of
from outreach.web.reads.audit import list_events

routes = console_routes()
PARTS = (
    ("gateways", "网关", "gateway.read"),
    ("imports", "导入", "import.read"),
    ("calendar", "工作日历", "campaign.read"),
    ("quota", "频次上限", "campaign.read"),
    ("accounts", "账号", "account.read"),
    ("keys", "接口密钥", "key.read"),
    ("audit", "审计日志", "audit.read"),
)
"""The parts of the settings: address, word, permission."""


@routes.get("/settings", permission=SELF)
async def show(request: Request) -> Response:
    """The first part that this actor may see."""
    for key, _, permission in PARTS:
        if actor_of(request).may(permission):
            return RedirectResponse(f"/console/settings/{key}", 303)
    raise NotAllowed("当前角色没有可以查看的设置。")


@routes.get("/settings/accounts", permission="account.read")
async def accounts(request: Request) -> HTMLResponse:
    """Who may log in."""
    return await _accounts_page(request, {}, {})


@routes.post("/settings/accounts", permission="account.write")
async def add_account(request: Request) -> Response:
    """A new account without roles: those are given by somebody else."""
    form = await request.form()
    typed = {name: str(form.get(name, "")) for name in ("login", "display_name", "password", "org_id")}
    try:
        account_id = await create_account(
            runtime_of(request),
            actor_of(request),
            login=typed["login"],
            display_name=typed["display_name"],
            password=typed["password"],
            org_id=_number(typed["org_id"], "org_id"),
        )
    except InvalidInput as error:
        return await _accounts_page(request, {error.details.get("field", "login"): error.message}, typed)
    return RedirectResponse(f"/console/settings/accounts/{account_id}", 303)


@routes.get("/settings/accounts/{account_id}", permission="account.read")
async def account(request: Request, account_id: int) -> HTMLResponse:
    """One account."""
    return await _account_page(request, account_id, None)


@routes.post("/settings/accounts/{account_id}/roles", permission="role.assign")
async def change_roles(request: Request, account_id: int) -> Response:
    """Give and take roles; the sessions of the account end."""
    roles = [str(role) for role in (await request.form()).getlist("roles")]
    try:
        await assign_roles(runtime_of(request), actor_of(request), account_id, roles)
    except InvalidInput as error:
        return await _account_page(request, account_id, error)
    return RedirectResponse(f"/console/settings/accounts/{account_id}", 303)


@routes.post("/settings/accounts/{account_id}/state", permission="account.write")
async def change_state(request: Request, account_id: int) -> Response:
    """Lock, unlock, close."""
    state = str((await request.form()).get("state", ""))
    await set_state(runtime_of(request), actor_of(request), account_id, state)
    return RedirectResponse(f"/console/settings/accounts/{account_id}", 303)


@routes.post("/settings/accounts/{account_id}/second-factor", permission="account.write")
async def take_second_factor(request: Request, account_id: int) -> Response:
    """For a lost phone."""
    await reset_second_factor(runtime_of(request), actor_of(request), account_id)
    return RedirectResponse(f"/console/settings/accounts/{account_id}", 303)


@routes.get("/settings/keys", permission="key.read")
async def keys(request: Request) -> HTMLResponse:
    """API keys."""
    return await _keys_page(request, {}, {}, None)


@routes.post("/settings/keys", permission="key.write")
async def add_key(request: Request) -> Response:
    """Issue a key; it is shown this once."""
    form = await request.form()
    typed = {name: str(form.get(name, "")) for name in ("name", "org_id", "days")}
    chosen = [str(code) for code in form.getlist("permissions")]
    try:
        made = await create_key(
            runtime_of(request),
            actor_of(request),
            name=typed["name"],
            org_id=_number(typed["org_id"], "org_id"),
            permissions=chosen,
            days=_number(typed["days"], "days"),
        )
    except InvalidInput as error:
        return await _keys_page(
            request, {error.details.get("field", "name"): error.message}, typed, None, chosen
        )
    return await _keys_page(request, {}, {}, made.key)


@routes.post("/settings/keys/{key_id}/revoke", permission="key.write")
async def end_key(request: Request, key_id: int) -> Response:
    """End a key at once."""
    await revoke_key(runtime_of(request), actor_of(request), key_id)
    return RedirectResponse("/console/settings/keys", 303)


@routes.get("/settings/audit", permission="audit.read")
async def audit(
    request: Request, actor: str = "", action: str = "", cursor: str = "", check: str = ""
) -> HTMLResponse:
    """The chain, newest first; on request checked from its first event."""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        found = await list_events(conn, actor_name=actor.strip(), action=action.strip(), cursor=cursor)
    broken = await verify_audit(rt) if check else None
    return _page(
        request, "settings_audit.html", "audit", found=found, who=actor, action=action, checked=bool(check),
        broken=broken,
    )  # fmt: skip


def _page(request: Request, template: str, part: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    actor = actor_of(request)
    parts = [(key, word) for key, word, permission in PARTS if actor.may(permission)]
    word = next(word for key, word, _ in PARTS if key == part)
    return page(
        request, template, place="settings", title=word, status=status, parts=parts, part=part, **context
    )


async def _accounts_page(request: Request, errors: dict[str, str], typed: dict[str, str]) -> HTMLResponse:
    async with runtime_of(request).db.begin() as conn:
        rows = await list_accounts(conn, actor_of(request))
        units = await scope_choices(conn, actor_of(request), limit=500)
    status = 422 if errors else 200
    return _page(
        request, "settings_accounts.html", "accounts", status=status, rows=rows, units=units, errors=errors,
        typed=typed, states=STATES,
    )  # fmt: skip


async def _account_page(request: Request, account_id: int, error: InvalidInput | None) -> HTMLResponse:
    async with runtime_of(request).db.begin() as conn:
        row = await find_account(conn, actor_of(request), account_id)
    status = 422 if error else 200
    return _page(
        request, "settings_account.html", "accounts", status=status, account=row, error=error, states=STATES
    )


async def _keys_page(
    request: Request,
    errors: dict[str, str],
    typed: dict[str, str],
    key: str | None,
    chosen: Sequence[str] = (),
) -> HTMLResponse:
    async with runtime_of(request).db.begin() as conn:
        rows = await list_keys(conn, actor_of(request))
        units = await scope_choices(conn, actor_of(request), limit=500)
    status = 422 if errors else 200
    return _page(
        request,
        "settings_keys.html",
        "keys",
        status=status,
        rows=rows,
        units=units,
        errors=errors,
        typed=typed,
        key=key,
        chosen=chosen,
        offered={code: word for code, word in PERMISSIONS.items() if code not in PERSONS_ONLY},
        now=await runtime_of(request).now(),
    )


def _number(text: str, field: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise InvalidInput("请选择或填写一个数字。", field=field)
    return int(text)
