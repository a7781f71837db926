"""Why a round is not moving: the true causes, the one that holds up most first, each with what to do.

Everything is read from the rows that decide (round, ladder, batches, accounts, heart-beats), so that the
answer and the machinery cannot disagree.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from outreach.analytics.stall_causes import (
    AFTER_SENDING,
    ALWAYS,
    WHILE_MOVING,
    Cause,
    Facts,
    Stall,
    done,
    is_live,
    is_quiet,
    next_clock,
    seconds_at,
    spoken,
)
from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.ledger.falling import falls_from
from outreach.registry.working_days import load_calendar, unknown_year

SQL = load_queries(__file__)

ALIVE = timedelta(seconds=20)
"""A worker beats every two seconds; one that has not for so long does not work."""
_TICKING = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Where a round stands. `waiting`: messages cut and not sent; `uncut`: households without a message yet;
    `finish_at`: business time at which what waits has left at the accounts' rates, None if it stands."""

    state: str
    waiting: int
    uncut: int
    finish_at: datetime | None
    stalls: tuple[Stall, ...]


async def round_progress(conn: Connection, round_id: int, *, with_numbers: bool = True) -> RoundProgress:
    """Where a round stands and why. Raises NotFound. `with_numbers` false for who manages a part of it: the
    figures are those of the whole round. The caller has found the round visible."""
    keys = {"round_id": round_id, "alive": ALIVE, "ticking": _TICKING}
    row = await (await conn.execute(SQL["round_facts"], keys)).fetchone()
    if row is None:
        raise NotFound("没有这个轮次，请核对编号。")
    steps = await (await conn.execute(SQL["step_facts"], keys)).fetchall()
    accounts = await (await conn.execute(SQL["account_facts"], keys)).fetchall()
    resting = await (await conn.execute(SQL["resting_facts"], keys)).fetchone()
    assert resting is not None
    row["unknown_year"] = await _unknown_year(conn, row)
    row["falls_from"] = await falls_from(conn, row)
    return judge(Facts(row, steps, accounts, resting, with_numbers))


async def _unknown_year(conn: Connection, row: dict[str, Any]) -> int | None:
    """The first year of the window whose holidays nobody knows, where a round is spread over working days."""
    rule = row["stagger"]
    if row["state"] != "scheduled" or not rule or (rule.get("opens") and not rule.get("working_days")):
        return None
    calendar = await load_calendar(conn, row["org_id"])
    first, last = (in_beijing(row[name]).year for name in ("starts_at", "ends_at"))
    return next((year for year in range(first, last + 1) if not calendar.knows(year)), None)


def judge(facts: Facts) -> RoundProgress:
    """The causes by weight, those of unsent messages first; what is only slow is not worth telling while
    everything stands."""
    stops = list(_stops(facts))
    found = [*stops, *_owed(facts)]
    if is_live(facts):
        tellers = ALWAYS if stops else (*ALWAYS, *WHILE_MOVING)
        found += [stall for tell in tellers for stall in tell(facts)]
        found = found or list(done(facts))
    order = list(Cause)
    found.sort(key=lambda stall: (stall.cause in AFTER_SENDING, -stall.held, order.index(stall.cause)))
    finish = None if stops else _finish_at(facts)
    return RoundProgress(facts.round["state"], facts.waiting, facts.uncut, finish, tuple(found))


def _stops(facts: Facts) -> Iterator[Stall]:
    """What holds up the whole round."""
    state, campaign = facts.round["state"], facts.round["campaign_state"]
    if state in ("finished", "cancelled"):
        yield from _ended(facts)
    elif campaign in ("draft", "in_review"):
        yield _unsigned(facts)
    elif state == "scheduled":
        yield from _before_start(facts)
    elif facts.now >= facts.round["ends_at"]:
        text = f"轮次窗口已在 {spoken(facts.round['ends_at'])} 结束，没有发出的按规定过期，不再发送。"
        yield Stall(Cause.WINDOW_CLOSED, facts.held, text, "需要再提醒的，请新建一个轮次。")
    else:
        yield from _standing(facts)


def _owed(facts: Facts) -> Iterator[Stall]:
    """What was started without a second signature and has not been reviewed in time."""
    since = facts.round["review_owed_since"]
    if since is not None:
        text = f"应急发出应在 {spoken(since)} 以前由另一人复核，已经逾期；不影响发送。"
        yield Stall(Cause.REVIEW_OWED, 0, text, "请审批岗在活动页面复核；逾期期间发出人不能再应急发出。")


def _unsigned(facts: Facts) -> Stall:
    if facts.round["campaign_state"] == "draft":
        text = "活动还没有审批，审批通过后轮次按时自动开始。"
        return Stall(Cause.NOT_APPROVED, facts.held, text, "请经办人在活动页面核对后提交审批。")
    why = facts.round["void_reason"]
    text = why or "活动已提交，还没有审批，审批通过后轮次按时自动开始。"
    return Stall(Cause.NOT_APPROVED, facts.held, text, "请审批岗在活动页面审批或退回。")


def _ended(facts: Facts) -> Iterator[Stall]:
    if facts.round["state"] == "cancelled" and facts.round["finished_at"] is None:
        text = "轮次已取消，正在收尾：在途的一小段等结果，其余全部放弃。"
        yield Stall(Cause.ENDED, facts.waiting, text, "不需要处理。")


def _before_start(facts: Facts) -> Iterator[Stall]:
    starts_at: datetime = facts.round["starts_at"]
    year = facts.round["unknown_year"]
    if year is not None and not facts.round["stuck_reason"]:
        yield Stall(Cause.NO_CALENDAR, 0, f"日历没有 {year} 年，到时排不出哪天发。", unknown_year(year))
    if starts_at > facts.now:
        text = f"还没有到开始时间 {spoken(starts_at)}。"
        yield Stall(Cause.TOO_EARLY, 0, text, "到时自动开始，不需要操作。", starts_at)
    elif not facts.round["ticks"]:
        yield _no_scheduler(facts)
    elif facts.round["stuck_reason"]:
        text = f"到了开始时间，但名单排不出来：{facts.round['stuck_reason']}"
        yield Stall(Cause.STUCK, facts.held, text, "每隔几秒自动再试；需要改规则的，请取消后新建轮次。")
    elif facts.round["is_triggered"]:
        text = "等候事件：事件一到就发，每天另起一个轮次记账。"
        yield Stall(Cause.TOO_EARLY, 0, text, f"触发到 {spoken(facts.round['ends_at'])} 为止，不需要操作。")
    elif facts.round["is_rule"]:
        text = "每天自动找出日期涉及的纳税人，有人的日子另起一个轮次发送。"
        yield Stall(Cause.TOO_EARLY, 0, text, f"规则到 {spoken(facts.round['ends_at'])} 为止，不需要操作。")
    else:
        text = "到了开始时间，正在等调度程序编排名单，一般在几秒之内。"
        advice = "超过一分钟仍未开始，请系统管理员查看调度进程日志中的 round.stuck。"
        yield Stall(Cause.PLANNING, 0, text, advice)


def _standing(facts: Facts) -> Iterator[Stall]:
    row = facts.round
    if row["state"] == "paused":
        why = f"自动暂停：{row['pause_reason']}" if row["pause_reason"] else "轮次已被暂停，"
        text = f"{why}未发出的消息都在原地等待；继续后不会重复发送。"
        yield Stall(Cause.PAUSED, facts.held, text, "需要发送时点「继续发送」。")
    if row["campaign_state"] != "running":
        text = "活动没有在进行，它的轮次都不发送。"
        yield Stall(Cause.PAUSED, facts.held, text, "请先恢复活动。")
    if facts.held and is_quiet(row["quiet_from"], row["quiet_to"], facts.now):
        text = f"现在是静默时段，{row['quiet_to']:%H:%M} 以后自动继续。"
        until = next_clock(facts.now, row["quiet_to"])
        yield Stall(Cause.QUIET_HOURS, facts.held, text, "按规定这段时间不打扰纳税人，不需要操作。", until)
    if facts.uncut and not row["ticks"]:
        yield _no_scheduler(facts)
    if facts.held and not row["workers"]:
        text = "没有发送进程在工作。请联系系统管理员启动发送进程；启动后自动继续。"
        yield Stall(Cause.NO_WORKER, facts.held, text, "在服务器上运行 outreach worker，或查看它的日志。")


def _no_scheduler(facts: Facts) -> Stall:
    text = "没有调度进程在工作，新的消息不会编入批次，轮次也不会开始和结束。"
    return Stall(Cause.NO_SCHEDULER, facts.uncut, text, "请系统管理员启动调度进程：outreach scheduler。")


def _finish_at(facts: Facts) -> datetime | None:
    if not facts.held or not is_live(facts):
        return None
    able = [one for one in facts.accounts if one["state"] == "active" and one["breaker"] == "closed"]
    waits = [seconds_at(one, one["backlog"]) for one in able if one["waiting"]]
    for step in facts.steps:
        if not step["more"]:
            continue
        here = [one for one in able if one["channel"] == step["channel"]]
        if not here:
            return None
        waits.append(facts.held / sum(one["rate"] for one in here))
    return facts.now + timedelta(seconds=max(waits)) if waits else None
