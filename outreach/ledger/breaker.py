"""The breaker of a gateway account: when it opens, when it tries again, when it closes. Pure rules.

It opens on 50 errors within a minute, on a fifth of at least 100 tries that came to nothing, or when the
account cannot be opened at all. After a pause that doubles with every failed probe, one message is sent; its
acceptance closes the breaker, and what went before no longer counts against the account.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

ERRORS = 50
TRIES = 100
SHARE = 0.2
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_FORGET = timedelta(minutes=5)
"""An account that held out so long begins with the first pause again."""


class Breaker(StrEnum):
    """As stored in gateway_pace.breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the tries of the last minute came to, not counting those before the breaker last moved. `refused`:
    the fault with which the account could not be opened, empty if it could."""

    tries: int = 0
    errors: int = 0
    throttled: int = 0
    refused: str = ""

    @property
    def good(self) -> int:
        """Tries that show the account at work: taken, or refused for reasons of the message."""
        return self.tries - self.errors - self.throttled


@dataclass(frozen=True, slots=True)
class Standing:
    """A breaker with the moment of its last move and, if open, the seconds that it stays so."""

    breaker: Breaker
    since: datetime
    pause: float


@dataclass(frozen=True, slots=True)
class Move:
    """A breaker's next position, with the reason and its figures."""

    to: Breaker
    pause: float
    reason: str
    detail: Mapping[str, Any]


def next_move(standing: Standing, seen: Seen, now: datetime) -> Move | None:
    """What the breaker does now; None if it stays."""
    match standing.breaker:
        case Breaker.CLOSED:
            reason = ailment(seen)
            fresh = now - standing.since < _FORGET
            pause = _longer(standing.pause) if fresh else _FIRST_PAUSE
            return _open(reason, seen, pause) if reason else None
        case Breaker.OPEN:
            if now >= standing.since + timedelta(seconds=standing.pause):
                return Move(Breaker.HALF_OPEN, standing.pause, "pause_over", {"pause": standing.pause})
            return None
        case Breaker.HALF_OPEN:
            if seen.good > 0:
                return Move(Breaker.CLOSED, standing.pause, "probe_taken", {})
            if seen.refused or seen.errors:
                reason = "refused" if seen.refused else "probe_failed"
                return _open(reason, seen, _longer(standing.pause))
            return None


def ailment(seen: Seen) -> str:
    """Why a closed breaker opens; empty if it does not."""
    # One process that cannot reach the account says little while others can.
    if seen.refused and not seen.good:
        return "refused"
    if seen.errors >= ERRORS:
        return "errors"
    if seen.tries >= TRIES and seen.errors + seen.throttled > SHARE * seen.tries:
        return "share"
    return ""


def _open(reason: str, seen: Seen, pause: float) -> Move:
    detail = {
        "tries": seen.tries,
        "errors": seen.errors,
        "throttled": seen.throttled,
        "refused": seen.refused,
        "pause": pause,
    }
    return Move(Breaker.OPEN, pause, reason, detail)


def _longer(pause: float) -> float:
    return min(_LONGEST_PAUSE, max(_FIRST_PAUSE, pause * 2))


_FAULTS = {
    "misconfigured": "配置有误",
    "unauthorized": "凭据被拒绝",
    "unreachable": "连接不上",
    "throttled": "被限流",
}


def opened_because(reason: str, detail: Mapping[str, Any]) -> str:
    """Why a breaker opened, for staff."""
    tries, errors = detail.get("tries", 0), detail.get("errors", 0)
    throttled = detail.get("throttled", 0)
    match reason:
        case "refused":
            fault, _, code = str(detail.get("refused", "")).partition(" ")
            return f"账号打不开，{_FAULTS.get(fault, fault)}" + (f"（{code}）" if code else "")
        case "share":
            limited = f"，其中被限流 {throttled:,} 次" if throttled else ""
            return f"一分钟内 {tries:,} 次提交有 {errors + throttled:,} 次没有成功{limited}"
        case "probe_failed":
            return "试发的一条没有成功"
        case _:
            return f"一分钟内 {errors:,} 次提交结果未知或被网关拒绝（共 {tries:,} 次）"
