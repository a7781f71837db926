"""`outreach audit`: the figures counted again."""

from typing import Annotated

import typer
from rich.table import Table

from outreach.commands.running import console, run
from outreach.ledger.audit import RoundAudit, audit_everything, audit_round
from outreach.runtime import Runtime

app = typer.Typer()


@app.command()
def audit(round_id: Annotated[int | None, typer.Argument(help="轮次编号；省略则核对全部")] = None) -> None:
    """重新清点一轮或全部轮次，逐项核对报表的数。"""

    async def work(rt: Runtime) -> list[RoundAudit]:
        return [await audit_round(rt, round_id)] if round_id else await audit_everything(rt)

    audits = run(work)
    for found in audits:
        table = Table("核对项", "左", "右", "", title=f"{found.round_id} {found.name}", title_justify="left")
        for check in found.checks:
            mark = "[green]一致[/green]" if check.agrees else "[red]不一致[/red]"
            table.add_row(check.name, f"{check.left:,}", f"{check.right:,}", mark)
        console.print(table)
    if not all(found.agrees for found in audits):
        raise typer.Exit(1)
