"""Every route of the web process says who may use it."""

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.routing import BaseRoute

from outreach.config import Settings
from outreach.db.pool import Database
from outreach.governance.permissions import PERMISSIONS
from outreach.runtime import Runtime
from outreach.web.app import create_app
from outreach.web.permissions import PUBLIC, SELF, permission_of


@pytest.fixture
async def offline() -> Runtime:
    settings = Settings(
        database_url="host=/nowhere", redis_url="redis://127.0.0.1:1/0", master_key=SecretStr("5f" * 32)
    )
    return Runtime(
        settings, Database(settings.database_url), Redis.from_url(settings.redis_url), httpx.AsyncClient()
    )


def all_routes(rt: Runtime) -> list[BaseRoute]:
    """Also those of included routers, which FastAPI keeps nested."""
    return [context.original_route for context in iter_route_contexts(create_app(rt).routes)]


async def test_every_route_declares_its_permission(offline: Runtime) -> None:
    routes = all_routes(offline)
    assert sum(isinstance(route, APIRoute) for route in routes) > 80
    for route in routes:
        declared = permission_of(route)
        assert declared in {PUBLIC, SELF, *PERMISSIONS}, f"{getattr(route, 'path', route)}: {declared}"


async def test_what_changes_something_is_not_public_by_get(offline: Runtime) -> None:
    for route in all_routes(offline):
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            assert route.methods <= {"GET", "HEAD"}, route.path
