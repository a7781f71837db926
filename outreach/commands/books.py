"""`outreach books`: the simulated gateways' books against the ledger."""

from pathlib import Path
from typing import Annotated

import typer

from outreach.books import books_table, compare_books
from outreach.commands.running import console, run
from outreach.rehearsal import control_addresses

app = typer.Typer()


@app.command()
def books(plan: Annotated[Path, typer.Option(help="演练计划文件")] = Path("var/rehearsal.json")) -> None:
    """仿真网关的账与台账逐条核对。"""
    found = run(lambda rt: compare_books(rt, control_addresses(plan)))
    console.print(books_table(found))
    if not all(row.equal for row in found):
        raise typer.Exit(1)
