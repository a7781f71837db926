"""The commands for evidence: `outreach evidence --help`."""

from pathlib import Path
from typing import Annotated

import typer

from outreach.commands.running import complaining, run, tell
from outreach.config import load_settings
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.confirmations import compare_evidence
from outreach.service.evidence import Checked, check_package, evidence_signer, public_key_of

_MOST_SHOWN = 20

app = typer.Typer(no_args_is_help=True, help="证据：核对导出的确认记录")


@app.callback()
def group() -> None:
    """证据：核对导出的确认记录。"""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="导出的证据包（zip）", exists=True, dir_okay=False)],
    key: Annotated[str, typer.Option("--key", help="导出系统的公钥（64 位十六进制）")] = "",
    online: Annotated[bool, typer.Option("--online", help="还与本系统的数据库和审计链比对")] = False,
) -> None:
    """核对证据包：原文、记录、清单和审计事件互相一致；给出公钥时，还核对由谁签名。不需要数据库。"""
    with complaining():
        checked = check_package(file.read_bytes(), key=key)
    faults = [*checked.faults, *(run(lambda rt: _compare(rt, checked)) if online else [])]
    for fault in faults[:_MOST_SHOWN]:
        tell(f"[red]{fault}[/red]")
    if faults:
        tell(f"核对没有通过：{len(faults):,} 处不一致")
        raise typer.Exit(1)
    against = "，与本系统一致" if online else ""
    tell(f"核对通过：{len(checked.records):,} 条记录完整{against}")
    if key:
        tell(f"签名有效，由公钥 {checked.signed_by} 的持有者导出")
    elif not online:
        tell("只核对了包内各部分互相一致，没有核对由谁导出：请加 --key 公钥，或在导出的系统上加 --online")


@app.command("key")
def show_key() -> None:
    """显示本系统签署证据包的公钥，供收到证据包的人核对。"""
    with complaining():
        tell(public_key_of(evidence_signer(open_vault(load_settings()))))


async def _compare(rt: Runtime, checked: Checked) -> list[str]:
    async with rt.db.begin() as conn:
        return await compare_evidence(conn, checked.records, checked.audit_hashes)
