"""The command for findings: `outreach scan --help`."""

from typing import Annotated

import typer
from rich.table import Table

from outreach.commands.running import console, run, tell, tell_progress
from outreach.runtime import Runtime
from outreach.statements.findings import STATES, PolicyCounts, count_by_policy
from outreach.statements.scan import DIRECTIONS
from outreach.statements.scan_run import Scanned, run_scan, unit_path

app = typer.Typer()


@app.command()
def scan(
    year: Annotated[int, typer.Option("--year", help="年度，如 2025")],
    unit: Annotated[int, typer.Option("--unit", help="机构编号，含下级机构")] = 1,
) -> None:
    """扫描应享未享、违规享受和临界的户；没有变化的疑点保留核实结果。"""

    async def work(rt: Runtime) -> tuple[Scanned, list[PolicyCounts]]:
        made = await run_scan(rt, year, scope_org_id=unit, by="cli", progress=tell_progress)
        async with rt.db.begin() as conn:
            return made, await count_by_policy(conn, year, await unit_path(conn, unit))

    made, figures = run(work)
    table = Table("政策", "方向", *STATES.values())
    for one in figures:
        states = (f"{one.by_state[state]:,}" for state in STATES)
        table.add_row(one.name, DIRECTIONS[one.direction], *states)
    console.print(table)
    tell(
        f"{made.households:,} 户，享受 {made.enjoyed:,} 户次；新疑点和新版本 {made.found:,} 条"
        f"（其中数据变化 {made.changed:,} 条），未变 {made.kept:,} 条，关闭 {made.closed:,} 条；"
        f"无法计算的记录 {made.refused:,} 条"
    )
