"""`outreach web`: one process of the product."""

import typer

from outreach.config import load_settings
from outreach.web.server import main

app = typer.Typer()


@app.command()
def web() -> None:
    """网站进程。"""
    main(load_settings())
