"""The statement itself, after verification: page, PDF, picture to share, rating, leaving."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from outreach.runtime import Runtime
from outreach.statements.access import end_session, record_access
from outreach.statements.documents import Document, Opened, open_visit
from outreach.statements.pdf import check_address, render_pdf
from outreach.web.public_entry import cookie_name, remote_of, set_session
from outreach.web.public_leaflets import month_now
from outreach.web.public_pages import (
    HEADERS,
    Site,
    display_of,
    drawing,
    go,
    notice,
    page,
    require_own_page,
    words,
)
from outreach.web.public_qr import check_codes, draw_code, qr_path
from outreach.web.public_types import Rating
from outreach.web.public_view import bill_view, document_view

Rate = Callable[[Rating], Awaitable[None]]
_PUBLIC = {"x-permission": "public"}


def add_bill_pages(
    router: APIRouter, site: Site, rt: Runtime, rate: Rate, *, offers_mail: bool = False
) -> None:
    """GET /statement, .pdf, /statement/share, /statement/share.svg; POST /statement/rate, /statement/end."""

    @router.get("/statement", openapi_extra=_PUBLIC)
    async def statement(request: Request, n: int | None = None) -> Response:
        opened = await open_document(request, site, rt, n, "viewed")
        if opened is None:
            return visit_over(request, site)
        return show_document(
            request, site, opened.document, await month_now(rt), listed=opened.listed, n=opened.place,
            rated="rated" in request.query_params, wechat=opened.offers_wechat, mail=offers_mail,
        )  # fmt: skip

    @router.get("/statement.pdf", openapi_extra=_PUBLIC)
    async def pdf(request: Request, n: int = 0) -> Response:
        opened = await open_document(request, site, rt, n, "downloaded")
        if opened is None:
            return visit_over(request, site)
        chosen = opened.document
        body = await set_pdf(request, site, chosen)
        name = f'attachment; filename="{chosen.content["issue"]["number"]}.pdf"'
        return Response(body, headers={**HEADERS, "Content-Disposition": name}, media_type="application/pdf")

    @router.get("/statement/share", openapi_extra=_PUBLIC)
    async def share(request: Request, n: int = 0) -> Response:
        opened = await open_document(request, site, rt, n, None)
        return page(request, site, "share.html", n=n) if opened else visit_over(request, site)

    @router.get("/statement/share.svg", openapi_extra=_PUBLIC)
    async def picture(request: Request, n: int = 0) -> Response:
        # No name, no amount, no number: what she shares shows nothing that is hers alone.
        opened = await open_document(request, site, rt, n, None)
        if opened is None:
            return visit_over(request, site)
        w, document = words(display_of(request).language), opened.document
        title = w[f"title_{document.kind}"].format(year=document.year)
        return drawing(site, "share.svg", w=w, title=title, qr=qr_path(f"{site.base_url}/leaflets"))

    @router.post("/statement/rate", openapi_extra=_PUBLIC)
    async def rate_it(
        request: Request, stars: Annotated[int, Form(ge=0, le=5)] = 0, n: Annotated[int, Form(ge=0)] = 0
    ) -> Response:
        require_own_page(request)
        if not stars:
            return notice(request, site, "wrong_title", "choose_rating", status=400, back=f"/statement?n={n}")
        opened = await open_document(request, site, rt, n, None)
        if opened is None:
            return visit_over(request, site)
        await rate(Rating(opened.document.taxpayer_id, opened.document.id, stars))
        return go(f"/statement?n={n}&rated=1#rate")

    @router.post("/statement/end", openapi_extra=_PUBLIC)
    async def end(request: Request) -> Response:
        require_own_page(request)
        await end_session(rt, request.cookies.get(cookie_name(site), ""), remote_of(request))
        answer = go("/statement/left")
        set_session(answer, site, "")
        return answer

    @router.get("/statement/left", openapi_extra=_PUBLIC)
    async def left(request: Request) -> Response:
        return notice(request, site, "left_title", "left_text")


def show_document(request: Request, site: Site, shown: Document, month: int, **context: Any) -> Response:
    """The page of a document as it reads in a month (yyyymm). `context` tells what may be done with it
    (`listed` and `n`: which of them it is; `rated`, `wechat`, `mail`), or is a `preview`, a note to staff who
    look at it."""
    w, codes = words(display_of(request).language), check_codes(check_address(site.base_url, ""))
    name = "withdrawn" if "withdrawn" in shown.content else shown.kind
    return page(
        request, site, f"{name}.html", view=document_view(shown, w, month), bill=bill_view(shown, w),
        document=shown,
        check_address=check_address(site.base_url, shown.digest), qr=draw_code(codes, shown.digest),
        **context,
    )  # fmt: skip


async def open_document(
    request: Request, site: Site, rt: Runtime, n: int | None, event: str | None
) -> Opened | None:
    """The visit with the n-th of its documents, or that of its message, recorded; None when it is over."""
    opened = await open_visit(rt, request.cookies.get(cookie_name(site), ""), n)
    if opened is not None and event is not None:
        shown = opened.document
        await record_access(rt.db, opened.session, event, remote_of(request), shown.taxpayer_id, shown.id)
    return opened


async def set_pdf(request: Request, site: Site, chosen: Document) -> bytes:
    """The PDF as this visitor reads: with Mongolian beside the Chinese and in large print, if her page is."""
    display = display_of(request)
    mongolian, large = display.language == "mn", display.size == "large"
    return await asyncio.to_thread(
        render_pdf, chosen.content, chosen.digest, site.base_url, mongolian=mongolian, large=large
    )


def visit_over(request: Request, site: Site) -> Response:
    """The visit has ended; its link begins another."""
    return notice(request, site, "session_over_title", "session_over_text", status=401)
