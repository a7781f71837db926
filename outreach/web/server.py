"""The web process: the application under uvicorn, with what it holds opened before and closed after."""

import asyncio
import signal

import uvicorn
import uvloop

from outreach.collector import calm_collector
from outreach.config import Settings
from outreach.ledger.uplink_feed import feed_opened
from outreach.logs import configure_logs, get_log
from outreach.runtime import close_runtime, open_runtime
from outreach.web.app import close_app, create_app
from outreach.web.webhooks import pushes_first


async def _main(settings: Settings) -> None:
    rt = await open_runtime(settings, name="web")
    app = create_app(rt)
    config = uvicorn.Config(
        pushes_first(app.state.pushes, app),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)
    get_log().info("web.started", port=settings.port)
    listening = asyncio.create_task(feed_opened(app.state.fleet, app.state.desk))
    try:
        await server.serve()
    finally:
        listening.cancel()
        await close_app(app)
        await close_runtime(rt)


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logs(settings.log_level, settings.log_json)
    calm_collector()
    uvloop.run(_main(settings))
