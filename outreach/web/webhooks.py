"""Pushes of the providers: bytes in, everything durable, then the provider's own answer.

A bare ASGI application, because at some providers one push carries one receipt, and the routing of pages
would cost as much again as taking it (docs/api.md has the figures).
"""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, unquote

import psycopg
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from channels.base import WebhookReply, WebhookRequest
from outreach.errors import NotFound, Unavailable

AcceptPush = Callable[[int, str, WebhookRequest], Awaitable[WebhookReply]]
"""(gateway id, secret of the path, request): verified, parsed and appended when it returns."""

_ADDRESS = re.compile(r"/hooks/([1-9][0-9]{0,4})/([^/]+)(?:/.*)?", re.DOTALL)
_PAUSE = 5


def webhook_app(accept: AcceptPush) -> ASGIApp:
    """To be mounted at `/hooks`: GET and POST of `/hooks/{gateway}/{secret}/…`, without a log-in.

    The secret and the provider's signature stand in for it. Raises NotFound for what is no such address and
    Unavailable when the push could not be kept: then the provider repeats it. Bodies are limited before they
    are read (middleware).
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1")
        address = _ADDRESS.fullmatch(path)
        # Some providers check an address by GET before they push to it by POST.
        if address is None or scope["method"] not in ("GET", "POST"):
            raise NotFound("没有这个回调地址")
        body = await _body_of(receive)
        if body is None:
            return
        try:
            reply = await accept(int(address[1]), unquote(address[2]), _request_of(scope, path, body))
        except (psycopg.Error, ConnectionError) as error:
            raise Unavailable("暂时无法保存回执，请稍后重推。", seconds=_PAUSE) from error
        await Response(reply.body, reply.status, dict(reply.headers))(scope, receive, send)

    return serve


def _request_of(scope: Scope, path: str, body: bytes) -> WebhookRequest:
    client = scope.get("client")
    query = scope["query_string"]
    return WebhookRequest(
        method=scope["method"],
        # As it came, percent signs included: signatures and providers' ids stand in it.
        path=path,
        query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
        remote=client[0] if client else "",
    )


async def _body_of(receive: Receive) -> bytes | None:
    """The whole body, or None if the provider hung up before its end: it will repeat the push."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
