"""The taxpayers' pages: wired from a runtime and from what other areas can do for them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from outreach.errors import NotFound
from outreach.runtime import Runtime
from outreach.web.public_answers import add_answer_pages
from outreach.web.public_answers_choices import add_choice_pages
from outreach.web.public_answers_places import add_place_pages
from outreach.web.public_answers_surveys import add_survey_pages
from outreach.web.public_bill import add_bill_pages
from outreach.web.public_binding import add_binding_pages
from outreach.web.public_entry import add_entry_pages
from outreach.web.public_info import add_info_pages
from outreach.web.public_leaflets import add_leaflet_pages
from outreach.web.public_mail import add_mail_pages
from outreach.web.public_pages import FOLDER, HEADERS, STATIC, Site, public_route
from outreach.web.public_types import Binding, Explanation, Mailing, MessageProof, Rating
from outreach.web.public_wall import add_wall_pages


@dataclass(frozen=True, slots=True)
class PublicDeps:
    """What the pages need. All callables are awaited without an open transaction.

    send_code        (person id, code, expiry): send a one-time code to her phone of record
    check_message    (code at the end of a message): when, which bureau, which kind; None when there is none
    explain_message  (the same code): purpose, legal basis and the sentence that explains it; None likewise
    explain_visit    (link of a verified visit, as its hash): the same with the rule of the round that brought
                     her; None when no message did
    stop_messages    (token of the unsubscribe link, 'page', 'one-click' or 'topic'): record the opt-out
                     of all publicity by that channel, or of the message's topic only; an unknown token is
                     ignored in silence
    rate             (rating of a statement): hand it to the service desk
    binding          reminders on WeChat; None: not offered
    mailing          documents by e-mail; None: not offered
    """

    rt: Runtime
    send_code: Callable[[int, str, datetime], Awaitable[None]]
    check_message: Callable[[str], Awaitable[MessageProof | None]]
    explain_message: Callable[[str], Awaitable[Explanation | None]]
    stop_messages: Callable[[str, str], Awaitable[None]]
    rate: Callable[[Rating], Awaitable[None]]
    binding: Binding | None = None
    mailing: Mailing | None = None
    explain_visit: Callable[[bytes], Awaitable[Explanation | None]] | None = None


def make_public_router(deps: PublicDeps) -> APIRouter:
    """All pages for taxpayers; every route declares the permission `public`."""
    settings = deps.rt.settings
    site = Site(settings.signature, settings.base_url, settings.secure_cookies)
    router = APIRouter(route_class=public_route(site), include_in_schema=False)
    add_entry_pages(router, site, deps.rt, deps.send_code)
    add_bill_pages(router, site, deps.rt, deps.rate, offers_mail=deps.mailing is not None)
    add_mail_pages(router, site, deps.rt, deps.mailing)
    add_info_pages(router, site, deps.rt, deps)
    add_leaflet_pages(router, site, deps.rt)
    add_answer_pages(router, site, deps.rt)
    add_place_pages(router, site, deps.rt)
    add_survey_pages(router, site, deps.rt)
    add_choice_pages(router, site, deps.rt)
    add_wall_pages(router, site, deps.rt)
    if deps.binding is not None:
        add_binding_pages(router, site, deps.rt, deps.binding)
    router.add_api_route("/public/{name}", _static, openapi_extra={"x-permission": "public"})
    return router


async def _static(name: str) -> Response:
    kind = STATIC.get(name)
    if kind is None:
        raise NotFound("没有这个文件。")
    headers: dict[str, Any] = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(FOLDER / "static" / name, media_type=kind, headers=headers)
