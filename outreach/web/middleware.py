"""What surrounds every answer: security headers and a limit on the body (plain ASGI, no buffering)."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

KIB, MIB = 1024, 1024 * 1024
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_TOO_LARGE = '{"code":"too_large","message":"内容太大，请分成几份再提交。"}'.encode()


class SecurityHeaders:
    """Adds the headers of ASVS 5.0 chapter 3.4; a header that a page sets itself is kept."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = (*_HEADERS, _HSTS) if https else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", []))
                names = {name.lower() for name, _ in own}
                own += [pair for pair in self._headers if pair[0] not in names]
                if b"cache-control" not in names:
                    own.append((b"cache-control", b"no-store"))
                message["headers"] = own
            await send(message)

        await self._app(scope, receive, with_headers)


def body_limit(path: str) -> int:
    """How many bytes a request to this path may carry."""
    if path.startswith("/hooks/"):
        return MIB
    if path.endswith(("/imports", "/imports/upload")):
        return 1024 * MIB
    if path.endswith("/events"):
        return 16 * MIB
    return 512 * KIB


class BodyTooLarge(Exception):
    """The body outgrew its limit while it was read."""


class BodyLimit:
    """Answers 413 before reading, or as soon as a body without a length has grown too large."""

    def __init__(self, app: ASGIApp, *, limit: Callable[[str], int] = body_limit) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limit:
            await refuse_body(send)
            return
        await self._measured(scope, receive, send, limit)

    async def _measured(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        seen, started = 0, False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise BodyTooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except BodyTooLarge:
            if not started:
                await refuse_body(send)


async def refuse_body(send: Send) -> None:
    """The answer to a body that is too long."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_TOO_LARGE))]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _TOO_LARGE})
