"""Gateways: how the accounts stand, never their credentials; and a try without sending."""

import asyncio
from datetime import datetime

from fastapi import Request

from channels.errors import ChannelError
from channels.registry import ADAPTERS
from outreach.errors import NotFound
from outreach.web.api.access import api_routes, fleet_of, runtime_of
from outreach.web.api.fields import Model, PathId, pick
from outreach.web.reads.health import health_of

routes = api_routes("/gateways", "网关")
_LONGEST = 30.0
_NO_ANSWER = "网关在 30 秒内没有应答，请检查网络和地址。"


class GatewayRow(Model):
    """An account. `backlog`: messages that wait for it; `delivery_class`: what may be done about an unknown
    outcome (A repeat, B ask, C wait for the receipt, D report)."""

    id: int
    name: str
    channel: str
    adapter: str
    state: str
    rate: float
    burst: int
    weight: int
    backlog: int
    oldest: datetime | None
    delivery_class: str


class Gateways(Model):
    """All accounts, and how many workers send."""

    workers: int
    rows: list[GatewayRow]


class Checked(Model):
    """Whether the account works; otherwise `reason` says what to do."""

    works: bool
    reason: str = ""


@routes.get("", permission="gateway.read", summary="网关列表")
async def show_list(request: Request) -> Gateways:
    """全部网关账号的状态和等待量。"""
    async with runtime_of(request).db.begin() as conn:
        health = await health_of(conn)
    rows = [
        pick(GatewayRow, {**row, "delivery_class": ADAPTERS[row["adapter"]].facts.delivery_class.value})
        for row in health.gateways
    ]
    return Gateways(workers=health.workers, rows=rows)


@routes.post("/{gateway_id}/check", permission="gateway.read", summary="试连网关（不发送）")
async def check(request: Request, gateway_id: PathId) -> Checked:
    """验证地址和凭据，最多等待 30 秒。"""
    fleet = fleet_of(request)
    try:
        await fleet.gateway(gateway_id)
    except KeyError as error:
        raise NotFound("没有这个网关。") from error
    try:
        async with asyncio.timeout(_LONGEST):
            await (await fleet.adapter(gateway_id)).check()
    except TimeoutError:
        return Checked(works=False, reason=_NO_ANSWER)
    except ChannelError as error:
        return Checked(works=False, reason=str(error))
    return Checked(works=True)
