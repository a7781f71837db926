"""确认与证据: what campaigns of the kind 确认请求 ask, the answers, the evidence as a file, and its check."""

from datetime import date, datetime, time, timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile

from outreach.clock import BEIJING
from outreach.errors import InvalidInput, NotAllowed, OutreachError
from outreach.governance.audit import append_audit
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.confirmations import (
    VERDICTS,
    compare_evidence,
    find_matter,
    publish_matter,
    read_evidence,
)
from outreach.service.evidence import build_package, check_package, evidence_signer, public_key_of
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign
from outreach.web.reads.confirmations import asking_campaigns, verdict_counts

routes = console_routes()
_BASE = "/console/service/evidence"
_FIELDS = ("title", "body", "closes_on", "confirm_label", "decline_label")


@routes.get("/service/evidence", permission="service.read")
async def show_list(request: Request) -> HTMLResponse:
    """Campaigns that ask to confirm, with their answers."""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        rows = await asking_campaigns(conn, actor_of(request))
    return page(
        request,
        "evidence.html",
        place="service",
        title="确认与证据",
        rows=rows,
        checked=None,
        public_key=_key_of(rt),
    )


@routes.post("/service/evidence/check", permission="service.read")
async def check(request: Request) -> HTMLResponse:
    """Verify a package: on its own, and against what is kept here."""
    rt, actor = runtime_of(request), actor_of(request)
    file = (await request.form()).get("file")
    checked: dict[str, Any]
    if not isinstance(file, UploadFile):
        raise InvalidInput("请选择证据包文件。", field="file")
    try:
        found = check_package(await file.read())
        async with rt.db.begin() as conn:
            faults = [*found.faults, *await compare_evidence(conn, found.records, found.audit_hashes)]
        if found.signed_by not in ("", _key_of(rt)):
            faults.append("签名有效，但不是本系统签的")
        checked = {"records": found.records, "faults": faults, "is_signed": bool(found.signed_by)}
    except InvalidInput as error:
        checked = {"records": [], "faults": [error.message], "is_signed": False}
    async with rt.db.begin() as conn:
        rows = await asking_campaigns(conn, actor)
    return page(
        request,
        "evidence.html",
        place="service",
        title="确认与证据",
        rows=rows,
        checked=checked,
        public_key=_key_of(rt),
        verdicts=VERDICTS,
    )


@routes.get("/service/evidence/{campaign_id}", permission="service.read")
async def show_one(request: Request, campaign_id: int) -> HTMLResponse:
    """One campaign's question and the count of its answers."""
    return await _page(request, campaign_id)


@routes.post("/service/evidence/{campaign_id}", permission="campaign.write")
async def publish(request: Request, campaign_id: int) -> Response:
    """Freeze a text as the question."""
    rt, actor = runtime_of(request), actor_of(request)
    form = await request.form()
    given = {key: str(form.get(key, "")) for key in _FIELDS}
    labels = (given["confirm_label"].strip(), given["decline_label"].strip())
    try:
        async with rt.db.begin() as conn:
            campaign = await find_campaign(conn, actor, campaign_id)
            if not campaign["is_own"]:
                raise NotAllowed("这个活动由上级机构管理，在这里只能查看。")
            await publish_matter(
                conn,
                campaign_id,
                actor.name,
                title=given["title"],
                body=given["body"],
                labels=labels,
                closes_at=_end_of(given["closes_on"]),
            )
    except InvalidInput as error:
        return await _page(request, campaign_id, error=error, given=given)
    return RedirectResponse(f"{_BASE}/{campaign_id}", 303)


@routes.post("/service/evidence/{campaign_id}/export", permission="report.export")
async def export(request: Request, campaign_id: int) -> Response:
    """The answers of the scope as a package; of one household if a number is given."""
    rt, actor = runtime_of(request), actor_of(request)
    wanted = str((await request.form()).get("taxpayer", "")).strip()
    if wanted and not wanted.isdecimal():
        raise InvalidInput("户的编号是数字，见纳税人页面。", field="taxpayer")
    one = int(wanted) if wanted else None
    async with rt.db.begin() as conn:
        await find_campaign(conn, actor, campaign_id)
        found = await read_evidence(
            conn, open_vault(rt.settings), campaign_id, path=actor.org_path, taxpayer_id=one
        )
        detail = {"records": len(found[0]), "taxpayer": one}
        await append_audit(conn, actor, "evidence.export", f"campaign:{campaign_id}", detail)
    signer = evidence_signer(open_vault(rt.settings))
    body = build_package(*found, by=actor.name, at=await rt.now(), signer=signer)
    headers = {"Content-Disposition": f'attachment; filename="evidence-{campaign_id}.zip"'}
    return Response(body, media_type="application/zip", headers=headers)


def _key_of(rt: Runtime) -> str:
    return public_key_of(evidence_signer(open_vault(rt.settings)))


def _end_of(day: str) -> datetime | None:
    """The end of a day in Beijing; None where none is given."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time(), BEIJING) + timedelta(days=1)
    except ValueError as error:
        raise InvalidInput("日期写作 2026-03-15。", field="closes_on") from error


async def _page(
    request: Request,
    campaign_id: int,
    *,
    error: OutreachError | None = None,
    given: dict[str, str] | None = None,
) -> HTMLResponse:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        campaign = await find_campaign(conn, actor, campaign_id)
        matter = await find_matter(conn, campaign_id)
        counts = await verdict_counts(conn, actor, campaign_id)
    kept = {key: getattr(matter, key) if matter else "" for key in ("title", "body")}
    labels = {key: getattr(matter, key) if matter else "" for key in ("confirm_label", "decline_label")}
    return page(
        request,
        "evidence_one.html",
        place="service",
        title=campaign["name"],
        status=error.status if error else 200,
        campaign=campaign,
        matter=matter,
        counts=counts,
        verdicts=VERDICTS,
        given=given or {**kept, **labels, "closes_on": ""},
        errors={error.details.get("field", "title"): error.message} if error else {},
    )
