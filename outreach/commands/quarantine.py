"""`outreach quarantine`: what may have left while a fail-over lost commits."""

from datetime import datetime
from typing import Annotated

import typer

from campaigns.failover import recover_lost_time
from outreach.clock import BEIJING
from outreach.commands.running import run, tell
from outreach.errors import InvalidInput
from outreach.ledger.quarantine import LostTime
from outreach.runtime import Runtime

_MOMENT = "起始时刻，如 2026-03-16T09:30:05（北京时间）：备库确定已有的最后时刻"
app = typer.Typer()


@app.command("quarantine")
def quarantine_(
    since: Annotated[str, typer.Option(help=_MOMENT)],
    until: Annotated[str, typer.Option(help="截止时刻：旧主库停止应答的时刻；省略则为现在")] = "",
    spare: Annotated[list[int] | None, typer.Option(help="确定没有发送过的轮次编号，可多次给出")] = None,
) -> None:
    """切换到可能缺少最后提交的备库之后、启动工作进程之前：凡可能已发出的，一律改为结果未知。"""
    lost = run(lambda rt: _lost_time(rt, since, until))
    made = run(lambda rt: recover_lost_time(rt, lost, spared=spare or [], by="cli"))
    tell(
        f"结果未知：未发完批次中 {made.opened:,} 条，待重试 {made.resting:,} 条，"
        f"尚未生成消息的接收人 {made.uncut:,} 位。可以启动工作进程了。"
    )


async def _lost_time(rt: Runtime, since: str, until: str) -> LostTime:
    row = await rt.db.fetch_one("select now() as now")
    assert row is not None
    return LostTime(_moment(since), _moment(until) if until else row["now"])


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text} 不是时刻，请写成 2026-03-16T09:30:05", field="since") from None
    return found if found.tzinfo else found.replace(tzinfo=BEIJING)
