"""Who calls the API: a machine with its key, or staff in the browser under their session.

A key (`Authorization: Bearer ok_…`) never holds the powers that belong to persons (approving, issuing keys);
a session has to prove, as on every page of the console, that the request comes from our own page.
"""

from typing import Any

from fastapi import Request, Security
from fastapi.security import HTTPBearer

from outreach.errors import NotAuthenticated
from outreach.governance.actor import Actor
from outreach.governance.api_keys import resolve_key
from outreach.labels.cache import SetCache
from outreach.ledger.gateways import Fleet
from outreach.runtime import Runtime
from outreach.web.api.limits import CallLimit
from outreach.web.console import access as console
from outreach.web.permissions import Routes
from outreach.web.uploads import Uploads

PREFIX = "/api/v1"
_LONGEST_KEY = 80
_BEARER = HTTPBearer(
    scheme_name="api_key", description="设置 › 接口密钥 中签发，形如 `ok_…`，只显示一次。", auto_error=False
)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    401: {"description": "没有密钥，或密钥无效、已吊销、已过期"},
    403: {"description": "密钥没有这个权限"},
    422: {"description": "内容不符合要求：`details` 指明位置和原因"},
    429: {"description": "调用太快：等待 `Retry-After` 秒后再试"},
    503: {"description": "依赖的服务暂时没有应答：等待 `Retry-After` 秒后再试"},
}


def api_routes(path: str, tag: str) -> Routes:
    """A router of API routes under `/api/v1{path}`."""
    return Routes(
        authenticate,
        prefix=f"{PREFIX}{path}",
        tags=[tag],
        dependencies=[Security(_BEARER)],
        responses=_ANSWERS,
    )


async def authenticate(request: Request) -> Actor:
    """The guard of every API route. Raises NotAuthenticated, NotAllowed, TooMany."""
    actor = await _authenticate(request)
    limit: CallLimit = request.app.state.api_limit
    limit.take(actor.name)
    return actor


async def _authenticate(request: Request) -> Actor:
    given = request.headers.get("authorization")
    if given is None and console.cookie_name(request) in request.cookies:
        return await console.authenticate(request)
    scheme, _, key = (given or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise NotAuthenticated("请在请求头 Authorization 中带上接口密钥：Bearer ok_…")
    if len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise NotAuthenticated("接口密钥无效、已吊销或已过期。请联系安全管理员换发。")
    return await resolve_key(runtime_of(request), key)


def runtime_of(request: Request) -> Runtime:
    """The process's runtime."""
    rt: Runtime = request.app.state.rt
    return rt


def cache_of(request: Request) -> SetCache:
    """The process's cache of sets."""
    cache: SetCache = request.app.state.cache
    return cache


def fleet_of(request: Request) -> Fleet:
    """The process's open gateway accounts."""
    fleet: Fleet = request.app.state.fleet
    return fleet


def uploads_of(request: Request) -> Uploads:
    """The imports that this process runs."""
    uploads: Uploads = request.app.state.uploads
    return uploads
