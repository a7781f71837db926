"""A receiver of pushes for the wire tests: verifies, parses, keeps, answers as the product would."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from channels.base import Adapter, Inbound, Receipt, WebhookReply, WebhookRequest
from channels.errors import WebhookRejected
from channels.gateways.http_server import HttpServer

from .clock import LONGEST


class Hooks:
    """An HTTP server on a free loopback port. Set `adapter` before pushes arrive.

    `requests` are all pushes as they came in, `receipts` and `inbound` what the adapter read in them,
    `rejected` the pushes that it refused (answered 403). `refuse = n` answers the next n pushes 500 without
    reading them, as a product that is just restarting would.
    """

    def __init__(self) -> None:
        self.adapter: Adapter | None = None
        self.requests: list[WebhookRequest] = []
        self.rejected: list[str] = []
        self.receipts: list[Receipt] = []
        self.inbound: list[Inbound] = []
        self.refuse = 0
        self._changed = asyncio.Condition()
        self._server = HttpServer(self._serve)

    async def start(self) -> str:
        """Listen; returns `http://127.0.0.1:port`."""
        return await self._server.start("127.0.0.1", 0)

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()

    async def until(self, ready: Callable[[], bool], seconds: float = LONGEST) -> None:
        """Wait until `ready()` holds after some push. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(ready)

    def receive(self, request: WebhookRequest) -> WebhookReply:
        """Take one push."""
        self.requests.append(request)
        if self.refuse > 0:
            self.refuse -= 1
            return WebhookReply(500)
        assert self.adapter is not None
        try:
            self.adapter.verify(request)
            parsed = self.adapter.parse(request)
        except WebhookRejected as error:
            self.rejected.append(str(error))
            return WebhookReply(403)
        self.receipts.extend(parsed.receipts)
        self.inbound.extend(parsed.inbound)
        return parsed.reply

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        reply = self.receive(await read_request(scope, receive))
        headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
        headers.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        async with self._changed:
            self._changed.notify_all()


async def read_request(scope: dict[str, Any], receive: Any) -> WebhookRequest:
    """An ASGI request as the product's webhook route hands it to an adapter."""
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    return WebhookRequest(
        scope["method"],
        scope["path"],
        dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
        {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body,
        scope["client"][0] if scope.get("client") else "",
    )
