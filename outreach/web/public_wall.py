"""吐槽台: what was said about the service and answered, and the page to say it.

Who has verified writes under her name, which staff see and nobody else; who comes by the code of a place
writes without one. What one network may post is limited for both.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.places import Place, find_place
from outreach.service.tickets import CLOCKS, NewTicket, clean_text
from outreach.service.visitors import Visit
from outreach.service.wall import PAGE, TOPICS, leave_feedback, published_entries
from outreach.web.public_answers import over, visit_of
from outreach.web.public_answers_places import count_post
from outreach.web.public_pages import Site, page
from outreach.web.public_thanks import thank

_PUBLIC = {"x-permission": "public"}
_LARGEST = 2**63 - 1


def add_wall_pages(router: APIRouter, site: Site, rt: Runtime) -> None:
    """GET /wall, GET and POST /wall/write."""
    vault = open_vault(rt.settings)

    @router.get("/wall", openapi_extra=_PUBLIC)
    async def wall(request: Request, topic: str = "", before: str = "") -> Response:
        chosen = topic if topic in TOPICS else ""
        last = min(int(before), _LARGEST) if before.isascii() and before.isdecimal() else 0
        async with rt.db.begin() as conn:
            entries = await published_entries(conn, chosen, last)
        more = {"topic": chosen, "before": entries[-1].id} if len(entries) == PAGE else {}
        earlier, topics = urlencode(more), list(TOPICS)
        return page(request, site, "wall.html", entries=entries, topics=topics, topic=chosen, earlier=earlier)

    @router.get("/wall/write", openapi_extra=_PUBLIC)
    async def write(request: Request, place: str = "") -> Response:
        async with rt.db.begin() as conn:
            at = await find_place(conn, place) if place else None
            visit = None if at else await visit_of(request, site, rt, conn)
        households = visit.households if visit else []
        days, topics = CLOCKS["feedback"], list(TOPICS)
        return page(
            request, site, "wall_write.html", place=at, households=households, topics=topics, days=days
        )

    @router.post("/wall/write", openapi_extra=_PUBLIC)
    async def send(
        request: Request,
        text: Annotated[str, Form(max_length=4_000)] = "",
        topic: Annotated[str, Form(max_length=20)] = "",
        may_publish: Annotated[str, Form(max_length=10)] = "",
        place: Annotated[str, Form(max_length=20)] = "",
        n: Annotated[int, Form(ge=0)] = 0,
    ) -> Response:
        await count_post(request, rt)
        plain = clean_text(text)
        async with rt.db.begin() as conn:
            at = await find_place(conn, place) if place else None
            visit = None if at else await visit_of(request, site, rt, conn)
            if at is not None:
                wanted = _of_place(at, plain)
            elif visit is not None:
                wanted = _of_visit(visit, n, plain)
            else:
                return over(request, site)
            opened = await leave_feedback(conn, vault, wanted, topic, may_publish=may_publish == "yes")
        return thank(site, vault, "/thanks" if at else "/answers/thanks", opened)


def _of_place(place: Place, text: str) -> NewTicket:
    return NewTicket("feedback", "scan", place.org_id, text, place_id=place.id)


def _of_visit(visit: Visit, n: int, text: str) -> NewTicket:
    household = visit.household(n)
    return NewTicket(
        "feedback", "page", household.org_id, text, taxpayer_id=household.id, person_id=visit.person_id
    )
