"""`outreach scheduler`: one process of the product."""

import typer

from outreach.config import load_settings
from outreach.scheduler import main

app = typer.Typer()


@app.command()
def scheduler() -> None:
    """调度进程。"""
    main(load_settings())
