"""吐槽台: what people speak of, by topic, and what waits to be shown."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from outreach.service.wall import TOPICS, to_review, topic_counts
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.permissions import actor_of

routes = console_routes()


@routes.get("/service/wall", permission="report.read")
async def show(request: Request) -> HTMLResponse:
    """Counts for whoever reads reports; the entries themselves for those who answer."""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        counts = await topic_counts(conn, actor)
        waiting = await to_review(conn, actor) if actor.may("service.read") else []
    return page(
        request, "wall.html", place="service", title="吐槽台", counts=counts, waiting=waiting, topics=TOPICS
    )
