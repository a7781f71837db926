"""What taxpayers send back, on all channels in one stream."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query, Request

from outreach.governance.vault import open_vault
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import FIRST, Cursor, Limit, Listing, Model, Moment, pick_all
from outreach.web.permissions import actor_of
from outreach.web.reads.uplinks import Wanted, list_uplinks

routes = api_routes("/inbound", "上行消息")
Channel = Literal["", "sms", "rcs", "wechat", "email", "wecom", "dingtalk"]
Topic = Literal["", "question", "opt_out", "confirm", "rating", "button", "follow", "unfollow"]


class InboundRow(Model):
    """One reply. `address` is masked; `acted`: whether what it asks for was done, which needs a known sender;
    `taxpayer_ids`: her households within the scope."""

    id: int
    at: datetime
    channel: str
    gateway: str
    kind: str
    topic: str
    text: str
    address: str
    is_known: bool
    taxpayer_ids: list[int]
    acted: bool


@routes.get("", permission="service.read", summary="上行消息列表")
async def show_list(
    request: Request,
    channel: Channel = "",
    topic: Topic = "",
    known: Annotated[bool | None, Query(description="发件人是否已识别")] = None,
    since: Annotated[Moment | None, Query(description="从这一时刻起")] = None,
    until: Annotated[Moment | None, Query(description="到这一时刻为止")] = None,
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[InboundRow]:
    """各渠道的回复、退订、确认、评价和关注，新的在前。未识别发件人的只有最上级机构能看到。"""
    rt = runtime_of(request)
    wanted = Wanted(channel, topic, known, since, until)
    async with rt.db.begin() as conn:
        found = await list_uplinks(
            conn, open_vault(rt.settings), actor_of(request), wanted, cursor=cursor, limit=limit
        )
    return Listing[InboundRow](rows=pick_all(InboundRow, found.rows), next=found.next)
