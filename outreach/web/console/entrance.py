"""Log-in, log-out, one's own account, and the scope acted in."""

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput, NotAuthenticated, TooMany
from outreach.governance.accounts import change_password
from outreach.governance.scope import ancestors, scope_choices
from outreach.governance.sessions import end_session, log_in, switch_scope
from outreach.governance.totp import begin_enrolment, confirm_enrolment
from outreach.web.console.access import (
    check_same_origin,
    console_routes,
    cookie_name,
    runtime_of,
    session_of,
    set_session_cookie,
)
from outreach.web.console.qr import qr_svg
from outreach.web.console.render import bare, fragment, page
from outreach.web.permissions import PUBLIC, SELF

routes = console_routes()


@routes.get("/login", permission=PUBLIC)
async def show_login(request: Request, next: str = "") -> HTMLResponse:
    """The log-in page."""
    return _login_page(request, next)


@routes.post("/login", permission=PUBLIC)
async def do_login(request: Request) -> Response:
    """Check who it is, then go where the visitor wanted to go."""
    check_same_origin(request)
    form = await request.form()
    fields = {name: str(form.get(name, "")) for name in ("login", "password", "code", "next")}
    remote = request.client.host if request.client else ""
    try:
        token = await log_in(
            runtime_of(request),
            login=fields["login"],
            password=fields["password"],
            code=fields["code"],
            remote=remote,
        )
    except (NotAuthenticated, TooMany) as error:
        return _login_page(request, fields["next"], login=fields["login"], error=error)
    response = RedirectResponse(_local(fields["next"]), 303)
    set_session_cookie(request, response, token)
    return response


@routes.post("/logout", permission=SELF)
async def do_logout(request: Request) -> Response:
    """End the session."""
    await end_session(runtime_of(request), request.cookies.get(cookie_name(request), ""))
    response = RedirectResponse("/console/login", 303)
    response.delete_cookie(cookie_name(request), path="/")
    return response


@routes.get("/me", permission=SELF)
async def show_me(request: Request) -> HTMLResponse:
    """One's own account."""
    return page(request, "me.html", place="", title="我的账号", errors={})


@routes.post("/me/password", permission=SELF)
async def do_change_password(request: Request) -> Response:
    """A new password ends all sessions, this one too."""
    form = await request.form()
    current, new, again = (str(form.get(name, "")) for name in ("current", "password", "again"))
    try:
        if new != again:
            raise InvalidInput("两次输入的新密码不一样。", field="again")
        await change_password(runtime_of(request), session_of(request).actor, current, new)
    except InvalidInput as error:
        errors = {error.details["field"]: error.message}
        return page(request, "me.html", place="", title="我的账号", status=422, errors=errors)
    return RedirectResponse("/console/login", 303)


@routes.get("/me/second-factor", permission=SELF)
async def show_second_factor(request: Request) -> HTMLResponse:
    """The QR code for an authenticator app."""
    return await _enrolment_page(request)


@routes.post("/me/second-factor", permission=SELF)
async def do_second_factor(request: Request) -> Response:
    """The first right code turns the second factor on."""
    code = str((await request.form()).get("code", ""))
    try:
        await confirm_enrolment(runtime_of(request), session_of(request).actor, code)
    except InvalidInput as error:
        return await _enrolment_page(request, error=error)
    return RedirectResponse("/console/", 303)


@routes.get("/scope", permission=SELF)
async def show_scopes(request: Request, q: str = "") -> HTMLResponse:
    """Org units that may be acted in, for the switcher."""
    actor = session_of(request).actor
    async with runtime_of(request).db.begin() as conn:
        choices = await scope_choices(conn, actor, search=q.strip()[:40])
        trail = await ancestors(conn, actor.org_path)
    return fragment(request, "pieces/scope_choices.html", choices=choices, trail=trail, q=q)


@routes.post("/scope", permission=SELF)
async def do_switch_scope(request: Request) -> Response:
    """Act for another unit of one's own subtree."""
    form = await request.form()
    token = request.cookies.get(cookie_name(request), "")
    org_id = str(form.get("org_id", ""))
    if not org_id.isdigit():
        raise InvalidInput("请选择一个机构。", field="org_id")
    await switch_scope(runtime_of(request), session_of(request).actor, token, int(org_id))
    return RedirectResponse(_local(str(form.get("back", ""))), 303)


def _login_page(
    request: Request, next: str, *, login: str = "", error: NotAuthenticated | TooMany | None = None
) -> HTMLResponse:
    signature = runtime_of(request).settings.signature
    status = 200 if error is None else error.status
    return bare(
        "login.html", status=status, title="登录", next=next, login=login, error=error, bureau=signature
    )


async def _enrolment_page(request: Request, *, error: InvalidInput | None = None) -> HTMLResponse:
    address = await begin_enrolment(runtime_of(request), session_of(request).actor)
    secret = address.split("secret=")[1].split("&")[0]
    grouped = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    return page(
        request,
        "second_factor.html",
        place="",
        title="开通一次性验证码",
        status=200 if error is None else 422,
        qr=qr_svg(address),
        secret=grouped,
        error=error,
    )


def _local(address: str) -> str:
    # Only a path of the console: "//host" and "/\\host" would lead elsewhere.
    good = address.startswith("/console") and not address.startswith("//") and "\\" not in address
    return address if good and "\n" not in address and "\r" not in address else "/console/"
