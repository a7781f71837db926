"""What breakers and weights did, and how they stand, in words that staff read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.ledger.breaker import Breaker, opened_because

SQL = load_queries(__file__)

BREAKERS = {Breaker.CLOSED: "正常", Breaker.OPEN: "已熔断", Breaker.HALF_OPEN: "试探中"}
WHATS = {"opened": "熔断", "probing": "试探", "closed": "恢复", "weight": "调整权重", "moved": "改道"}


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """One line of the accounts' log, by machine time. `what` is the kind of change in Chinese."""

    id: int
    gateway_id: int
    gateway: str
    channel: str
    at: datetime
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Pace:
    """An account now. `share`: its part of the channel's new batches; `has_moved`: it differs from the
    configured weight. `tries`, `errors`: of the last minute; `why`: empty while the breaker is closed."""

    breaker: Breaker
    word: str
    share: int
    has_moved: bool
    tries: int
    errors: int
    why: str
    next_seconds: float


async def list_changes(
    conn: Connection, *, gateway_id: int | None = None, before: int | None = None, limit: int
) -> list[LoggedChange]:
    """The newest changes, of one account or of all; `before`: the id from which the last page ended."""
    keys = {"gateway_id": gateway_id, "before": before, "limit": limit}
    rows = await (await conn.execute(SQL["changes"], keys)).fetchall()
    return [
        LoggedChange(
            row["id"],
            row["gateway_id"],
            row["name"],
            row["channel"],
            row["at"],
            WHATS[row["what"]],
            tell(row),
        )
        for row in rows
    ]


async def paces(conn: Connection) -> dict[int, Pace]:
    """How every account stands."""
    rows = await (await conn.execute(SQL["paces"])).fetchall()
    return {row["id"]: _pace(row) for row in rows}


def _pace(row: Mapping[str, Any]) -> Pace:
    breaker = Breaker(row["breaker"])
    why = "" if breaker is Breaker.CLOSED else opened_because(row["reason"], row["detail"])
    wait = max(0.0, row["next_seconds"] or 0.0) if breaker is Breaker.OPEN else 0.0
    return Pace(
        breaker, BREAKERS[breaker], row["share"], row["moved"], row["tries"], row["errors"], why, wait
    )


def tell(change: Mapping[str, Any]) -> str:
    """A change as a sentence with its figures."""
    detail: Mapping[str, Any] = change["detail"]
    match change["what"], change["reason"]:
        case "opened", reason:
            return f"{opened_because(reason, detail)}；停发 {detail.get('pause', 0):.0f} 秒后用一条消息试探。"
        case "probing", _:
            return "停发时间到，用一条消息试探。"
        case "closed", "settings":
            return "账号设置已更新，立即恢复发送。"
        case "closed", _:
            return "试探成功，恢复发送。"
        case "moved", _:
            moved = f"{detail['batches']:,} 个还没有发出的批次共 {detail['messages']:,} 条"
            return f"{moved}改走「{change['other']}」；已提交和结果未知的消息留在原账号。"
    move = f"新批次占比 {detail['from']}% → {detail['to']}%"
    match change["reason"]:
        case "errors":
            return f"「{change['other']}」一分钟内有 {detail['errors']:,} 次错误，{move}。"
        case "slow":
            late = f"抽查 {detail['judged']:,} 条中 {detail['slow']:,} 条 5 分钟内没有回执"
            return f"「{change['other']}」回执过慢（{late}），{move}。"
    return f"逐步回到设定的权重，{move}。"
