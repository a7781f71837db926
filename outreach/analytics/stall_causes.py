"""The causes that hold up a part of a round, and the words for them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any

from outreach.analytics.unknown_reasons import CHANNELS
from outreach.clock import in_beijing
from outreach.ledger.breaker import opened_because

_SOON_SECONDS = 10.0
_BULK_LANES = (3, 4)
_BULK_SHARE = 0.9


class Cause(StrEnum):
    """Why, in the order in which causes of equal weight are told."""

    ENDED = "ended"
    NOT_APPROVED = "not_approved"
    NO_CALENDAR = "no_calendar"
    TOO_EARLY = "too_early"
    PAUSED = "paused"
    WINDOW_CLOSED = "window_closed"
    QUIET_HOURS = "quiet_hours"
    NO_SCHEDULER = "no_scheduler"
    PLANNING = "planning"
    STUCK = "stuck"
    NO_WORKER = "no_worker"
    NO_GATEWAY = "no_gateway"
    GATEWAY_REFUSED = "gateway_refused"
    BREAKER_OPEN = "breaker_open"
    CANARY = "canary"
    NO_DAY = "no_day"
    SLICES = "slices"
    RATE = "rate"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    LADDER = "ladder"
    DAY_OFF = "day_off"
    REVIEW_OWED = "review_owed"
    DONE = "done"


AFTER_SENDING = frozenset({Cause.UNKNOWN, Cause.LADDER, Cause.DAY_OFF, Cause.REVIEW_OWED, Cause.DONE})
"""These are about messages that have left, and hold up none."""
CALM = frozenset(
    {
        Cause.RATE,
        Cause.LADDER,
        Cause.DAY_OFF,
        Cause.DONE,
        Cause.TOO_EARLY,
        Cause.PLANNING,
        Cause.QUIET_HOURS,
        Cause.CANARY,
        Cause.SLICES,
    }
)
"""As planned: nobody has to do anything."""


@dataclass(frozen=True, slots=True)
class Stall:
    """One cause. `held`: the messages that it holds up, which is its weight. `until`: business time at which
    it ends by itself, None if it does not or nobody can tell."""

    cause: Cause
    held: int
    text: str
    advice: str
    until: datetime | None = None

    @property
    def is_calm(self) -> bool:
        """Whether all is as planned."""
        return self.cause in CALM


@dataclass(frozen=True, slots=True)
class Facts:
    """What the queries of stalls.sql brought."""

    round: dict[str, Any]
    steps: Sequence[dict[str, Any]]
    accounts: Sequence[dict[str, Any]]
    resting: dict[str, Any]
    with_numbers: bool

    @property
    def now(self) -> datetime:
        """Business time."""
        moment: datetime = self.round["now"]
        return moment

    @property
    def waiting(self) -> int:
        """Messages cut and not sent."""
        return sum(step["planned"] for step in self.steps)

    @property
    def uncut(self) -> int:
        """Households of which no message has been cut yet."""
        # Who fell to a lower rung was counted twice: where some are to come, there is one at least.
        return max(self.round["uncut"], 1) if any(step["more"] for step in self.steps) else 0

    @property
    def held(self) -> int:
        """All that has still to leave."""
        return self.waiting + self.uncut

    def messages(self, count: int) -> str:
        """A number of messages, as far as it may be told."""
        return f"{count:,} 条" if self.with_numbers else "一部分"


def is_live(facts: Facts) -> bool:
    """Whether the round may send now, as far as its own window and state go, or stands paused."""
    open_now: bool = facts.now < facts.round["ends_at"]
    return facts.round["state"] in ("running", "paused") and open_now


def is_quiet(start: time | None, end: time | None, now: datetime) -> bool:
    """Whether the clock in Beijing stands in a quiet part of the day, which may run over midnight."""
    if start is None or end is None:
        return False
    clock = in_beijing(now).time()
    return start <= clock < end if start < end else clock >= start or clock < end


def _accounts(facts: Facts) -> Iterator[Stall]:
    """Rungs without any account, and accounts through which nothing leaves."""
    for step in facts.steps:
        held = step["planned"] + (facts.uncut if step["more"] else 0)
        here = [one for one in facts.accounts if one["channel"] == step["channel"]]
        if held and not any(one["state"] == "active" for one in here):
            name = CHANNELS[step["channel"]]
            text = f"没有可用的「{name}」网关，第 {step['step'] + 1} 级的消息在等待。"
            advice = "请系统管理员在 设置 › 网关 恢复启用或添加一个账号，之后自动继续。"
            yield Stall(Cause.NO_GATEWAY, held, text, advice)
    for one in facts.accounts:
        if one["state"] == "active" and one["waiting"] and one["breaker"] != "closed":
            yield _broken(facts, one)


def _broken(facts: Facts, account: dict[str, Any]) -> Stall:
    why = opened_because(account["reason"], account["detail"])
    wait = max(0.0, account["next_seconds"] or 0.0)
    then = f"约 {span(wait)}后试发一条" if account["breaker"] == "open" else "正在用一条消息试探"
    held = facts.messages(account["waiting"])
    text = f"网关「{account['name']}」已熔断：{why}；{held}在等待，{then}，成功后自动恢复。"
    if account["reason"] == "refused":
        advice = "请系统管理员核对这个账号的凭据和地址，保存后立即重试。"
        return Stall(Cause.GATEWAY_REFUSED, account["waiting"], text, advice)
    advice = "请联系服务商查明原因；同渠道有其他账号时，没有发出过的批次会自动改走其他账号。"
    return Stall(Cause.BREAKER_OPEN, account["waiting"], text, advice)


def _canary(facts: Facts) -> Iterator[Stall]:
    """The small part that goes first, and the time for which it is watched."""
    row = facts.round
    if not row["canary_waits"] or row["state"] != "running":
        return
    hold = span(row["canary_hold"].total_seconds())
    if row["canary_sent_at"] is None:
        text = f"正在发灰度的一小部分，发完观察 {hold}，没有异常再发其余的。"
        yield Stall(Cause.CANARY, facts.uncut, text, "到时自动继续；异常时自动暂停并说明原因。")
    else:
        until = row["canary_sent_at"] + row["canary_hold"]
        text = f"灰度部分已发完，正在观察失败、投诉和退订，{spoken(until)} 没有异常再发其余的。"
        yield Stall(Cause.CANARY, facts.uncut, text, "到时自动继续；异常时自动暂停并说明原因。", until)


def _slices(facts: Facts) -> Iterator[Stall]:
    """Slices whose day has not come."""
    row = facts.round
    if row["opens_next"] is not None and not row["canary_waits"]:
        whom = f"{row['closed_households']:,} 户" if facts.with_numbers else "一部分"
        text = f"{whom}的错峰时段还没有到，下一段 {spoken(row['opens_next'])} 开放。"
        held = row["closed_households"]
        yield Stall(Cause.SLICES, held, text, "到时自动开始，不需要操作。", row["opens_next"])


def _no_day(facts: Facts) -> Iterator[Stall]:
    """Slices that were put off beyond the window."""
    held = facts.round["dayless_households"]
    if held:
        whom = f"{held:,} 户" if facts.with_numbers else "一部分"
        text = f"错过的时段已顺延，仍有 {whom}在窗口结束前排不下，不会收到提醒。"
        yield Stall(Cause.NO_DAY, held, text, "请申请延长这一轮的窗口，批准后自动排到后面的日子。")


def _unknown(facts: Facts) -> Iterator[Stall]:
    unknown = sum(step["unknown"] for step in facts.steps)
    if unknown:
        then = "系统正在核实" if facts.resting["looked_into"] else "等回执或由人决定"
        text = f"{facts.messages(unknown)}结果未知，{then}，核实前不会重发。"
        yield Stall(Cause.UNKNOWN, unknown, text, "在「结果未知」名单里逐条列出原因和下一步。")


def _rates(facts: Facts) -> Iterator[Stall]:
    """Accounts at whose rate the round waits for its turn. At worst, the others there go first."""
    for one in facts.accounts:
        seconds = seconds_at(one, one["backlog"])
        able = one["state"] == "active" and one["breaker"] == "closed"
        if not (able and one["waiting"]) or seconds < _SOON_SECONDS:
            continue
        until = facts.now + timedelta(seconds=seconds)
        others = one["backlog"] - one["waiting"]
        shared = f"，同一账号上还有其他轮次的 {facts.messages(others)}" if others else ""
        text = (
            f"网关「{one['name']}」限速每秒 {one['rate']:,.0f} 条，本轮 {facts.messages(one['waiting'])}"
            f"在排队{shared}，大约还需 {span(seconds)}，预计 {spoken(until)} 发完。"
        )
        advice = "在正常发送。需要更快时，请向服务商申请提高限速，或为这个渠道再添加一个账号。"
        yield Stall(Cause.RATE, one["waiting"], text, advice, until)


def _deferred(facts: Facts) -> Iterator[Stall]:
    deferred = facts.resting["deferred"]
    if deferred:
        wait = max(0.0, facts.resting["next_seconds"] or 0.0)
        text = f"{facts.messages(deferred)}被网关暂时退回（没有收下），最早 {span(wait)}后再试。"
        yield Stall(Cause.DEFERRED, deferred, text, "系统按逐渐拉长的间隔自动重试，不会重复。")


def _ladder(facts: Facts) -> Iterator[Stall]:
    for step in facts.steps:
        if not (step["accepted"] and step["has_next"]):
            continue
        first = facts.round["started_at"] + step["wait"]
        if step is not facts.steps[-1]:
            first = max(first, facts.round["falls_from"] or first)
        then = f"最早 {spoken(first)}" if first > facts.now else "到时间的陆续转入"
        text = (
            f"第 {step['step'] + 1} 级有 {facts.messages(step['accepted'])}等回执，"
            f"{span(step['wait'].total_seconds())}内没有送达的才转入下一级，{then}。"
        )
        until = first if first > facts.now else None
        yield Stall(Cause.LADDER, step["accepted"], text, "按编排的等待时间进行，不需要操作。", until)


def _day_off(facts: Facts) -> Iterator[Stall]:
    """Fallers of a round that keeps to working days, on a day off or before the hour at which it opens."""
    until = facts.round["falls_from"]
    left = sum(step["accepted"] + step["failed"] for step in facts.steps[:-1])
    if until is None or not left:
        return
    if until < facts.round["ends_at"]:
        text = f"等工作日：这一轮只在工作日发送，没有送达的要到 {spoken(until)} 才转入下一级。"
        yield Stall(Cause.DAY_OFF, 0, text, "到时自动继续，不需要操作。", until)
    else:
        text = "等工作日：这一轮只在工作日发送，窗口结束以前没有工作日了，没有送达的不再转入下一级。"
        yield Stall(Cause.DAY_OFF, 0, text, "需要再提醒的，请新建一个轮次。")


def done(facts: Facts) -> Iterator[Stall]:
    """Nothing holds it up: everything has left."""
    if not facts.held:
        accepted = sum(step["accepted"] for step in facts.steps)
        rest = f"，{facts.messages(accepted)}还在等回执" if accepted else ""
        text = f"全部发出{rest}；轮次在 {spoken(facts.round['ends_at'])} 窗口结束时收尾。"
        yield Stall(Cause.DONE, 0, text, "不需要处理。", facts.round["ends_at"])


Teller = Callable[[Facts], Iterator[Stall]]
ALWAYS: tuple[Teller, ...] = (_accounts, _canary, _no_day, _slices, _unknown)
WHILE_MOVING: tuple[Teller, ...] = (_rates, _deferred, _ladder, _day_off)


def seconds_at(account: dict[str, Any], messages: int) -> float:
    """How long an account needs for so many messages; bulk lanes leave a tenth of the rate to the urgent."""
    share = _BULK_SHARE if account["lane"] in _BULK_LANES else 1.0
    return float(messages / (account["rate"] * share))


def next_clock(now: datetime, clock: time) -> datetime:
    """When the clock in Beijing next shows this time."""
    today = in_beijing(now).replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def spoken(value: datetime) -> str:
    """2026-03-15 14:05 as the clock in Beijing shows it."""
    return f"{in_beijing(value):%Y-%m-%d %H:%M}"


def span(seconds: float) -> str:
    """How long, in the two largest units."""
    minutes = int(seconds // 60)
    days, hours = divmod(minutes, 1440)[0], minutes // 60 % 24
    if days:
        return f"{days} 天 {hours} 小时" if hours else f"{days} 天"
    if hours:
        return f"{hours} 小时 {minutes % 60} 分钟"
    return f"{minutes} 分钟" if minutes else f"{max(1, round(seconds))} 秒"
