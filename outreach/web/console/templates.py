"""模板: the list, and one template with its editor beside the phone."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from campaigns.wording_guard import check_content
from outreach.errors import InvalidInput, NotAllowed
from outreach.web.actions import keep_template, note_filing
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.console.template_form import CHOICES, EMPTY, LABELS, content_of, field_of, form_of
from outreach.web.console.wording import CHANNELS
from outreach.web.permissions import actor_of
from outreach.web.previews import Preview, faults, preview, render_mail, sample_values
from outreach.web.reads.templates import (
    count_channels,
    filings_of,
    find_template,
    list_templates,
    versions_of,
)

routes = console_routes()
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@routes.get("/templates", permission="template.read")
async def show_list(request: Request, q: str = "", channel: str = "", cursor: str = "") -> HTMLResponse:
    """All templates that may be used here."""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        found = await list_templates(conn, actor, search=q.strip(), channel=channel, cursor=cursor)
        channels = await count_channels(conn, actor)
    context: dict[str, Any] = {"found": found, "q": q, "channel": channel, "channels": channels}
    return page(request, "templates.html", place="templates", title="模板", **context)


@routes.get("/templates/new", permission="template.write")
async def show_new(request: Request, channel: str = "sms") -> HTMLResponse:
    """An empty editor for a channel."""
    if channel not in CHANNELS or channel not in EMPTY:
        raise InvalidInput("请选择短信、5G 消息、微信、邮件、企业微信、钉钉、电话或上门。", field="channel")
    draft = {"id": None, "code": "", "name": "", "channel": channel, "language": "zh", "is_own": True}
    return await _editor(request, draft, EMPTY[channel], "新建模板")


@routes.get("/templates/{template_id}", permission="template.read")
async def show(request: Request, template_id: int, version: int | None = None) -> HTMLResponse:
    """One template."""
    async with runtime_of(request).db.begin() as conn:
        found = await find_template(conn, actor_of(request), template_id, version=version)
    return await _editor(request, found, found["content"] or EMPTY[found["channel"]], found["name"])


@routes.get("/templates/{template_id}/mail", permission="template.read")
async def show_mail(request: Request, template_id: int) -> HTMLResponse:
    """A letter's page on its own, for the frame of the preview: no scripts, no requests, own styles."""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        found = await find_template(conn, actor, template_id)
        values = await sample_values(conn, found["org_name"])
    headers = {"Content-Security-Policy": MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(render_mail(found["content"], values), headers=headers)


@routes.post("/templates/preview", permission="template.read")
async def show_preview(request: Request) -> HTMLResponse:
    """The phone, while the text is written."""
    form = await request.form()
    channel = str(form.get("channel", ""))
    shown, errors = await _preview(request, channel, content_of(channel, form))
    hints = check_content(channel, content_of(channel, form)) if shown else []
    return fragment(request, "template_preview.html", shown=shown, errors=errors, hints=hints)


@routes.post("/templates", permission="template.write")
async def create(request: Request) -> Response:
    """Store a new template of the unit acted in."""
    form = await request.form()
    channel = str(form.get("channel", ""))
    if channel not in EMPTY:
        raise InvalidInput("请选择短信、5G 消息、微信、邮件、企业微信、钉钉、电话或上门。", field="channel")
    draft = {
        "id": None,
        "code": str(form.get("code", "")).strip(),
        "name": str(form.get("name", "")).strip(),
        "channel": channel,
        "language": str(form.get("language", "zh")),
        "is_own": True,
        "org_id": actor_of(request).org_id,
    }
    return await _save(request, draft, content_of(channel, form))


@routes.post("/templates/{template_id}", permission="template.write")
async def change(request: Request, template_id: int) -> Response:
    """Store a new version. What has been approved keeps its own version."""
    form = await request.form()
    async with runtime_of(request).db.begin() as conn:
        found = await find_template(conn, actor_of(request), template_id)
    if not found["is_own"]:
        raise NotAllowed("这是上级机构的模板，只能使用，不能修改。")
    found["name"] = str(form.get("name", "")).strip()
    return await _save(request, found, content_of(found["channel"], form))


@routes.post("/templates/{template_id}/filings", permission="template.write")
async def file(request: Request, template_id: int) -> Response:
    """Note under which code a provider has filed the version that is shown."""
    form = await request.form()
    chosen, version = str(form.get("gateway", "")), str(form.get("version", ""))
    if not (chosen.isdecimal() and version.isdecimal()):
        raise InvalidInput("请选择网关和版本。", field="gateway")
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        found = await find_template(conn, actor, template_id, version=int(version))
    await note_filing(rt, actor, found, int(chosen), str(form.get("code", "")))
    return RedirectResponse(f"/console/templates/{template_id}?version={int(version)}", 303)


async def _save(request: Request, draft: dict[str, Any], content: Mapping[str, Any]) -> Response:
    errors = _head_faults(draft) | faults(draft["channel"], content)
    if not errors:
        try:
            saved = await keep_template(runtime_of(request), actor_of(request), draft, content)
        except InvalidInput as error:
            errors = {field_of(draft["channel"], content, error): error.message}
        else:
            return RedirectResponse(f"/console/templates/{saved.template_id}", 303)
    return await _editor(request, draft, content, draft["name"] or "新建模板", errors=errors)


def _head_faults(draft: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if not draft["name"]:
        found["name"] = "请填写模板名称。"
    code = draft["code"]
    if not code or not all(c.isalnum() or c in "._-" for c in code):
        found["code"] = "请填写编码，可以用字母、数字、点、横线和下划线。"
    return found


async def _editor(
    request: Request,
    draft: dict[str, Any],
    content: Mapping[str, Any],
    title: str,
    *,
    errors: Mapping[str, str] | None = None,
) -> HTMLResponse:
    frame = f"/console/templates/{draft['id']}/mail" if draft["id"] and not errors else ""
    shown, problems = await _preview(request, draft["channel"], content, frame)
    async with runtime_of(request).db.begin() as conn:
        versions = await versions_of(conn, draft["id"]) if draft["id"] else []
        filings = await filings_of(conn, draft) if draft["id"] else []
        variables = sorted((await sample_values(conn, "")).keys())
    may_write = draft["is_own"] and actor_of(request).may("template.write")
    return page(
        request,
        "template.html",
        place="templates",
        title=title,
        status=422 if errors else 200,
        draft=draft,
        form=form_of(draft["channel"], content),
        errors=dict(errors or {}),
        shown=shown,
        problems=problems,
        hints=check_content(draft["channel"], content) if shown else [],
        versions=versions,
        filings=filings,
        variables=variables,
        labels=LABELS,
        choices=CHOICES,
        may_write=may_write,
    )


async def _preview(
    request: Request, channel: str, content: Mapping[str, Any], frame: str = ""
) -> tuple[Preview | None, dict[str, str]]:
    rt = runtime_of(request)
    found = faults(channel, content) if channel in EMPTY else {"channel": "没有这个渠道。"}
    if found:
        return None, found
    async with rt.db.begin() as conn:
        values = await sample_values(conn, request.state.session.org_name)
    try:
        return preview(channel, content, values, rt.settings.signature, frame=frame), {}
    except InvalidInput as error:
        return None, {"": error.message}
