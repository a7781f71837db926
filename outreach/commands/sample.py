"""`outreach sample`: files of a made-up city."""

from pathlib import Path
from typing import Annotated

import typer

from outreach.commands.running import tell
from outreach.sample.generate import generate

app = typer.Typer()


@app.command()
def sample(
    folder: Path,
    taxpayers: Annotated[int, typer.Option(help="户数")] = 100_000,
    seed: Annotated[int, typer.Option(help="随机种子")] = 2026,
) -> None:
    """生成一座虚构城市的数据文件（GBK、Excel、UTF-8 都有）。"""
    manifest = generate(folder, taxpayers, seed)
    tell(f"已生成到 {folder}：{manifest}")
