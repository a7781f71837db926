"""Templates: saved as versions that are checked in every part, and looked at before they are used."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import Field

from outreach.errors import InvalidInput
from outreach.ledger.content import compile_content
from outreach.web.actions import keep_template, note_filing
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.contents import Call, Dingtalk, Email, Official, Rich, Sms, Visit, Wecom
from outreach.web.api.fields import (
    FIRST,
    Cursor,
    Limit,
    Listing,
    Model,
    PathId,
    Search,
    Text,
    examples,
    pick,
    pick_all,
)
from outreach.web.permissions import actor_of
from outreach.web.previews import faults, measure_sms, sample_values
from outreach.web.reads.templates import filings_of, find_template, list_templates, versions_of

routes = api_routes("/templates", "模板")
_SMS = {"text": "{{ taxpayer }}：{{ tax_year }}年度汇算尚未办理，请登录个人所得税APP办理。"}
_LETTER = {"subject": "汇算提醒", "html": "<p>{{ name }}</p>", "text": "{{ name }}"}
_PARTED = ("sms", "rcs")
Channel = Literal["", "sms", "rcs", "wechat", "email", "wecom", "dingtalk", "call", "visit"]
AnyContent = Annotated[
    Sms | Rich | Official | Email | Wecom | Dingtalk | Call | Visit, Field(discriminator="channel")
]


class TemplateRow(Model):
    """A template with its newest version, null if it has none yet."""

    id: int
    code: str
    name: str
    channel: str
    language: str
    org_id: int
    org_name: str
    is_own: bool
    version: int | None
    variables: list[str] | None
    created_by: str | None
    created_at: datetime | None


class Version(Model):
    """One version; `used` counts the steps of rounds that are bound to it."""

    version: int
    created_by: str
    created_at: datetime
    used: int


class TemplateShown(TemplateRow):
    """A template with the content of one version."""

    content: dict[str, Any] | None
    versions: list[Version]


class TemplateDraft(Model):
    """A code that the unit already uses gets a new version, unless the content is the same."""

    model_config = examples(
        {"code": "iit-remind", "name": "汇算提醒", "message": {"channel": "sms", "content": _SMS}},
        {"code": "iit-remind", "name": "汇算提醒", "message": {"channel": "email", "content": _LETTER}},
    )
    code: Annotated[Text, Field(min_length=1, max_length=60, pattern=r"^[\w.-]+$")]
    name: Annotated[Text, Field(min_length=1, max_length=60)]
    language: Literal["zh", "mn", "en"] = "zh"
    message: AnyContent


class FilingRow(Model):
    """An account that sends only filed texts."""

    gateway_id: int
    gateway: str
    adapter: str
    text: str
    code: str


class FilingNote(Model):
    """The code that a provider gave to a version."""

    model_config = examples({"version": 1, "gateway_id": 1, "code": "SMS_153055065"})
    version: Annotated[int, Field(ge=1, le=32_767)]
    gateway_id: Annotated[int, Field(ge=1, le=32_767)]
    code: Annotated[Text, Field(min_length=1, max_length=128)]


class Draft(Model):
    """A content to look at."""

    model_config = examples({"message": {"channel": "sms", "content": _SMS}})
    message: AnyContent


class Look(Model):
    """Every part as a made-up person would get it. `units` and `parts` (条, what is billed) of the SMS, also
    of the one to which a 5G message falls back."""

    rendered: dict[str, str]
    variables: list[str]
    units: int | None
    parts: int | None


@routes.get("", permission="template.read", summary="模板列表")
async def show_list(
    request: Request, q: Search = "", channel: Channel = "", cursor: Cursor = "", limit: Limit = FIRST
) -> Listing[TemplateRow]:
    """本级及下级的模板，以及上级机构的模板。"""
    async with runtime_of(request).db.begin() as conn:
        found = await list_templates(
            conn, actor_of(request), search=q, channel=channel, cursor=cursor, limit=limit
        )
    return Listing[TemplateRow](rows=pick_all(TemplateRow, found.rows), next=found.next)


@routes.get("/{template_id}", permission="template.read", summary="一个模板及其版本")
async def show(
    request: Request, template_id: PathId, version: Annotated[int | None, Query(ge=1, le=32_767)] = None
) -> TemplateShown:
    """不指定 `version` 时返回最新版本的内容。"""
    return await _shown(request, template_id, version)


@routes.post("", permission="template.write", summary="保存模板版本", status_code=201)
async def save(request: Request, body: TemplateDraft) -> TemplateShown:
    """内容逐项检查，所有问题一次列在 `details.faults`。已审批的活动继续使用审批时的版本。"""
    actor, content = actor_of(request), body.message.plain()
    _check(body.message.channel, content)
    head = {
        "code": body.code,
        "name": body.name,
        "channel": body.message.channel,
        "language": body.language,
        "org_id": actor.org_id,
    }
    saved = await keep_template(runtime_of(request), actor, head, content)
    return await _shown(request, saved.template_id, None)


@routes.post("/preview", permission="template.read", summary="预览内容和计费条数")
async def look(request: Request, body: Draft) -> Look:
    """用示例数据渲染每个部分，不保存。"""
    rt, content = runtime_of(request), body.message.plain()
    _check(body.message.channel, content)
    compiled = compile_content(body.message.channel, content)
    async with rt.db.begin() as conn:
        values = await sample_values(conn, actor_of(request).display_name)
    billed = body.message.channel in _PARTED
    parts = measure_sms(content["text"], values, rt.settings.signature) if billed else None
    return Look(
        rendered={path: template.render(values) for path, template in compiled.strings.items()},
        variables=sorted(compiled.variables),
        units=parts.units if parts else None,
        parts=parts.parts if parts else None,
    )


@routes.get("/{template_id}/filings", permission="template.read", summary="需要报备的网关")
async def show_filings(
    request: Request, template_id: PathId, version: Annotated[int | None, Query(ge=1, le=32_767)] = None
) -> list[FilingRow]:
    """只能发送已报备文字的网关、应报备的文字，以及运营商给出的编号（未报备时为空）。"""
    async with runtime_of(request).db.begin() as conn:
        found = await find_template(conn, actor_of(request), template_id, version=version)
        filings = await filings_of(conn, found)
    return [FilingRow(**asdict(filing)) for filing in filings]


@routes.put("/{template_id}/filings", permission="template.write", summary="登记报备编号", status_code=204)
async def note(request: Request, template_id: PathId, body: FilingNote) -> None:
    """登记运营商给某个版本的模板编号；未登记编号的版本不会从这个网关发出。"""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        found = await find_template(conn, actor, template_id, version=body.version)
    await note_filing(rt, actor, found, body.gateway_id, body.code)


def _check(channel: str, content: Mapping[str, Any]) -> None:
    found = faults(channel, content)
    if found:
        where = "、".join(f"message.content.{part}" for part in found)
        listed = [{"field": f"message.content.{part}", "reason": why} for part, why in found.items()]
        raise InvalidInput(f"模板内容有误：{where}。", faults=listed)


async def _shown(request: Request, template_id: int, version: int | None) -> TemplateShown:
    async with runtime_of(request).db.begin() as conn:
        row = await find_template(conn, actor_of(request), template_id, version=version)
        versions = await versions_of(conn, template_id)
    return pick(TemplateShown, {**row, "versions": versions})
