"""How errors are answered: JSON for machines, a Chinese page or fragment for staff, always with a code."""

import secrets
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from psycopg.errors import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outreach.errors import (
    Conflict,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    OutreachError,
    Unavailable,
)
from outreach.logs import get_log
from outreach.web.console.render import render_error
from outreach.web.faults import reason_of
from outreach.web.middleware import BodyTooLarge

_PAUSE = 5
"""Seconds after which a caller may try again, where nothing better is known."""

_STATUS: dict[int, type[OutreachError]] = {404: NotFound, 405: Conflict, 400: InvalidInput}
_SENTENCE = {
    404: "没有这个页面。请从左侧菜单进入，或返回上一页。",
    405: "这个地址不接受这种操作。",
    400: "提交的内容不完整，请返回重试。",
}


class SecondFactorMissing(OutreachError):
    """Policy asks for a one-time code that this account has not set up yet."""

    status = 403
    code = "second_factor_missing"


def add_error_handlers(app: FastAPI) -> None:
    """Register the handlers of all errors that can leave a route."""
    app.add_exception_handler(OutreachError, _on_outreach_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(PoolTimeout, _on_database)
    app.add_exception_handler(OperationalError, _on_database)


class CatchAll:
    """Answers what no handler knows, inside the other middleware, so that such an answer too carries the
    security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except BodyTooLarge:
            raise
        except Exception as error:
            answer = _on_anything(Request(scope), error)
            if not started:
                await answer(scope, receive, send)


def error_body(error: OutreachError) -> dict[str, Any]:
    """The JSON of an error: `code` for programs, `message` for people, `details` where there are any."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    return body


async def _on_outreach_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OutreachError)
    return _answer(request, error)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"][1:]), "reason": reason_of(fault)}
        for fault in error.errors()
    ]
    named = "、".join(fault["field"] for fault in faults if fault["field"]) or "请求"
    return _answer(request, InvalidInput(f"这些内容不符合要求：{named}。", faults=faults))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = _STATUS.get(error.status_code, OutreachError)
    sentence = _SENTENCE.get(error.status_code, "请求没有完成，请稍后再试。")
    if error.status_code == 404 and request.url.path.startswith("/api/"):
        sentence = "没有这个接口地址，请对照接口文档检查。"
    answer = _answer(request, kind(sentence))
    answer.status_code = error.status_code
    return answer


async def _on_database(request: Request, error: Exception) -> Response:
    get_log().error("database.unavailable", kind=type(error).__name__)
    sentence = "数据库暂时没有应答，已提交的内容不会丢失，请一分钟后再试。"
    return _answer(request, Unavailable(sentence, seconds=60))


def _on_anything(request: Request, error: Exception) -> Response:
    # The path's parameters may hold personal data; the route's pattern does not.
    route = getattr(request.scope.get("route"), "path", "")
    number = secrets.token_hex(4)
    get_log().error("request.failed", route=route, number=number, exc_info=error)
    return _answer(request, OutreachError(f"这一步没有完成，数据没有改动。请把编号 {number} 告诉技术支持。"))


def _answer(request: Request, error: OutreachError) -> Response:
    headers = _headers(error)
    if not request.url.path.startswith("/console"):
        return JSONResponse(error_body(error), error.status, headers)
    if isinstance(error, NotAuthenticated):
        return _elsewhere(request, _login_address(request))
    if isinstance(error, SecondFactorMissing):
        return _elsewhere(request, "/console/me/second-factor")
    response = render_error(request, error)
    response.headers.update(headers)
    return response


def _headers(error: OutreachError) -> dict[str, str]:
    headers = {}
    if error.status in (429, 503):
        headers["Retry-After"] = str(error.details.get("seconds", _PAUSE))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _login_address(request: Request) -> str:
    if request.method != "GET" or request.headers.get("hx-request"):
        return "/console/login"
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/console/login?next={quote(wanted, safe='')}"


def _elsewhere(request: Request, address: str) -> Response:
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)
