"""Reminders on WeChat: who has proved herself with the statement's code binds her openid.

The visit's cookie is strict: the way back from WeChat comes without it. So that page only keeps who she is
there, and the button on it, pressed on a page of ours, brings the cookie along. Nobody can make another
visitor bind an openid that she did not begin with.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from outreach.runtime import Runtime
from outreach.statements.access import StatementSession, find_session
from outreach.web.public_entry import cookie_name
from outreach.web.public_pages import Site, go, notice, page
from outreach.web.public_types import Binding

_PUBLIC = {"x-permission": "public"}
BACK = "/wechat/back"
"""Where the provider sends her: its domain must be known to the provider."""


def add_binding_pages(router: APIRouter, site: Site, rt: Runtime, binding: Binding) -> None:
    """GET /wechat, /wechat/begin, /wechat/back, GET and POST /wechat/confirm, GET /wechat/done."""

    @router.get("/wechat", openapi_extra=_PUBLIC)
    async def offer(request: Request) -> Response:
        if await _visit(request, site, rt) is None:
            return _over(request, site)
        return page(request, site, "wechat.html")

    @router.get("/wechat/begin", openapi_extra=_PUBLIC)
    async def begin(request: Request) -> Response:
        # A link and not a form: the page's policy lets no form lead to another site.
        visit = await _visit(request, site, rt)
        address = await binding.begin(visit.token_hash) if visit else None
        return go(address) if address else _over(request, site)

    @router.get(BACK, openapi_extra=_PUBLIC)
    async def back(request: Request, state: str = "", code: str = "") -> Response:
        if not await binding.take(state, code[:512]):
            return _failed(request, site)
        return go("/wechat/confirm?" + urlencode({"state": state}))

    @router.get("/wechat/confirm", openapi_extra=_PUBLIC)
    async def ask(request: Request, state: str = "") -> Response:
        return page(request, site, "wechat_confirm.html", state=state)

    @router.post("/wechat/confirm", openapi_extra=_PUBLIC)
    async def confirm(request: Request, state: Annotated[str, Form(max_length=128)] = "") -> Response:
        visit = await _visit(request, site, rt)
        if visit is None:
            return _over(request, site)
        if not await binding.confirm(state, visit.token_hash):
            return _failed(request, site)
        return go("/wechat/done")

    @router.get("/wechat/done", openapi_extra=_PUBLIC)
    async def done(request: Request) -> Response:
        return notice(request, site, "wechat_done_title", "wechat_done_text", back="/statement")


async def _visit(request: Request, site: Site, rt: Runtime) -> StatementSession | None:
    return await find_session(rt, request.cookies.get(cookie_name(site), ""))


def _over(request: Request, site: Site) -> Response:
    return notice(request, site, "session_over_title", "session_over_text", status=401)


def _failed(request: Request, site: Site) -> Response:
    return notice(request, site, "wrong_title", "wechat_failed_text", status=400)
