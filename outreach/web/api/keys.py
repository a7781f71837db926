"""API keys: who may call, for which unit, with which permissions, until when."""

from datetime import datetime
from typing import Annotated

from fastapi import Request
from pydantic import Field

from outreach.governance.api_keys import MAX_DAYS, create_key, list_keys, revoke_key
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model, PathId, SmallId, Text, examples, pick_all
from outreach.web.permissions import actor_of

routes = api_routes("/keys", "接口密钥")


class KeyRow(Model):
    """A key without its secret."""

    id: int
    prefix: str
    name: str
    org_id: int
    org_name: str
    permissions: list[str]
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None
    created_by: str
    created_at: datetime


class Keys(Model):
    """Newest first."""

    rows: list[KeyRow]


class KeyOrder(Model):
    """Which system gets which permissions on which unit, for how many days."""

    model_config = examples(
        {"name": "征管系统事件推送", "org_id": 2, "permissions": ["event.write"], "days": 180}
    )
    name: Annotated[Text, Field(min_length=1, max_length=60)]
    org_id: SmallId
    permissions: Annotated[list[Text], Field(min_length=1, max_length=50)]
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)]


class NewKey(Model):
    """The only moment at which the key can be read."""

    id: int
    key: str


@routes.get("", permission="key.read", summary="接口密钥列表")
async def show_list(request: Request) -> Keys:
    """数据范围内各机构的密钥，不含密文。"""
    async with runtime_of(request).db.begin() as conn:
        return Keys(rows=pick_all(KeyRow, await list_keys(conn, actor_of(request))))


@routes.post("", permission="key.write", summary="签发接口密钥", status_code=201)
async def issue(request: Request, body: KeyOrder) -> NewKey:
    """只有安全管理员登录后才能签发，密钥不能签发密钥。完整密钥只在这里出现一次。"""
    made = await create_key(
        runtime_of(request),
        actor_of(request),
        name=body.name,
        org_id=body.org_id,
        permissions=body.permissions,
        days=body.days,
    )
    return NewKey(id=made.id, key=made.key)


@routes.post("/{key_id}/revoke", permission="key.write", summary="吊销接口密钥", status_code=204)
async def revoke(request: Request, key_id: PathId) -> None:
    """立即生效。"""
    await revoke_key(runtime_of(request), actor_of(request), key_id)
