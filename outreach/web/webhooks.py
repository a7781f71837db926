"""Pushes of the providers: bytes in, everything durable, then the provider's own answer.

A bare ASGI application before all others, because at some providers one push carries one receipt, and what
surrounds and routes a page would cost as much again as taking it (docs/api.md has the figures).
"""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, unquote

import orjson
import psycopg
from psycopg_pool import PoolTimeout
from starlette.types import ASGIApp, Receive, Scope, Send

from channels.base import WebhookReply, WebhookRequest
from outreach.errors import NotFound, OutreachError, Unavailable
from outreach.logs import get_log
from outreach.web.middleware import BodyTooLarge, body_limit, refuse_body

AcceptPush = Callable[[int, str, WebhookRequest], Awaitable[WebhookReply]]
"""(gateway id, secret of the path, request): verified, parsed and appended when it returns."""

_PREFIX = "/hooks/"
_ADDRESS = re.compile(r"/hooks/([1-9][0-9]{0,4})/([^/]+)(?:/.*)?", re.DOTALL)
_PAUSE = 5


class Pushes:
    """GET and POST of `/hooks/{gateway}/{secret}/…` without a log-in: the secret and the provider's signature
    stand in for it. Whatever keeps a push from being durable is answered so that the provider repeats it."""

    def __init__(self, accept: AcceptPush) -> None:
        self._accept = accept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            reply = await self._take(scope, receive)
        except BodyTooLarge:
            await refuse_body(send)
            return
        except OutreachError as error:
            reply = _refusal(error)
        except (psycopg.Error, PoolTimeout, ConnectionError):
            reply = _refusal(Unavailable("暂时无法保存回执，请稍后重推。", seconds=_PAUSE))
        except Exception as error:
            get_log().error("push.failed", exc_info=error)
            reply = _refusal(OutreachError("没有处理完，请重推。"))
        if reply is not None:
            told = reply.headers.items()
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told]
            pairs.append((b"content-length", b"%d" % len(reply.body)))
            await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
            await send({"type": "http.response.body", "body": reply.body})

    async def _take(self, scope: Scope, receive: Receive) -> WebhookReply | None:
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1")
        address = _ADDRESS.fullmatch(path)
        # Some providers check an address by GET before they push to it by POST.
        if address is None or scope["method"] not in ("GET", "POST"):
            raise NotFound("没有这个回调地址")
        body = await _body_of(receive, body_limit(_PREFIX))
        if body is None:
            return None
        return await self._accept(int(address[1]), unquote(address[2]), _request_of(scope, path, body))


def pushes_first(pushes: ASGIApp, app: ASGIApp) -> ASGIApp:
    """The application that a web process serves."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        is_push = scope["type"] == "http" and scope["path"].startswith(_PREFIX)
        await (pushes if is_push else app)(scope, receive, send)

    return serve


def _refusal(error: OutreachError) -> WebhookReply:
    headers = {"content-type": "application/json"}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(error.details.get("seconds", _PAUSE))
    return WebhookReply(error.status, headers, orjson.dumps({"code": error.code, "message": error.message}))


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


async def _body_of(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None if the provider hung up before its end: it will repeat the push. Raises as soon
    as it is longer than `limit`."""
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > limit:
            raise BodyTooLarge
        if not message.get("more_body"):
            return b"".join(parts)
