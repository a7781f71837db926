"""A document as the taxpayer will see it, for those who answer for issuing: her page, names of persons
masked.

Each look stands in the audit chain.
"""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from outreach.errors import InvalidInput, NotFound
from outreach.governance.audit import append_audit
from outreach.governance.scope import require_scope
from outreach.governance.vault import open_vault
from outreach.registry.search import mask_name
from outreach.statements.documents import Document
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.tries import try_content
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.permissions import actor_of
from outreach.web.public_bill import show_document
from outreach.web.public_leaflets import month_now
from outreach.web.public_pages import Site
from outreach.web.reads.statements import find_document

routes = console_routes()
_NO_DIGEST = "0" * 64
_TRIED = "预览：这份文书还没有出具，编号和校验值在出具时才有。自然人姓名已遮盖。"
_ISSUED = "抽查：纳税人验证身份后看到的页面。自然人姓名已遮盖。"
_NOBODY = "没有这一户，或者它不在您的数据范围内。"


@routes.get("/statements/sample", permission="statement.write")
async def show_try(
    request: Request, kind: str, year: int, unit: int, household: int, reason: str = ""
) -> Response:
    """The document that a household would get."""
    rt, actor = runtime_of(request), actor_of(request)
    if kind not in DOCUMENT_KINDS or not 0 < household < 2**31:
        raise InvalidInput("请从核对页面打开样本。", field="kind")
    async with rt.db.begin() as conn:
        await require_scope(conn, actor, unit)
    content = await try_content(rt, kind, year, scope_org_id=unit, taxpayer_id=household, reason=reason[:200])
    if content is None:
        raise NotFound("这一户没有可告知的内容，或者它不在您的数据范围内。")
    async with rt.db.begin() as conn:
        detail = {"kind": kind, "year": year}
        await append_audit(conn, actor, "statement.preview", f"taxpayer:{household}", detail)
    content["issue"]["number"] = "出具时编号"
    return await _show(request, Document(0, household, kind, year, content, _NO_DIGEST), _TRIED)


@routes.get("/statements/documents/{statement_id}", permission="statement.write")
async def show_issued(request: Request, statement_id: int) -> Response:
    """A document that was issued."""
    if not 0 < statement_id < 2**63:
        raise NotFound(_NOBODY)
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        document = await find_document(conn, open_vault(rt.settings), actor, statement_id)
        detail = {"statement": statement_id}
        await append_audit(conn, actor, "statement.view", f"taxpayer:{document.taxpayer_id}", detail)
    return await _show(request, document, _ISSUED)


async def _show(request: Request, document: Document, note: str) -> Response:
    rt = runtime_of(request)
    settings = rt.settings
    site = Site(settings.signature, settings.base_url, settings.secure_cookies)
    content: dict[str, Any] = dict(document.content)
    payer = content["payer"]
    if payer["kind"] == "natural_person":
        content["payer"] = {**payer, "name": mask_name(payer["name"])}
    shown = Document(
        document.id, document.taxpayer_id, document.kind, document.year, content, document.digest
    )
    return show_document(request, site, shown, await month_now(rt), listed=(), n=0, preview=note)
