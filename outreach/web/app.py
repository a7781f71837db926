"""The web process's application, wired from a runtime that somebody else opens and closes."""

from functools import partial

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from outreach.labels.cache import SetCache
from outreach.ledger.gateways import Fleet
from outreach.ledger.receipts import ReceiptDesk, accept_push
from outreach.runtime import Runtime
from outreach.web.api.limits import CallLimit
from outreach.web.api.routers import api_routers
from outreach.web.assets import static_files
from outreach.web.console.pages import console_routers
from outreach.web.errors import CatchAll, add_error_handlers
from outreach.web.health import health_routes
from outreach.web.middleware import BodyLimit, SecurityHeaders
from outreach.web.public import make_public_router
from outreach.web.revocations import Revocations
from outreach.web.taxpayers import taxpayer_deps
from outreach.web.uploads import Uploads
from outreach.web.webhooks import Pushes

DESCRIPTION = """税务触达平台接口。每个请求带 `Authorization: Bearer ok_…`（设置 › 接口密钥 签发），
只能看到和操作密钥所属机构及其下级的数据。列表用 `cursor` 翻页，错误都有稳定的 `code` 和一句中文说明。"""


def create_app(rt: Runtime) -> FastAPI:
    """Console, API, health, pushes, taxpayers' pages and static files on one runtime. Nothing is connected
    here; whoever closes the runtime calls `close_app` before."""
    app = FastAPI(
        title="Outreach",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    fleet = Fleet(rt)
    app.state.rt = rt
    app.state.cache = SetCache()
    app.state.fleet = fleet
    app.state.desk = ReceiptDesk(rt, fleet)
    app.state.uploads = Uploads(rt)
    app.state.revocations = Revocations(rt)
    app.state.api_limit = CallLimit()
    add_error_handlers(app)
    app.add_middleware(CatchAll)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders, https=rt.settings.secure_cookies)
    _add_routes(app, rt, fleet)
    return app


async def close_app(app: FastAPI) -> None:
    """End what the application began: pushes under way are answered, imports and
    revocations finish."""
    await app.state.desk.close()
    await app.state.uploads.close()
    await app.state.revocations.close()
    await app.state.fleet.close()


def _add_routes(app: FastAPI, rt: Runtime, fleet: Fleet) -> None:
    app.state.pushes = Pushes(partial(accept_push, app.state.desk))
    app.mount("/hooks", app.state.pushes, name="hooks")
    app.include_router(health_routes().router)
    for router in (*api_routers(), *console_routers()):
        app.include_router(router)
    app.include_router(make_public_router(taxpayer_deps(rt, fleet)))
    app.mount("/static", static_files(), name="static")
    app.add_api_route("/", _front, include_in_schema=False, openapi_extra={"x-permission": "public"})


async def _front() -> RedirectResponse:
    return RedirectResponse("/console/", 303)
