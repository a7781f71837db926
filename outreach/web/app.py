"""The web process's application, wired from a runtime that somebody else opens and closes."""

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from outreach.web.api import api_routers
from outreach.web.console.pages import console_routers
from outreach.web.errors import CatchAll, add_error_handlers
from outreach.web.health import health_routes
from outreach.web.middleware import BodyLimit, SecurityHeaders
from outreach.web.assets import static_files

DESCRIPTION = """税务触达平台接口。每个请求带 `Authorization: Bearer ok_…`（设置 › 接口密钥 签发），
只能看到和操作密钥所属机构及其下级的数据。列表用 `cursor` 翻页，错误都有稳定的 `code` 和一句中文说明。"""


def create_app(rt: Runtime) -> FastAPI:
    """Console, API, health, pushes, taxpayers' pages and static files on one runtime."""
    app = FastAPI(
        title="Outreach",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.rt = rt
    app.state.cache = SetCache()
    add_error_handlers(app)
    app.add_middleware(CatchAll)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders, https=rt.settings.secure_cookies)
    for router in (health_routes().router, *api_routers(), *console_routers()):
        app.include_router(router)
    app.mount("/static", static_files(), name="static")
    app.add_api_route("/", _front, include_in_schema=False, openapi_extra={"x-permission": "public"})
    return app


async def _front() -> RedirectResponse:
    return RedirectResponse("/console/", 303)
