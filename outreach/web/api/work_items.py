"""Calls and visits for the systems of others: an outbound-call system takes the list and reports results."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Request
from pydantic import Field

from outreach.governance.vault import open_vault
from outreach.service.worklists import Report, record_result
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import (
    FIRST,
    Cursor,
    Limit,
    Listing,
    Model,
    Moment,
    PathId,
    Text,
    examples,
    pick_all,
)
from outreach.web.permissions import actor_of
from outreach.web.reads.work_items import Wanted, list_items

routes = api_routes("/work-items", "外呼与走访")


class WorkItemShown(Model):
    """One call for one person, or one visit to one household. Names of persons are masked."""

    id: int
    kind: Literal["call", "visit"]
    state: Literal["open", "done", "given_up"]
    outcome: str
    org_id: int
    org_name: str
    person: str
    names: list[str]
    households: int
    campaigns: list[str]
    language: Literal["zh", "mn", "en"]
    special_care: bool
    assigned_to: str | None
    tries: int
    next_at: datetime
    due_at: datetime


class ResultGiven(Model):
    """What came of an attempt."""

    result: Annotated[Text, Field(min_length=1, max_length=40, description="结果代码，例如 told、no_answer")]
    call_back_at: Moment | None = Field(default=None, description="约定回拨或再访的时间")
    note: Annotated[Text, Field(max_length=500)] = ""
    model_config = examples({"result": "no_answer"})


class ItemAfter(Model):
    """The item's state after the result."""

    id: int
    state: Literal["open", "done", "given_up"]


@routes.get("", permission="work.read", summary="外呼与走访任务")
async def show(
    request: Request,
    kind: Literal["", "call", "visit"] = "",
    state: Literal["", "open", "closed"] = "open",
    due: Literal["", "today", "overdue", "unapproved"] = "",
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[WorkItemShown]:
    """按应办时间先后排列。"""
    rt = runtime_of(request)
    wanted = Wanted(kind, state, "", due)
    async with rt.db.begin() as conn:
        found = await list_items(
            conn, open_vault(rt.settings), actor_of(request), wanted, cursor=cursor, limit=limit
        )
    return Listing(rows=pick_all(WorkItemShown, found.rows), next=found.next)


@routes.post("/{item_id}/result", permission="work.write", summary="登记外呼或走访结果")
async def report(request: Request, item_id: PathId, body: ResultGiven) -> ItemAfter:
    """已结束的任务返回 409；走访未经审批返回 409。"""
    given = Report(body.result, body.call_back_at, body.note)
    state = await record_result(runtime_of(request), actor_of(request), item_id, given)
    return ItemAfter.model_validate({"id": item_id, "state": state})
