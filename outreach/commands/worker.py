"""`outreach worker`: one process of the product."""

import typer

from outreach.config import load_settings
from outreach.worker import main

app = typer.Typer()


@app.command()
def worker() -> None:
    """工作进程。"""
    main(load_settings())
