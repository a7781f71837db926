"""A document to the visitor's own mailbox: only after the identity check, only to her address on file."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from outreach.errors import Unavailable
from outreach.runtime import Runtime
from outreach.statements.mailing import allow_mail, begin_proof, find_mailbox, prove
from outreach.web.public_bill import open_document, set_pdf, visit_over
from outreach.web.public_entry import remote_of
from outreach.web.public_pages import Site, go, notice, page, require_own_page
from outreach.web.public_types import Mailing, PdfMail

_PUBLIC = {"x-permission": "public"}
Place = Annotated[int, Form(ge=0)]


def add_mail_pages(router: APIRouter, site: Site, rt: Runtime, mailing: Mailing | None) -> None:
    """GET and POST /statement/mail, POST /statement/mail/code and /statement/mail/verify."""

    @router.get("/statement/mail", openapi_extra=_PUBLIC)
    async def show(request: Request, n: int = 0) -> Response:
        opened = await open_document(request, site, rt, n, None)
        if opened is None:
            return visit_over(request, site)
        mailbox = await find_mailbox(rt, opened.session) if mailing else None
        step = request.query_params.get("step", "")
        return page(request, site, "mail.html", n=n, mailbox=mailbox, step=step)

    @router.post("/statement/mail/code", openapi_extra=_PUBLIC)
    async def ask(request: Request, n: Place = 0) -> Response:
        require_own_page(request)
        opened = await open_document(request, site, rt, n, None)
        mailbox = await find_mailbox(rt, opened.session) if opened and mailing else None
        if mailbox is None or mailing is None:
            return visit_over(request, site)
        code = await begin_proof(rt, mailbox)
        if code is None:
            return _used_up(request, site, n)
        try:
            sent = await mailing.code(mailbox.person_id, code)
        except Unavailable:
            sent = False
        return go(f"/statement/mail?n={n}&step=code") if sent else _unsent(request, site, n)

    @router.post("/statement/mail/verify", openapi_extra=_PUBLIC)
    async def verify(
        request: Request, code: Annotated[str, Form(max_length=40)] = "", n: Place = 0
    ) -> Response:
        require_own_page(request)
        opened = await open_document(request, site, rt, n, None)
        mailbox = await find_mailbox(rt, opened.session) if opened else None
        if mailbox is None:
            return visit_over(request, site)
        proved = await prove(rt, mailbox, code)
        return go(f"/statement/mail?n={n}" + ("" if proved else "&step=again"))

    @router.post("/statement/mail", openapi_extra=_PUBLIC)
    async def send(request: Request, n: Place = 0) -> Response:
        require_own_page(request)
        opened = await open_document(request, site, rt, n, None)
        mailbox = await find_mailbox(rt, opened.session) if opened and mailing else None
        if opened is None or mailbox is None or mailing is None:
            return visit_over(request, site)
        session, chosen = opened.session, opened.document
        async with rt.db.begin() as conn:
            if not await allow_mail(conn, session, mailbox, chosen, remote_of(request)):
                return _used_up(request, site, n)
        body = await set_pdf(request, site, chosen)
        number = chosen.content["issue"]["number"]
        try:
            sent = await mailing.document(mailbox.person_id, PdfMail(number, chosen.digest, body))
        except Unavailable:
            sent = False
        return go(f"/statement/mail?n={n}&step=sent") if sent else _unsent(request, site, n)


def _used_up(request: Request, site: Site, n: int) -> Response:
    back = f"/statement?n={n}"
    return notice(request, site, "mail_title", "mail_used_up", status=429, back=back)


def _unsent(request: Request, site: Site, n: int) -> Response:
    back = f"/statement?n={n}"
    return notice(request, site, "mail_title", "mail_unsent", status=503, back=back)
