"""Pages for everybody: is it genuine, why did I get this, privacy, stop these messages."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from outreach.runtime import Runtime
from outreach.statements.access import find_session, note_miss
from outreach.statements.documents import check_digest
from outreach.web.public_answers_choices import topic_kinds
from outreach.web.public_entry import cookie_name, remote_of, slow_down
from outreach.web.public_pages import Site, display_of, go, notice, page, words
from outreach.web.public_privacy import notice_parts
from outreach.web.public_types import InfoDeps

_PUBLIC = {"x-permission": "public"}
Code = Annotated[str, Form(max_length=80)]


def add_info_pages(router: APIRouter, site: Site, rt: Runtime, deps: InfoDeps) -> None:
    """/check, /why, /privacy, /stop, /u/{token} and /stopped."""
    _add_check(router, site, rt, deps)
    _add_why(router, site, rt, deps)
    _add_stop(router, site, deps)

    @router.get("/privacy", openapi_extra=_PUBLIC)
    async def privacy(request: Request) -> Response:
        w = words(display_of(request).language)
        lead = w["privacy_lead"].format(bureau=rt.settings.signature)
        return page(request, site, "privacy.html", lead=lead, parts=notice_parts(rt.settings, w))


def _add_check(router: APIRouter, site: Site, rt: Runtime, deps: InfoDeps) -> None:
    @router.get("/check", openapi_extra=_PUBLIC)
    async def check_page(request: Request, d: str = "") -> Response:
        # The address in the code of a printed statement; a digest of 256 bits cannot be guessed.
        document = await check_digest(rt, d) if d else None
        return page(
            request, site, "check.html", document=document, by_digest=bool(d), proof=None, asked=False
        )

    @router.post("/check", openapi_extra=_PUBLIC)
    async def check(request: Request, code: Code = "") -> Response:
        wanted = _normal(code)
        await slow_down(rt, remote_of(request))
        proof = await deps.check_message(wanted) if wanted else None
        if proof is None and wanted:
            await note_miss(rt, remote_of(request))
        return page(
            request, site, "check.html", document=None, by_digest=False, proof=proof, asked=bool(wanted)
        )


def _add_why(router: APIRouter, site: Site, rt: Runtime, deps: InfoDeps) -> None:
    @router.get("/why", openapi_extra=_PUBLIC)
    async def why_page(request: Request) -> Response:
        # Who has an open visit need not type the code of the message that brought her.
        visit = await find_session(rt, request.cookies.get(cookie_name(site), ""))
        found = await deps.explain_visit(visit.token_hash) if visit and deps.explain_visit else None
        return page(request, site, "why.html", found=found, asked=False)

    @router.post("/why", openapi_extra=_PUBLIC)
    async def why(request: Request, code: Code = "") -> Response:
        wanted = _normal(code)
        await slow_down(rt, remote_of(request))
        found = await deps.explain_message(wanted) if wanted else None
        if found is None and wanted:
            await note_miss(rt, remote_of(request))
        return page(request, site, "why.html", found=found, asked=bool(wanted))


def _add_stop(router: APIRouter, site: Site, deps: InfoDeps) -> None:
    @router.get("/u/{token}", openapi_extra=_PUBLIC)
    async def stop_page(request: Request, token: str) -> Response:
        return page(request, site, "stop.html")

    @router.post("/u/{token}", openapi_extra=_PUBLIC)
    async def stop(request: Request, token: str) -> Response:
        # RFC 8058 section 3.1: the mail program posts this body and wants no page, no cookie, no redirect.
        form = await request.form()
        one_click = form.get("List-Unsubscribe") == "One-Click"
        only_topic = not one_click and form.get("only") == "topic"
        how = "one-click" if one_click else "topic" if only_topic else "page"
        await deps.stop_messages(token[:200], how)
        if one_click:
            return Response(status_code=204)
        return go("/stopped")

    @router.get("/stop", openapi_extra=_PUBLIC)
    async def how_to_stop(request: Request) -> Response:
        return page(request, site, "stop_how.html", topics=topic_kinds())

    @router.get("/stopped", openapi_extra=_PUBLIC)
    async def stopped(request: Request) -> Response:
        return notice(request, site, "stopped_title", "stopped_text")


def _normal(code: str) -> str:
    """As people copy it: spaces and brackets fall away, case does not matter."""
    return "".join(character for character in code if character.isascii() and character.isalnum()).upper()
