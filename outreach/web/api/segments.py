"""Segments: expressions counted, explained for one household, and saved under a name."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Request
from pydantic import Field

from outreach.labels.evaluate import evaluate_text
from outreach.labels.explain import Explanation, explain
from outreach.web.actions import drop_segment, keep_segment
from outreach.web.api.access import api_routes, cache_of, runtime_of
from outreach.web.api.fields import (
    FIRST,
    Cursor,
    Limit,
    Listing,
    Model,
    PathId,
    Search,
    SmallId,
    Text,
    examples,
    pick,
    pick_all,
)
from outreach.web.permissions import actor_of
from outreach.web.reads.segments import find_segment, list_segments

routes = api_routes("/segments", "人群")
_EXPRESSION = "iit.must_file and not iit.filed and amount_due > 400"
Expression = Annotated[Text, Field(min_length=1, max_length=16_000, description="人群表达式，见接口文档")]


class SegmentRow(Model):
    """A saved segment; `is_own`: of this unit or one below it, so that it may be changed here."""

    id: int
    name: str
    expression: str
    org_id: int
    org_name: str
    created_by: str
    created_at: datetime
    is_own: bool


class SegmentDraft(Model):
    """A name that the unit already uses is replaced."""

    model_config = examples({"name": "未申报且应补税", "expression": _EXPRESSION})
    name: Annotated[Text, Field(min_length=1, max_length=60)]
    expression: Expression


class Question(Model):
    """An expression to count."""

    model_config = examples({"expression": _EXPRESSION})
    expression: Expression


class Answer(Model):
    """How many taxpayers of the scope match; `expression` is the same in codes, with segments written out."""

    count: int
    expression: str


class WhyQuestion(Model):
    """An expression and one household."""

    model_config = examples({"expression": _EXPRESSION, "taxpayer_id": 12345})
    expression: Expression
    taxpayer_id: SmallId


class Source(Model):
    """Where a fact comes from, which day it describes, when it was taken over."""

    source: str
    as_of: date | None
    at: datetime


class Reason(Model):
    """One condition: a sentence that is true of the household, and whether the condition holds."""

    sentence: str
    holds: bool
    value: str | None
    origin: Source | None
    children: list["Reason"]


@routes.get("", permission="segment.read", summary="人群列表")
async def show_list(
    request: Request, q: Search = "", cursor: Cursor = "", limit: Limit = FIRST
) -> Listing[SegmentRow]:
    """本级及下级保存的人群，以及上级机构的人群。"""
    async with runtime_of(request).db.begin() as conn:
        found = await list_segments(conn, actor_of(request), search=q, cursor=cursor, limit=limit)
    return Listing[SegmentRow](rows=pick_all(SegmentRow, found.rows), next=found.next)


@routes.get("/{segment_id}", permission="segment.read", summary="一个人群")
async def show(request: Request, segment_id: PathId) -> SegmentRow:
    """表达式和保存人。"""
    async with runtime_of(request).db.begin() as conn:
        return pick(SegmentRow, await find_segment(conn, actor_of(request), segment_id))


@routes.post("", permission="segment.write", summary="保存人群", status_code=201)
async def save(request: Request, body: SegmentDraft) -> SegmentRow:
    """表达式有误时返回 422，`details` 含行号 `line`、列号 `column` 和建议 `suggestion`。"""
    actor = actor_of(request)
    segment_id = await keep_segment(runtime_of(request), actor, body.name, body.expression)
    async with runtime_of(request).db.begin() as conn:
        return pick(SegmentRow, await find_segment(conn, actor, segment_id))


@routes.delete("/{segment_id}", permission="segment.write", summary="删除人群", status_code=204)
async def delete(request: Request, segment_id: PathId) -> None:
    """已经冻结的受众不受影响。"""
    await drop_segment(runtime_of(request), actor_of(request), segment_id)


@routes.post("/count", permission="segment.read", summary="计算一个表达式有多少户")
async def count(request: Request, body: Question) -> Answer:
    """只计算数据范围内的户。"""
    actor = actor_of(request)
    found = await evaluate_text(runtime_of(request), cache_of(request), body.expression, actor.org_id)
    return Answer(count=len(found.members), expression=found.text)


@routes.post("/explain", permission="taxpayer.read", summary="为什么一户符合或不符合")
async def why(request: Request, body: WhyQuestion) -> Reason:
    """逐个条件说明，并给出数据来源和日期。"""
    actor = actor_of(request)
    told = await explain(
        runtime_of(request), cache_of(request), body.expression, actor.org_id, body.taxpayer_id
    )
    return _reason(told)


def _reason(told: Explanation) -> Reason:
    return Reason.model_validate(told, from_attributes=True)
