"""Is it moving, and if not, why: workers, gateways, quiet hours, all from what stands in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries

_SQL = load_queries(__file__)
ALIVE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Health:
    """What a duty officer asks first. `gateways` are rows that hold their own `backlog` of messages."""

    workers: int
    gateways: list[dict[str, Any]]

    @property
    def backlog(self) -> int:
        """Messages that wait in open batches."""
        return sum(row["backlog"] for row in self.gateways)

    @property
    def good(self) -> bool:
        """Somebody works, and no channel is without an open account."""
        return self.workers > 0 and all(row["state"] == "active" for row in self.gateways)


async def health_of(conn: Connection) -> Health:
    """Live workers and the accounts with what waits for them."""
    row = await (await conn.execute(_SQL["workers"], {"alive": ALIVE})).fetchone()
    gateways = await (await conn.execute(_SQL["gateways"])).fetchall()
    return Health(row["n"] if row else 0, gateways)


async def unknown_messages(conn: Connection, path: str) -> int:
    """Messages of the scope whose outcome nobody can tell yet."""
    row = await (await conn.execute(_SQL["unknown"], {"path": path})).fetchone()
    return int(row["n"]) if row else 0


def stalls(
    round: dict[str, Any], channels: Sequence[str], health: Health, planned: int, unknown: int
) -> list[str]:
    """Why a round does not move, as sentences; empty when nothing holds it up."""
    now: datetime = round["now"]
    if round["state"] in ("finished", "cancelled"):
        return []
    if round["state"] == "scheduled":
        return _before_start(round, now)
    found = []
    if round["state"] == "paused":
        found.append("轮次已被暂停，未发出的消息都在原地等待；继续后不会重复发送。")
    if is_quiet(round["quiet_from"], round["quiet_to"], now):
        found.append(f"现在是静默时段，{round['quiet_to']:%H:%M} 以后自动继续。")
    found += _machinery(channels, health, planned)
    if unknown:
        found.append(f"{unknown:,} 条结果未知，系统正在向网关核实，核实前不会重发。")
    return found


def is_quiet(start: time | None, end: time | None, now: datetime) -> bool:
    """Whether the clock in Beijing stands in a quiet part of the day, which may run over midnight."""
    if start is None or end is None:
        return False
    clock = in_beijing(now).time()
    return start <= clock < end if start < end else clock >= start or clock < end


def _before_start(round: dict[str, Any], now: datetime) -> list[str]:
    if round["campaign_state"] == "draft":
        return ["活动还没有审批，审批通过后轮次按时自动开始。"]
    if round["starts_at"] > now:
        return [f"还没有到开始时间 {in_beijing(round['starts_at']):%Y-%m-%d %H:%M}。"]
    return ["到了开始时间，正在等调度程序编排名单，一般在几秒之内。"]


def _machinery(channels: Sequence[str], health: Health, planned: int) -> list[str]:
    found = []
    if not health.workers:
        found.append("没有发送进程在工作。请联系系统管理员启动发送进程；启动后自动继续。")
    for channel in dict.fromkeys(channels):
        accounts = [row for row in health.gateways if row["channel"] == channel]
        if not any(row["state"] == "active" for row in accounts):
            found.append(f"没有可用的「{channel_name(channel)}」网关，这一级的消息在等待。")
    rate = sum(
        row["rate"] for row in health.gateways if row["channel"] in channels and row["state"] == "active"
    )
    if planned and rate and planned / rate > 300:
        hours, minutes = divmod(int(planned / rate / 60), 60)
        spoken = f"{hours} 小时 {minutes} 分钟" if hours else f"{minutes} 分钟"
        found.append(f"网关限速合计每秒 {rate:,.0f} 条，剩余 {planned:,} 条大约还需 {spoken}。")
    return found


def channel_name(channel: str) -> str:
    """The channel as staff call it."""
    return {"sms": "短信", "rcs": "5G 消息", "wechat": "微信", "email": "邮件"}.get(channel, channel)
