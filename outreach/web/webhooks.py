"""Pushes of the providers: bytes in, everything durable, then the provider's own answer."""

import re
from collections.abc import Awaitable, Callable

import psycopg
from fastapi import APIRouter, Request
from fastapi.responses import Response

from channels.base import WebhookReply, WebhookRequest
from outreach.errors import NotFound, Unavailable
from outreach.governance.actor import Actor
from outreach.web.permissions import PUBLIC, Routes

_NUMBER = re.compile(r"[1-9][0-9]{0,4}")

AcceptPush = Callable[[int, str, WebhookRequest], Awaitable[WebhookReply]]
"""(gateway id, secret of the path, request): verified, parsed and appended when it returns."""


def webhook_router(accept: AcceptPush) -> APIRouter:
    """`/hooks/{gateway}/{secret}/…`: the secret and the provider's signature stand in for a log-in. Bodies
    are limited to 1 MiB before they are read (middleware)."""
    routes = Routes(_nobody, prefix="/hooks", include_in_schema=False)

    async def push(request: Request, gateway_id: str, secret: str) -> Response:
        if not _NUMBER.fullmatch(gateway_id):
            raise NotFound("没有这个回调地址")
        try:
            reply = await accept(int(gateway_id), secret, await _request_of(request))
        except (psycopg.Error, ConnectionError) as error:
            # Not durable, so not taken: with 503 the provider repeats it.
            raise Unavailable("暂时无法保存回执，请稍后重推。", seconds=5) from error
        return Response(reply.body, reply.status, dict(reply.headers))

    # Some providers check an address by GET before they push to it by POST.
    for path in ("/{gateway_id}/{secret}", "/{gateway_id}/{secret}/{rest:path}"):
        routes.get(path, permission=PUBLIC)(push)
        routes.post(path, permission=PUBLIC)(push)
    return routes.router


async def _request_of(request: Request) -> WebhookRequest:
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return WebhookRequest(
        method=request.method,
        # As it came, percent signs included: signatures and providers' ids stand in it.
        path=raw.decode("latin-1"),
        query=dict(request.query_params),
        headers={
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw
        },
        body=await request.body(),
        remote=request.client.host if request.client else "",
    )


async def _nobody(_: Request) -> Actor:
    raise NotImplementedError("pushes are public")
