"""Leaflets for everybody: a list of topics, one page each, the same as PDF. No household, no verification."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response

from outreach.clock import in_beijing
from outreach.runtime import Runtime
from outreach.statements.benefits import caveat_of
from outreach.statements.how_to import advice_of
from outreach.statements.leaflets import TOPICS, leaflet, render_leaflet, topics_in, until
from outreach.web.public_pages import HEADERS, Site, display_of, page

_PUBLIC = {"x-permission": "public"}


def add_leaflet_pages(router: APIRouter, site: Site, rt: Runtime) -> None:
    """GET /leaflets, /leaflet/{topic}, /leaflet/{topic}/pdf."""

    @router.get("/leaflets", openapi_extra=_PUBLIC)
    async def topics(request: Request) -> Response:
        month = await month_now(rt)
        shown = [(topic, TOPICS[topic][0]) for topic in topics_in(month)]
        return page(request, site, "leaflets.html", topics=shown, month=month)

    @router.get("/leaflet/{topic}", openapi_extra=_PUBLIC)
    async def one_topic(request: Request, topic: str) -> Response:
        one = leaflet(topic, await month_now(rt))
        rows = [(rule, advice_of(rule), until(rule), caveat_of(rule)) for rule in one.rules]
        return page(request, site, "leaflet.html", leaflet=one, rows=rows)

    @router.get("/leaflet/{topic}/pdf", openapi_extra=_PUBLIC)
    async def one_pdf(request: Request, topic: str) -> Response:
        one, display = leaflet(topic, await month_now(rt)), display_of(request)
        mongolian, large = display.language == "mn", display.size == "large"
        body = await asyncio.to_thread(render_leaflet, one, site.signature, mongolian=mongolian, large=large)
        name = f'attachment; filename="{topic}.pdf"'
        return Response(body, headers={**HEADERS, "Content-Disposition": name}, media_type="application/pdf")


async def month_now(rt: Runtime) -> int:
    """The current month (yyyymm) by business time."""
    here = in_beijing(await rt.now())
    return here.year * 100 + here.month
