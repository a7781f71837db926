"""Is this process alive, and can it do its work: for load balancers and `docker compose`."""

import asyncio

from fastapi import Request
from fastapi.responses import JSONResponse
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from outreach.governance.actor import Actor
from outreach.runtime import Runtime
from outreach.web.permissions import PUBLIC, Routes


def health_routes() -> Routes:
    """`/health/live` and `/health/ready`."""
    routes = Routes(_nobody, prefix="/health", tags=["health"])

    @routes.get("/live", permission=PUBLIC, summary="进程在运行")
    async def live() -> dict[str, str]:
        return {"state": "ok"}

    @routes.get("/ready", permission=PUBLIC, summary="数据库和缓存可用")
    async def ready(request: Request) -> JSONResponse:
        rt: Runtime = request.app.state.rt
        checks = {"database": await _database(rt), "redis": await _redis(rt)}
        # Valkey only rings the bell: without it pages still work, so the process stays in rotation.
        return JSONResponse(checks, 200 if checks["database"] == "ok" else 503)

    return routes


async def _database(rt: Runtime) -> str:
    try:
        await asyncio.wait_for(rt.db.fetch_one("select 1 as ok"), 3)
    except (OperationalError, PoolTimeout, TimeoutError):
        return "unavailable"
    return "ok"


async def _redis(rt: Runtime) -> str:
    try:
        await asyncio.wait_for(rt.redis.ping(), 2)
    except (RedisError, TimeoutError, OSError):
        return "unavailable"
    return "ok"


async def _nobody(_: Request) -> Actor:
    raise NotImplementedError("health routes are public")
