"""Pushes of the providers: bytes in, everything durable, then the provider's own answer."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response

from channels.base import WebhookReply, WebhookRequest
from outreach.governance.actor import Actor
from outreach.web.permissions import PUBLIC, Routes

AcceptPush = Callable[[int, str, WebhookRequest], Awaitable[WebhookReply]]
"""(gateway id, secret of the path, request): verified, parsed and appended when it returns."""


def webhook_router(accept: AcceptPush) -> APIRouter:
    """`/hooks/{gateway}/{secret}/…`: the secret and the provider's signature stand in for a log-in. Bodies
    are limited to 1 MiB before they are read (middleware)."""
    routes = Routes(_nobody, prefix="/hooks", include_in_schema=False)

    async def push(request: Request, gateway_id: int, secret: str, rest: str = "") -> Response:
        reply = await accept(gateway_id, secret, await _request_of(request, rest))
        return Response(reply.body, reply.status, dict(reply.headers))

    # Some providers check an address by GET before they push to it by POST.
    for path in ("/{gateway_id}/{secret}", "/{gateway_id}/{secret}/{rest:path}"):
        routes.get(path, permission=PUBLIC)(push)
        routes.post(path, permission=PUBLIC)(push)
    return routes.router


async def _request_of(request: Request, rest: str) -> WebhookRequest:
    return WebhookRequest(
        method=request.method,
        path=f"/{rest}",
        query=dict(request.query_params),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.body(),
        remote=request.client.host if request.client else "",
    )


async def _nobody(_: Request) -> Actor:
    raise NotImplementedError("pushes are public")
