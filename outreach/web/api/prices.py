"""Prices of the gateway accounts, for the forecast's cost."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Request
from pydantic import Field

from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model, PathId, examples, pick_all
from outreach.web.permissions import actor_of
from outreach.web.reads.prices import list_prices, set_price

routes = api_routes("/prices", "网关")


class PriceRow(Model):
    """An account; `yuan` for a part (短信一条) or a message, null where nobody has told it."""

    gateway_id: int
    name: str
    channel: str
    yuan: Decimal | None
    set_by: str | None
    set_at: datetime | None


class PriceIn(Model):
    """In yuan, four decimals."""

    model_config = examples({"yuan": "0.0350"})
    yuan: Annotated[Decimal, Field(ge=0, lt=10_000, decimal_places=4)]


@routes.get("", permission="gateway.read", summary="网关单价")
async def show(request: Request) -> list[PriceRow]:
    """每个启用的网关的单价，用于试算费用；没有填的为空。"""
    async with runtime_of(request).db.begin() as conn:
        return pick_all(PriceRow, await list_prices(conn))


@routes.put("/{gateway_id}", permission="gateway.write", summary="填写网关单价", status_code=204)
async def put(request: Request, gateway_id: PathId, body: PriceIn) -> None:
    """短信按计费条数，其他渠道按条；试算立即使用。"""
    async with runtime_of(request).db.begin() as conn:
        await set_price(conn, actor_of(request), gateway_id, body.yuan)
