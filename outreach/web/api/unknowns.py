"""Messages whose outcome nobody can tell, with the reason and what happens next."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request

from outreach.analytics.unknown import Choice, count_unknown, list_unknown
from outreach.analytics.unknown_reasons import Reason
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import FIRST, Cursor, Limit, Listing, Model, PathId, SmallId
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign, find_round
from outreach.web.reads.paging import decode_numbers, encode_cursor

routes = api_routes("", "轮次与消息")

Gateway = Annotated[SmallId | None, Query(description="只看一个网关账号")]
Why = Annotated[Reason | None, Query(description="只看一种原因")]


class UnknownRow(Model):
    """One of them. `reason`: why, and what happens next; `not_before`: when it is looked into again;
    `deadline`: until when a receipt is waited for; `address` is masked."""

    id: int
    round_id: int
    step: int
    channel: str
    gateway_id: int
    gateway: str
    delivery_class: str
    code: str | None
    at: datetime
    tries: int
    not_before: datetime | None
    deadline: datetime
    is_overdue: bool
    address: str
    why: Reason
    reason: str


class UnknownSum(Model):
    """How many at one account for one reason; `overdue` have waited longer than its receipts take."""

    gateway_id: int
    gateway: str
    delivery_class: str
    why: Reason
    word: str
    n: int
    overdue: int


class UnknownSums(Model):
    """All of a round within the scope."""

    total: int
    rows: list[UnknownSum]


@routes.get(
    "/campaigns/{campaign_id}/unknown", permission="message.read", summary="活动中结果未知的消息及原因"
)
async def show(
    request: Request,
    campaign_id: PathId,
    gateway_id: Gateway = None,
    why: Why = None,
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[UnknownRow]:
    """核实之前不会重发，也不会换一个网关再发。"""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        await find_campaign(conn, actor, campaign_id)
    choice = Choice(actor.org_path, campaign_id=campaign_id, gateway_id=gateway_id, reason=why)
    return await _page(request, choice, cursor, limit)


@routes.get("/rounds/{round_id}/unknown", permission="message.read", summary="轮次中结果未知的消息及原因")
async def show_round(
    request: Request,
    round_id: PathId,
    gateway_id: Gateway = None,
    why: Why = None,
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[UnknownRow]:
    """核实之前不会重发，也不会换一个网关再发。"""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        await find_round(conn, actor, round_id)
    choice = Choice(actor.org_path, round_id=round_id, gateway_id=gateway_id, reason=why)
    return await _page(request, choice, cursor, limit)


@routes.get("/rounds/{round_id}/unknown/counts", permission="message.read", summary="轮次中结果未知的条数")
async def show_counts(request: Request, round_id: PathId) -> UnknownSums:
    """按网关和原因分组，多的在前。"""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        await find_round(conn, actor, round_id)
        counts = await count_unknown(conn, Choice(actor.org_path, round_id=round_id))
    rows = [
        UnknownSum(
            gateway_id=count.gateway_id,
            gateway=count.gateway,
            delivery_class=count.delivery_class,
            why=count.reason,
            word=count.reason.word,
            n=count.n,
            overdue=count.overdue,
        )
        for count in counts
    ]
    return UnknownSums(total=sum(row.n for row in rows), rows=rows)


async def _page(request: Request, choice: Choice, cursor: str, limit: int) -> Listing[UnknownRow]:
    after = decode_numbers(cursor, 1)[0] if cursor else 0
    found = await list_unknown(runtime_of(request), choice, after=after, limit=limit + 1)
    names = UnknownRow.model_fields
    rows = [UnknownRow.model_validate({name: getattr(one, name) for name in names}) for one in found[:limit]]
    return Listing[UnknownRow](rows=rows, next=encode_cursor(rows[-1].id) if len(found) > limit else None)
