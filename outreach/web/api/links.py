"""Links of a campaign: how many there are, and all of them revoked."""

from typing import Annotated

from fastapi import Request
from pydantic import Field

from outreach.statements.links import count_links
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model, PathId, Text, examples
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign
from outreach.web.revocations import LONGEST_REASON, Revocations, check_own

routes = api_routes("/campaigns", "活动")


class Links(Model):
    """`alive`: neither expired nor revoked."""

    sent: int
    alive: int


class RevocationIn(Model):
    """Why the links are to end; it goes into the audit chain."""

    model_config = examples({"reason": "送达人群选错"})
    reason: Annotated[Text, Field(min_length=1, max_length=LONGEST_REASON)]


@routes.get("/{campaign_id}/links", permission="round.control", summary="活动发出的账单链接数")
async def show(request: Request, campaign_id: PathId) -> Links:
    """共发出多少个，还有多少个有效。上级机构的活动不能查看。"""
    async with runtime_of(request).db.begin() as conn:
        campaign = await find_campaign(conn, actor_of(request), campaign_id)
        check_own(campaign)
        found = await count_links(conn, campaign["id"])
    return Links(sent=found.sent, alive=found.alive)


@routes.post(
    "/{campaign_id}/links/revoke",
    permission="round.control",
    summary="作废活动发出的全部账单链接",
    status_code=202,
)
async def revoke(request: Request, campaign_id: PathId, body: RevocationIn) -> Links:
    """在后台进行，不能恢复；返回开始时的数目。之后发出的消息仍带新链接。"""
    actor, revocations = actor_of(request), request.app.state.revocations
    assert isinstance(revocations, Revocations)
    async with runtime_of(request).db.begin() as conn:
        campaign = await find_campaign(conn, actor, campaign_id)
        check_own(campaign)
        found = await count_links(conn, campaign["id"])
    await revocations.begin(actor, campaign, body.reason)
    return Links(sent=found.sent, alive=found.alive)
