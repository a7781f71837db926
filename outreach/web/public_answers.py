"""What a verified visitor can do in return: confirm or decline, ask, rate, read the answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from outreach.db.pool import Connection
from outreach.errors import Conflict, InvalidInput
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.confirmations import answer_on_page, answers_of, find_matter, shown_text
from outreach.service.evidence import text_digest
from outreach.service.ratings import REASONS, rate_round
from outreach.service.surveys import surveys_of
from outreach.service.ticket_reads import own_tickets
from outreach.service.tickets import CLOCKS, NewTicket, clean_text, open_tickets
from outreach.service.visitors import Visit, find_visit, landing_of
from outreach.statements.access import find_session
from outreach.web.public_entry import cookie_name
from outreach.web.public_pages import Site, go, notice, page, require_own_page
from outreach.web.public_thanks import show_thanks, thank

_PUBLIC = {"x-permission": "public"}
_DONE = {"confirmed": "confirm_done_title", "survey": "thanks_text", "choices": "choices_saved"}
Text = Annotated[str, Form(max_length=4_000)]
Place = Annotated[int, Form(ge=0)]
"""Which of the households of the visit is meant, counted from 0."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One household's request to confirm as the page shows it; `seen` is the digest of its text."""

    name: str
    text: str
    seen: str
    is_open: bool
    last: dict[str, Any] | None


def add_answer_pages(router: APIRouter, site: Site, rt: Runtime) -> None:
    """GET /answers, POST /answers/confirm and /ask, GET and POST /answers/rate, GET /answers/thanks."""
    vault = open_vault(rt.settings)

    @router.get("/answers", openapi_extra=_PUBLIC)
    async def answers(request: Request, done: str = "") -> Response:
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
            if visit is None:
                return over(request, site)
            shown: dict[str, Any] = {
                "requests": await _requests(conn, visit),
                "surveys": await surveys_of(conn, visit),
                "households": visit.households,
                "tickets": await own_tickets(conn, vault, visit.person_id),
                "has_bill": (await landing_of(conn, visit.link))[1],
            }
        days = CLOCKS["question"]
        may_rate = visit.round_id is not None
        return page(
            request, site, "answers.html", **shown, days=days, may_rate=may_rate, done=_DONE.get(done)
        )

    @router.post("/answers/confirm", openapi_extra=_PUBLIC)
    async def confirm(request: Request, verdict: Text = "", seen: Text = "", n: Place = 0) -> Response:
        require_own_page(request)
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
            if visit is None:
                return over(request, site)
            try:
                await answer_on_page(conn, vault, visit, verdict, seen, n)
            except (Conflict, InvalidInput) as error:
                return page(request, site, "answer_refused.html", status=error.status, why=error.message)
        return go("/answers?done=confirmed")

    @router.post("/answers/ask", openapi_extra=_PUBLIC)
    async def ask(request: Request, text: Text = "", n: Place = 0) -> Response:
        require_own_page(request)
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
            if visit is None:
                return over(request, site)
            household = visit.household(n)
            wanted = NewTicket(
                "question",
                "page",
                household.org_id,
                clean_text(text),
                taxpayer_id=household.id,
                person_id=visit.person_id,
            )
            opened = await open_tickets(conn, vault, [wanted], "taxpayer")
        return thank(site, vault, "/answers/thanks", opened[0])

    @router.get("/answers/rate", openapi_extra=_PUBLIC)
    async def rate_page(request: Request) -> Response:
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
        if visit is None or visit.round_id is None:
            return over(request, site)
        return page(request, site, "rate.html", reasons=list(REASONS), households=visit.households)

    @router.post("/answers/rate", openapi_extra=_PUBLIC)
    async def rate(
        request: Request,
        stars: Annotated[int, Form(ge=1, le=5)],
        reasons: Annotated[Sequence[str], Form()] = (),
        note: Text = "",
        n: Place = 0,
    ) -> Response:
        require_own_page(request)
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
        if visit is None:
            return over(request, site)
        opened = await rate_round(rt, visit, n, stars, reasons, note[:1_000])
        return thank(site, vault, "/answers/thanks", opened)

    @router.get("/answers/thanks", openapi_extra=_PUBLIC)
    async def thanks(request: Request) -> Response:
        return show_thanks(request, site, vault, is_known=True)


async def visit_of(request: Request, site: Site, rt: Runtime, conn: Connection) -> Visit | None:
    """The visitor behind the cookie, while her visit lives."""
    session = await find_session(rt, request.cookies.get(cookie_name(site), ""))
    return await find_visit(conn, open_vault(rt.settings), session.token_hash) if session else None


def over(request: Request, site: Site) -> Response:
    """The visit is over, or there never was one."""
    return notice(request, site, "session_over_title", "answers_over", status=401)


async def _requests(conn: Connection, visit: Visit) -> list[Asked]:
    matter = await find_matter(conn, visit.campaign_id) if visit.campaign_id is not None else None
    if matter is None:
        return []
    found = []
    for household in visit.households:
        text = shown_text(matter, household)
        answers = await answers_of(conn, matter.campaign_id, household.id)
        found.append(
            Asked(household.name, text, text_digest(text), matter.is_open, answers[0] if answers else None)
        )
    return found
