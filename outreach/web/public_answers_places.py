"""“不满意，请扫我”: complain of and rate a hall, a window or a person, and look a ticket up. No log-in, but
what one network may post is limited."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.places import find_place, note_post
from outreach.service.ratings import REASONS, rate_place
from outreach.service.ticket_reads import ticket_of_number
from outreach.service.tickets import NewTicket, clean_text, open_tickets
from outreach.statements.access import network_of, note_miss
from outreach.web.public_entry import remote_of, slow_down
from outreach.web.public_pages import Site, page, require_own_page
from outreach.web.public_thanks import show_thanks, thank

_PUBLIC = {"x-permission": "public"}
Text = Annotated[str, Form(max_length=4_000)]


def add_place_pages(router: APIRouter, site: Site, rt: Runtime) -> None:
    """GET /p/{token}, POST /p/{token}/complain and /rate, GET /thanks, GET and POST /ticket."""
    vault = open_vault(rt.settings)

    @router.get("/p/{token}", openapi_extra=_PUBLIC)
    async def place_page(request: Request, token: str) -> Response:
        async with rt.db.begin() as conn:
            place = await find_place(conn, token)
        return page(request, site, "place.html", place=place, reasons=list(REASONS))

    @router.post("/p/{token}/complain", openapi_extra=_PUBLIC)
    async def complain(request: Request, token: str, text: Text = "", contact: Text = "") -> Response:
        await count_post(request, rt)
        async with rt.db.begin() as conn:
            place = await find_place(conn, token)
            wanted = NewTicket(
                "complaint",
                "scan",
                place.org_id,
                clean_text(text),
                contact.strip()[:60],
                place_id=place.id,
            )
            opened = await open_tickets(conn, vault, [wanted], "taxpayer")
        return thank(site, vault, "/thanks", opened[0])

    @router.post("/p/{token}/rate", openapi_extra=_PUBLIC)
    async def rate(
        request: Request,
        token: str,
        stars: Annotated[int, Form(ge=1, le=5)],
        reasons: Annotated[Sequence[str], Form()] = (),
        note: Text = "",
        contact: Text = "",
    ) -> Response:
        await count_post(request, rt)
        async with rt.db.begin() as conn:
            place = await find_place(conn, token)
        opened = await rate_place(rt, place, stars, reasons, note[:1_000], contact.strip()[:60])
        return thank(site, vault, "/thanks", opened)

    @router.get("/thanks", openapi_extra=_PUBLIC)
    async def thanks(request: Request) -> Response:
        return show_thanks(request, site, vault, is_known=False)

    @router.get("/ticket", openapi_extra=_PUBLIC)
    async def ticket_page(request: Request) -> Response:
        return page(request, site, "ticket.html", one=None, asked=False, is_private=False)

    @router.post("/ticket", openapi_extra=_PUBLIC)
    async def ticket(request: Request, number: Text = "") -> Response:
        await slow_down(rt, remote_of(request))
        wanted = "".join(letter for letter in number if letter.isascii() and letter.isalnum()).upper()
        async with rt.db.begin() as conn:
            one = await ticket_of_number(conn, vault, wanted)
        if one is None:
            await note_miss(rt, remote_of(request))
        return page(
            request, site, "ticket.html", one=one, asked=True, is_private=one is not None and one.is_private
        )


async def count_post(request: Request, rt: Runtime) -> None:
    """Count a post that needs no log-in. Raises TooMany for a network that floods, NotAllowed from another
    site."""
    # In a transaction of its own: a post that is refused later counts too.
    require_own_page(request)
    async with rt.db.begin() as conn:
        await note_post(conn, network_of(remote_of(request)))
