"""`outreach gateways-log`: what gateways went through."""

from typing import Annotated

import typer
from rich.table import Table

from outreach.clock import in_beijing
from outreach.commands.running import console, run
from outreach.ledger.pace_log import LoggedChange, list_changes
from outreach.runtime import Runtime

app = typer.Typer()


@app.command("gateways-log")
def gateways_log(
    gateway: Annotated[int | None, typer.Argument(help="网关编号；省略则全部")] = None,
    limit: Annotated[int, typer.Option(help="最多几条")] = 50,
) -> None:
    """网关熔断、恢复、权重和改道的记录，最新的在前，每条带原因。"""

    async def work(rt: Runtime) -> list[LoggedChange]:
        async with rt.db.begin() as conn:
            return await list_changes(conn, gateway_id=gateway, limit=limit)

    table = Table("时间", "网关", "变化", "原因")
    for change in run(work):
        table.add_row(f"{in_beijing(change.at):%Y-%m-%d %H:%M:%S}", change.gateway, change.what, change.text)
    console.print(table)
