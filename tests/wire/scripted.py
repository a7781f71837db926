"""A gateway that answers by script, and the pushes of providers that prove them by a secret in their path."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import orjson

from channels.base import WebhookRequest
from channels.gateways.http_server import HttpServer

from .hooks import read_request

SECRET = "s3cr3tPathSegment0001"


class ScriptedGateway:
    """Answers each request with the next scripted (status, body), the last one for ever, and keeps them."""

    def __init__(self, script: Sequence[tuple[int, bytes | Mapping[str, Any]]]) -> None:
        self.requests: list[WebhookRequest] = []
        self._script = list(script)
        self._server = HttpServer(self._serve)

    async def __aenter__(self) -> "ScriptedGateway":
        self.url = await self._server.start("127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    def params(self, number: int = 0) -> dict[str, Any]:
        """Query and body of a request, be it a form or JSON."""
        request = self.requests[number]
        if request.headers.get("content-type", "").startswith("application/json"):
            return {**request.query, **orjson.loads(request.body)}
        return {**request.query, **dict(parse_qsl(request.body.decode(), keep_blank_values=True))}

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.requests.append(await read_request(scope, receive))
        status, body = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def push(body: bytes | object, what: str = "report", **changes: Any) -> WebhookRequest:
    """A push as the provider sends it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    settings: dict[str, Any] = {"method": "POST", "path": f"/hooks/7/{SECRET}/{what}", **changes}
    return WebhookRequest(query={}, headers={"content-type": "application/json"}, body=raw, **settings)
