"""To send unknown messages once more: a key may ask for it; only a person at the console decides."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Request
from pydantic import Field

from outreach.ledger.second_sends import second_sends
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model, PathId, SmallId
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_round
from outreach.web.second_sends import ask_again

routes = api_routes("/rounds", "轮次与消息")


class SecondSendAsked(Model):
    """What is asked for. `gateway_id`: only what this account has sent."""

    gateway_id: Annotated[SmallId | None, Field(examples=[1])] = None
    note: Annotated[str, Field(max_length=500, examples=["网关升级期间丢失了应答，运营商确认未收到"])]


class SecondSendMade(Model):
    """The question and how many messages are meant: at most so many people get it twice."""

    id: int
    messages: int


class SecondSendShown(Model):
    """A question with its decision. `begun`: how many of the messages have been repeated."""

    id: int
    gateway_id: int | None
    gateway: str | None
    note: str
    n: int
    begun: int
    state: Literal["asked", "approved", "declined"]
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None


@routes.get("/{round_id}/second-sends", permission="message.read", summary="再次发送的申请和决定")
async def show(request: Request, round_id: PathId) -> list[SecondSendShown]:
    """新的在前。"""
    async with runtime_of(request).db.begin() as conn:
        await find_round(conn, actor_of(request), round_id)
        rows = await second_sends(conn, round_id)
    return [
        SecondSendShown.model_validate({key: row[key] for key in SecondSendShown.model_fields})
        for row in rows
    ]


@routes.post(
    "/{round_id}/second-sends",
    permission="round.control",
    status_code=201,
    summary="申请把结果未知的消息再发一次",
)
async def ask(request: Request, round_id: PathId, body: SecondSendAsked) -> SecondSendMade:
    """只包括系统不会再核实的消息；每条最多再发一次，须由另一人审批。"""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        row = await find_round(conn, actor, round_id)
    asked, n = await ask_again(rt, actor, row, body.gateway_id, body.note)
    return SecondSendMade(id=asked, messages=n)
