"""Test sends: the unit's list of staff addresses, and a round's texts sent to it."""

from typing import Annotated, Literal

from fastapi import Request
from pydantic import Field

from campaigns.test_sends import add_address, drop_address, list_addresses, send_tests
from outreach.errors import NotAllowed
from outreach.web.api.access import api_routes, cache_of, runtime_of
from outreach.web.api.fields import Model, PathId, SmallId, Text, examples, pick_all
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_round

routes = api_routes("", "试发")
Kind = Literal["mobile", "openid", "email", "wecom_userid", "dingtalk_userid"]


class AddressShown(Model):
    """An address of staff, masked."""

    id: int
    name: str
    kind: str
    value: str


class AddressIn(Model):
    """Who it is, and where she is reached."""

    model_config = examples({"name": "值班员", "kind": "mobile", "value": "13900000000"})
    name: Annotated[Text, Field(min_length=1, max_length=40)]
    kind: Kind
    value: Annotated[Text, Field(min_length=1, max_length=200)]


class Chosen(Model):
    """Addresses of the unit's list."""

    model_config = examples({"addresses": [1]})
    addresses: Annotated[list[SmallId], Field(min_length=1, max_length=20)]


class TriedShown(Model):
    """What came of one test message; `reason` where the gateway did not take it."""

    step: int
    channel: str
    name: str
    taken: bool
    reason: str


@routes.get("/test-addresses", permission="campaign.write", summary="试发名单")
async def show(request: Request) -> list[AddressShown]:
    """本级的试发名单，联系方式已脱敏。"""
    return await _listed(request)


@routes.post("/test-addresses", permission="campaign.write", summary="加入试发名单", status_code=201)
async def add(request: Request, body: AddressIn) -> list[AddressShown]:
    """联系方式加密保存，最多 20 个。"""
    actor = actor_of(request)
    await add_address(runtime_of(request), actor, name=body.name, kind=body.kind, value=body.value)
    return await _listed(request)


@routes.delete(
    "/test-addresses/{address_id}", permission="campaign.write", summary="移出试发名单", status_code=204
)
async def drop(request: Request, address_id: PathId) -> None:
    """只能移出本级的。"""
    await drop_address(runtime_of(request), actor_of(request), address_id)


@routes.post("/rounds/{round_id}/test-sends", permission="campaign.write", summary="试发")
async def send(request: Request, round_id: PathId, body: Chosen) -> list[TriedShown]:
    """用一位真实收件人的数据（姓名和名称已脱敏）把每一级的正文发给名单，标明测试，不计入轮次。"""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        row = await find_round(conn, actor, round_id)
    if not row["is_own"]:
        raise NotAllowed("这个轮次由上级机构管理，在这里只能查看。")
    fleet, cache = request.app.state.fleet, cache_of(request)
    tried = await send_tests(rt, cache, fleet, actor, round_id, body.addresses)
    return [TriedShown.model_validate(one, from_attributes=True) for one in tried]


async def _listed(request: Request) -> list[AddressShown]:
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        return pick_all(AddressShown, await list_addresses(rt, conn, actor_of(request)))
