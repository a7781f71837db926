"""The commands for evidence: `outreach evidence --help`."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from outreach.errors import OutreachError
from outreach.runtime import Runtime
from outreach.service.confirmations import compare_evidence
from outreach.service.evidence import Checked, check_package

Run = Callable[[Callable[[Runtime], Awaitable[Any]]], Any]
_MOST_SHOWN = 20


def evidence_commands(run: Run, console: Console) -> typer.Typer:
    """The group `evidence`; `run` opens a runtime for one piece of work."""
    app = typer.Typer(no_args_is_help=True, help="证据：核对导出的确认记录")

    @app.callback()
    def group() -> None:
        """证据：核对导出的确认记录。"""

    @app.command()
    def verify(
        file: Annotated[Path, typer.Argument(help="导出的证据包（zip）", exists=True, dir_okay=False)],
        online: Annotated[bool, typer.Option("--online", help="还与本系统的数据库和审计链比对")] = False,
    ) -> None:
        """核对证据包：原文、记录、清单和审计事件互相一致。不需要数据库。"""
        try:
            checked = check_package(file.read_bytes())
        except OutreachError as error:
            console.print(f"[red]{error.message}[/red]（{error.code}）", highlight=False)
            raise typer.Exit(1) from None
        faults = [*checked.faults, *(run(lambda rt: _compare(rt, checked)) if online else [])]
        for fault in faults[:_MOST_SHOWN]:
            console.print(f"[red]{fault}[/red]", highlight=False)
        if faults:
            console.print(f"核对没有通过：{len(faults):,} 处不一致", highlight=False)
            raise typer.Exit(1)
        against = "，与本系统一致" if online else "；没有与数据库比对（加 --online）"
        console.print(f"核对通过：{len(checked.records):,} 条记录完整{against}", highlight=False)

    return app


async def _compare(rt: Runtime, checked: Checked) -> list[str]:
    async with rt.db.begin() as conn:
        return await compare_evidence(conn, checked.records, checked.audit_hashes)
