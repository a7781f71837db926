"""Which messages she gets: publicity can be refused by channel and topic, what the law demands cannot."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from outreach.labels.keys import TOPICS
from outreach.ledger.kinds import KINDS
from outreach.runtime import Runtime
from outreach.service.choices import CHOICES, choose, refused_by
from outreach.web.public_answers import over, visit_of
from outreach.web.public_pages import Site, go, page, require_own_page

_PUBLIC = {"x-permission": "public"}


def add_choice_pages(router: APIRouter, site: Site, rt: Runtime) -> None:
    """GET and POST /answers/choices."""

    @router.get("/answers/choices", openapi_extra=_PUBLIC)
    async def show(request: Request) -> Response:
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
            if visit is None or visit.person_id is None:
                return over(request, site)
            refused = await refused_by(conn, visit.person_id)
        channels = [name for name in CHOICES if name not in TOPICS]
        return page(request, site, "choices.html", channels=channels, topics=topic_kinds(), refused=refused)

    @router.post("/answers/choices", openapi_extra=_PUBLIC)
    async def save(request: Request, refused: Annotated[Sequence[str], Form()] = ()) -> Response:
        require_own_page(request)
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
            if visit is None or visit.person_id is None:
                return over(request, site)
            await choose(conn, visit.person_id, refused)
        return go("/answers?done=choices")


def topic_kinds() -> dict[str, list[str]]:
    """The topics, each with the names of its kinds of message."""
    return {topic: [kind.name for kind in KINDS.values() if kind.topic == topic] for topic in TOPICS}
