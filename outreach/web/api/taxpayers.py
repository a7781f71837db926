"""Taxpayers: found by number, mobile or name; one household, masked; what happened to it; its statements."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import Field

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.vault import open_vault
from outreach.registry.search import Household, find_taxpayer, get_household
from outreach.statements.freezing import document_number
from outreach.statements.issue import issue_documents
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import FIRST, Cursor, Limit, Listing, Model, PathId, Text, examples, pick_all
from outreach.web.permissions import actor_of
from outreach.web.reads.taxpayers import list_taxpayers
from outreach.web.reads.timeline import Moment, timeline_of

_SQL = load_queries(__file__)
routes = api_routes("/taxpayers", "纳税人")


class TaxpayerRow(Model):
    """A household in a list."""

    id: int
    kind: str
    name: str
    org_id: int
    org_name: str
    industry: str
    registered_on: date | None


class Wanted(Model):
    """What to look for. It stands in the body, because numbers do not belong into addresses and logs."""

    model_config = examples({"q": "91330100MA2XXXXX0A"}, {"q": "13800138000"}, {"q": "示例商贸"})
    q: Annotated[
        Text,
        Field(min_length=2, max_length=100, description="税号、证件号、手机号（完整），或单位名称的一部分"),
    ]


class Hit(Model):
    """A household that was found; numbers and names of natural persons are masked."""

    id: int
    kind: str
    name: str
    tax_no: str
    org_id: int
    org_name: str


class Hits(Model):
    """At most fifty."""

    rows: list[Hit]


class AddressShown(Model):
    """A masked address."""

    kind: str
    value: str
    usable: bool
    unusable_reason: str | None
    rcs: bool | None
    verified_at: datetime | None


class PersonShown(Model):
    """A person who acts for the household, masked; `opt_outs` by channel (`sms`, `all`) or topic
    (`topic:survey`)."""

    id: int
    roles: list[str]
    name: str
    language: str
    special_care: bool
    is_contact: bool
    addresses: list[AddressShown]
    opt_outs: dict[str, datetime]


class HouseholdShown(Model):
    """A household with its persons, masked."""

    id: int
    kind: str
    name: str
    tax_no: str
    org_id: int
    org_name: str
    industry: str
    registered_on: date | None
    persons: list[PersonShown]


class MomentShown(Model):
    """One thing that happened: a label that came or went, a message, a reply, an event."""

    at: datetime
    kind: Literal["label", "message", "inbound", "event"]
    text: str
    more: str


class Timeline(Model):
    """Newest first, at most a few hundred lines."""

    rows: list[MomentShown]


class StatementRow(Model):
    """An issued document. `digest` proves a printed copy on the public check page."""

    id: int
    kind: str
    number: str
    year: int
    version: int
    issued_at: datetime
    digest: str
    is_current: bool


class Statements(Model):
    """All versions of all years, newest first."""

    rows: list[StatementRow]


class StatementOrder(Model):
    """Which document of which year; `reason` is told to the household if its document is corrected."""

    model_config = examples(
        {"year": 2025, "reason": "补录了 12 月的优惠记录"}, {"year": 2025, "kind": "gift_pack"}
    )
    kind: Literal["yearly_bill", "benefit_bill", "gift_pack", "checkup"] = "yearly_bill"
    year: Annotated[int, Field(ge=2000, le=2200)]
    reason: Annotated[Text, Field(max_length=200)] = ""


@routes.get("", permission="taxpayer.read", summary="数据范围内的纳税人列表")
async def show_list(request: Request, cursor: Cursor = "", limit: Limit = FIRST) -> Listing[TaxpayerRow]:
    """按编号排序；自然人姓名已遮盖。"""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        found = await list_taxpayers(
            conn, open_vault(rt.settings), actor_of(request), cursor=cursor, limit=limit
        )
    return Listing[TaxpayerRow](rows=pick_all(TaxpayerRow, found.rows), next=found.next)


@routes.post("/search", permission="taxpayer.read", summary="按税号、手机号或单位名称查找")
async def search(request: Request, body: Wanted) -> Hits:
    """号码必须完整；单位名称至少两个字。最多返回 50 户。自然人不能按姓名查找。"""
    found = await find_taxpayer(runtime_of(request), actor_of(request).org_id, body.q)
    return Hits(
        rows=[
            Hit(id=h.id, kind=h.kind, name=h.name, tax_no=h.tax_no, org_id=h.org_id, org_name=h.org_name)
            for h in found
        ]
    )


@routes.get("/{taxpayer_id}", permission="taxpayer.read", summary="一户的基本信息和人员（已遮盖）")
async def show(request: Request, taxpayer_id: PathId) -> HouseholdShown:
    """姓名、证件号和联系方式只显示首尾。"""
    return _shown(await get_household(runtime_of(request), actor_of(request).org_id, taxpayer_id))


@routes.get("/{taxpayer_id}/timeline", permission="taxpayer.read", summary="一户的时间线")
async def show_timeline(
    request: Request,
    taxpayer_id: PathId,
    kind: Annotated[Literal["", "label", "message", "inbound", "event"], Query(description="只看一类")] = "",
) -> Timeline:
    """标签变化、消息、回复和办理事件，最新的在前。"""
    async with runtime_of(request).db.begin() as conn:
        await _require(conn, actor_of(request), taxpayer_id)
        moments = await timeline_of(conn, taxpayer_id, kind=kind)
    return Timeline(rows=[_moment(moment) for moment in moments])


@routes.get("/{taxpayer_id}/statements", permission="statement.read", summary="一户的账单目录")
async def show_statements(request: Request, taxpayer_id: PathId) -> Statements:
    """只有目录，不含金额；金额由纳税人本人经验证码查看。"""
    async with runtime_of(request).db.begin() as conn:
        await _require(conn, actor_of(request), taxpayer_id)
        rows = await (await conn.execute(_SQL["statements"], {"id": taxpayer_id})).fetchall()
    return Statements(
        rows=[StatementRow(number=document_number(row["year"], row["id"]), **row) for row in rows]
    )


@routes.post("/{taxpayer_id}/statements", permission="statement.write", summary="为一户出具年度文书")
async def issue(request: Request, taxpayer_id: PathId, body: StatementOrder) -> Statements:
    """内容没有变化时不产生新版本。返回该户全部账单目录。"""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        await _require(conn, actor, taxpayer_id)
    issued = await issue_documents(
        rt,
        body.kind,
        body.year,
        scope_org_id=actor.org_id,
        taxpayer_ids=[taxpayer_id],
        by=actor.name,
        reason=body.reason,
    )
    async with rt.db.begin() as conn:
        detail = {"kind": body.kind, "year": body.year, "documents": issued.documents}
        await append_audit(conn, actor, "statement.issue", f"taxpayer:{taxpayer_id}", detail)
        return await _statements(conn, taxpayer_id)


async def _require(conn: Connection, actor: Actor, taxpayer_id: int) -> None:
    params = {"id": taxpayer_id, "path": actor.org_path}
    if await (await conn.execute(_SQL["in_scope"], params)).fetchone() is None:
        raise NotFound("没有这个户，或者它不在您的数据范围内。")


async def _statements(conn: Connection, taxpayer_id: int) -> Statements:
    rows = await (await conn.execute(_SQL["statements"], {"id": taxpayer_id})).fetchall()
    return Statements(
        rows=[StatementRow(number=document_number(row["year"], row["id"]), **row) for row in rows]
    )


def _shown(household: Household) -> HouseholdShown:
    return HouseholdShown.model_validate(household, from_attributes=True, extra="ignore")


def _moment(moment: Moment) -> MomentShown:
    return MomentShown.model_validate(moment, from_attributes=True, extra="ignore")
