"""`outreach up`: everything on one machine."""

import time
from typing import Annotated

import typer
import uvloop

from outreach.commands.running import interruptible, tell
from outreach.config import Settings, load_settings
from outreach.db.migrate import migrate as apply_migrations
from outreach.logs import configure_logs
from outreach.processes import start_services, start_stack
from outreach.runtime import close_runtime, open_runtime
from outreach.setup import ensure_first_use

app = typer.Typer()


@app.command()
def up(workers: Annotated[int, typer.Option(help="工作进程数")] = 1) -> None:
    """启动全部服务：数据库、队列、网站、工作进程、调度。按 Ctrl-C 停止。"""
    settings = load_settings()
    configure_logs("WARNING", as_json=False)
    stack = start_stack(settings)
    try:
        uvloop.run(_first_use(stack.settings))
        start_services(stack, workers=workers)
        tell(f"控制台：{stack.settings.base_url}/console/")
        with interruptible():
            while True:
                time.sleep(0.5)
                stack.watch()
    except KeyboardInterrupt:
        tell("正在停止……")
    finally:
        stack.stop()


async def _first_use(settings: Settings) -> None:
    await apply_migrations(settings.database_url)
    rt = await open_runtime(settings, name="setup")
    try:
        password = await ensure_first_use(rt)
    finally:
        await close_runtime(rt)
    if password:
        tell(f"首次使用：登录名 [bold]admin[/bold]，口令 [bold]{password}[/bold]（只显示这一次）")
