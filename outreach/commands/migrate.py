"""`outreach migrate`: the schema brought up to date."""

import asyncio

import typer

from outreach.commands.running import reached, tell
from outreach.config import load_settings
from outreach.db.migrate import migrate as apply_migrations
from outreach.logs import configure_logs

app = typer.Typer()


@app.command()
def migrate() -> None:
    """更新数据库结构。"""
    settings = load_settings()
    configure_logs(settings.log_level, as_json=False)
    with reached(settings) as there:
        applied = asyncio.run(apply_migrations(there.database_url))
    tell(f"已执行 {len(applied)} 个更新")
