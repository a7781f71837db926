"""Messages whose outcome nobody can tell, with the reason."""

from datetime import datetime

from fastapi import Request

from outreach.analytics.unknown import list_unknown
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import FIRST, Cursor, Limit, Listing, Model, PathId
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign
from outreach.web.reads.paging import decode_numbers, encode_cursor

routes = api_routes("/campaigns", "轮次与消息")


class UnknownRow(Model):
    """One of them. `reason`: why, and what happens next; `not_before`: when it is looked into again."""

    id: int
    round_id: int
    step: int
    gateway: str
    code: str | None
    at: datetime
    tries: int
    not_before: datetime | None
    reason: str


@routes.get("/{campaign_id}/unknown", permission="message.read", summary="结果未知的消息及原因")
async def show(
    request: Request, campaign_id: PathId, cursor: Cursor = "", limit: Limit = FIRST
) -> Listing[UnknownRow]:
    """核实之前不会重发，也不会换一个网关再发。"""
    rt, actor = runtime_of(request), actor_of(request)
    after = decode_numbers(cursor, 1)[0] if cursor else 0
    async with rt.db.begin() as conn:
        await find_campaign(conn, actor, campaign_id)
    found = await list_unknown(rt, campaign_id, actor.org_id, after=after, limit=limit + 1)
    rows = [UnknownRow.model_validate(one, from_attributes=True) for one in found[:limit]]
    return Listing[UnknownRow](rows=rows, next=encode_cursor(rows[-1].id) if len(found) > limit else None)
