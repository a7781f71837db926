"""Gateways: how the accounts stand, never their credentials; and a try without sending."""

from datetime import datetime
from typing import Any

from fastapi import Request

from channels.registry import ADAPTERS
from outreach.ledger.pace_log import Pace, list_changes, paces
from outreach.web.api.access import api_routes, fleet_of, runtime_of
from outreach.web.api.fields import FIRST, Cursor, Limit, Listing, Model, PathId, SmallId, pick
from outreach.web.gateway_checks import check_gateway
from outreach.web.reads.health import health_of
from outreach.web.reads.paging import decode_numbers, encode_cursor

routes = api_routes("/gateways", "网关")


class GatewayRow(Model):
    """An account. `backlog`: messages that wait for it; `delivery_class`: what may be done about an unknown
    outcome (A repeat, B ask, C wait for the receipt, D report); `breaker`: closed, open or half_open, and
    `why`; `share`: its part of the channel's new batches, `weight` unless it was moved."""

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
    breaker: str
    why: str
    share: int


class Gateways(Model):
    """All accounts, and how many workers send."""

    workers: int
    rows: list[GatewayRow]


class ChangeRow(Model):
    """A change of a breaker or a weight, with its reason as a sentence; `at` is machine time."""

    id: int
    gateway_id: int
    gateway: str
    channel: str
    at: datetime
    what: str
    text: str


class Checked(Model):
    """Whether the account works; otherwise `reason` says what to do."""

    works: bool
    reason: str = ""


@routes.get("", permission="gateway.read", summary="网关列表")
async def show_list(request: Request) -> Gateways:
    """全部网关账号的状态和等待量。"""
    async with runtime_of(request).db.begin() as conn:
        health = await health_of(conn)
        standing = await paces(conn)
    rows = [pick(GatewayRow, {**row, **_extras(row, standing[row["id"]])}) for row in health.gateways]
    return Gateways(workers=health.workers, rows=rows)


@routes.get("/changes", permission="gateway.read", summary="网关熔断和权重的变化")
async def show_changes(
    request: Request, gateway_id: SmallId | None = None, cursor: Cursor = "", limit: Limit = FIRST
) -> Listing[ChangeRow]:
    """最新的在前；每一次自动调整都带原因和数字。"""
    before = decode_numbers(cursor, 1)[0] if cursor else None
    async with runtime_of(request).db.begin() as conn:
        found = await list_changes(conn, gateway_id=gateway_id, before=before, limit=limit + 1)
    rows = [ChangeRow.model_validate(one, from_attributes=True) for one in found[:limit]]
    return Listing[ChangeRow](rows=rows, next=encode_cursor(rows[-1].id) if len(found) > limit else None)


def _extras(row: dict[str, Any], pace: Pace) -> dict[str, Any]:
    return {
        "delivery_class": ADAPTERS[row["adapter"]].facts.delivery_class.value,
        "breaker": pace.breaker.value,
        "why": pace.why,
        "share": pace.share,
    }


@routes.post("/{gateway_id}/check", permission="gateway.read", summary="试连网关（不发送）")
async def check(request: Request, gateway_id: PathId) -> Checked:
    """验证地址和凭据，最多等待 30 秒。"""
    reason = await check_gateway(fleet_of(request), gateway_id)
    return Checked(works=False, reason=reason) if reason else Checked(works=True)
