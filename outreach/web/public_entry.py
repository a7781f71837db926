"""From the link in a message, or from a number typed by who has none, to a verified visit.

Before the code is right, nothing tells a live link from a dead one, or a known number from another: the pages
are the same and are made without looking the link up; what is looked up on a POST is answered in the same
words after the same time.
A GET never counts: link previewers and mail scanners fetch addresses, they do not press buttons.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.background import BackgroundTask

from outreach.errors import TooMany
from outreach.governance.vault import open_vault
from outreach.logs import get_log
from outreach.runtime import Runtime
from outreach.service.visitors import landing_of, reading_of
from outreach.statements.access import (
    SESSION_SECONDS,
    CodeToSend,
    ask_code,
    count_tries,
    enter_code,
    note_stop,
)
from outreach.statements.by_number import begin_by_number, plain_number
from outreach.statements.links import token_hash
from outreach.web.public_pages import READING, Site, go, page, require_own_page

SendCode = Callable[[int, str, datetime], Awaitable[None]]
ANSWER_SECONDS = 0.25
"""Every answer to a POST waits until so long after its request: longer than the work takes."""
TRIES_TO_SLOW, TRIES_TO_STOP = 60, 200
"""Tries per network and minute that did not end in a verified visit: above the first every try waits, above
the second it is refused. Live links count like unknown ones, or being slowed would tell which is which."""
_SLOW_SECONDS = 10.0
_PUBLIC = {"x-permission": "public"}


def cookie_name(site: Site) -> str:
    """`__Host-` binds the cookie to this host over HTTPS; browsers refuse the prefix over plain HTTP."""
    return "__Host-statement" if site.secure else "statement"


def remote_of(request: Request) -> str:
    """The visitor's address, as the server (or the trusted proxy before it) gives it."""
    return request.client.host if request.client else ""


def add_entry_pages(router: APIRouter, site: Site, rt: Runtime, send_code: SendCode) -> None:
    """GET /t/{token}, POST /t/{token}/code, POST /t/{token}/verify, GET and POST /find."""

    @router.get("/t/{token}", openapi_extra=_PUBLIC)
    async def entry(request: Request, token: str) -> Response:
        step = request.query_params.get("step")
        template = "code.html" if step in ("code", "again") else "entry.html"
        return page(request, site, template, token=_shown(token), failed=step == "again")

    @router.post("/t/{token}/code", openapi_extra=_PUBLIC)
    async def ask(request: Request, token: str) -> Response:
        started = time.monotonic()
        await slow_down(rt, remote_of(request))
        to_send = await ask_code(rt, token, remote_of(request))
        await _wait_until(started + ANSWER_SECONDS)
        # After the answer: how long the gateway takes must not tell whether there was anything to send.
        return go(f"/t/{_shown(token)}?step=code", background=BackgroundTask(_send, send_code, to_send))

    @router.post("/t/{token}/verify", openapi_extra=_PUBLIC)
    async def verify(
        request: Request, token: str, code: Annotated[str, Form(max_length=40)] = ""
    ) -> Response:
        started = time.monotonic()
        await slow_down(rt, remote_of(request))
        secret = await enter_code(rt, token, code, remote_of(request))
        await _wait_until(started + ANSWER_SECONDS)
        if secret is None:
            return go(f"/t/{_shown(token)}?step=again")
        async with rt.db.begin() as conn:
            link = token_hash(open_vault(rt.settings), token)
            begins, _ = await landing_of(conn, link)
            reading = await reading_of(conn, link)
        answer = go("/answers" if begins else "/statement")
        set_session(answer, site, secret, f"{reading.language}.{reading.size}")
        return answer

    @router.get("/find", openapi_extra=_PUBLIC)
    async def find_page(request: Request) -> Response:
        return page(request, site, "find.html", failed=False)

    @router.post("/find", openapi_extra=_PUBLIC)
    async def find(request: Request, number: Annotated[str, Form(max_length=80)] = "") -> Response:
        require_own_page(request)
        started = time.monotonic()
        await slow_down(rt, remote_of(request))
        wanted = plain_number(number)
        if not wanted:
            return page(request, site, "find.html", status=400, failed=True)
        token = await begin_by_number(rt, wanted, remote_of(request))
        to_send = await ask_code(rt, token, remote_of(request))
        await _wait_until(started + ANSWER_SECONDS)
        return go(f"/t/{token}?step=code", background=BackgroundTask(_send, send_code, to_send))


def set_session(response: RedirectResponse, site: Site, secret: str, reading: str = "") -> None:
    """The cookies of a verified visit: its secret, and how its visitor reads by what is on record, which ends
    with the visit. An empty secret deletes both."""
    for name, value in ((cookie_name(site), secret), (READING, reading)):
        response.set_cookie(
            name,
            value,
            max_age=SESSION_SECONDS if value else 0,
            path="/",
            httponly=True,
            samesite="strict",
            secure=site.secure,
        )


async def slow_down(rt: Runtime, remote: str) -> None:
    """Make guessing dear for a network that tries many links. Raises TooMany for very many."""
    tries = await count_tries(rt, remote)
    if tries > TRIES_TO_STOP:
        await note_stop(rt, remote)
        raise TooMany("尝试次数过多，请一分钟后再试。", seconds=60)
    if tries > TRIES_TO_SLOW:
        await asyncio.sleep(_SLOW_SECONDS)


async def _send(send_code: SendCode, to_send: CodeToSend | None) -> None:
    if to_send is None:
        return
    try:
        await send_code(to_send.person_id, to_send.code, to_send.expires_at)
    except Exception as error:
        # She sees the usual words and may ask again; staff see that codes do not leave.
        get_log().error("code.unsent", kind=type(error).__name__)


async def _wait_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


def _shown(token: str) -> str:
    # What is not a token is not repeated into an address or a page.
    return token if token.isascii() and token.isalnum() and len(token) <= 32 else "-"
