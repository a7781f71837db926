"""`outreach why`: why a round does not move."""

from typing import Annotated

import typer

from outreach.analytics.stalls import RoundProgress, round_progress
from outreach.clock import in_beijing
from outreach.commands.running import run, tell
from outreach.runtime import Runtime

app = typer.Typer()


@app.command()
def why(round_id: Annotated[int, typer.Argument(help="轮次编号")]) -> None:
    """一轮为什么没动：真实原因按影响大小排列，每条附处理办法。"""

    async def work(rt: Runtime) -> RoundProgress:
        async with rt.db.begin() as conn:
            return await round_progress(conn, round_id)

    found = run(work)
    tell(f"等待发出 {found.waiting:,} 条，尚未编批 {found.uncut:,} 户")
    if found.finish_at:
        tell(f"预计 {in_beijing(found.finish_at):%Y-%m-%d %H:%M} 发完")
    for number, stall in enumerate(found.stalls, 1):
        tell(f"{number}. {stall.text}\n   {stall.advice}")
