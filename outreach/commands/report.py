"""`outreach report`: whom a campaign reached."""

from typing import Annotated

import typer

from outreach.analytics.report import campaign_report
from outreach.analytics.tables import reach_table
from outreach.commands.running import console, run
from outreach.labels.cache import SetCache

app = typer.Typer()


@app.command()
def report(campaign: int, org: Annotated[int, typer.Option(help="机构编号")] = 1) -> None:
    """一个活动的触达报告。"""
    found = run(lambda rt: campaign_report(rt, SetCache(), campaign, org))
    for table in reach_table(found):
        console.print(table)
