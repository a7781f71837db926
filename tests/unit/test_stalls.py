"""Why a round stands: quiet hours, the order of causes, and what is told to whom."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from outreach.analytics.stall_causes import Facts, is_quiet, next_clock, span
from outreach.analytics.stalls import judge

NOW = datetime(2026, 3, 18, 2, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("clock", "quiet"),
    [("21:59", False), ("22:00", True), ("03:00", True), ("07:59", True), ("08:00", False)],
)
def test_quiet_hours_run_over_midnight(clock: str, quiet: bool) -> None:
    now = datetime.fromisoformat(f"2026-03-18T{clock}:00+08:00")
    assert is_quiet(time(22), time(8), now) is quiet
    assert not is_quiet(None, None, now)


@pytest.mark.parametrize(("clock", "day"), [("03:00", 18), ("22:30", 19), ("08:00", 19)])
def test_the_end_of_quiet_hours_is_the_next_one(clock: str, day: int) -> None:
    now = datetime.fromisoformat(f"2026-03-18T{clock}:00+08:00")
    assert next_clock(now, time(8)) == datetime.fromisoformat(f"2026-03-{day}T08:00:00+08:00")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 秒"),
        (59.4, "59 秒"),
        (60, "1 分钟"),
        (3600, "1 小时 0 分钟"),
        (86400, "1 天"),
        (90000, "1 天 1 小时"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


def facts(*, accounts: list[dict[str, Any]] | None = None, numbers: bool = True, **changes: Any) -> Facts:
    row = {
        "state": "running",
        "campaign_state": "running",
        "quiet_from": time(22),
        "quiet_to": time(8),
        "starts_at": NOW - timedelta(hours=1),
        "started_at": NOW - timedelta(hours=1),
        "ends_at": NOW + timedelta(days=9),
        "finished_at": None,
        "now": NOW,
        "uncut": 0,
        "workers": 1,
        "ticks": True,
        "stuck_reason": "",
        "pause_reason": "",
        "is_rule": False,
        "canary_waits": False,
        "review_owed_since": None,
        "unknown_year": None,
        "falls_from": None,
        "opens_next": None,
        "closed_households": 0,
        "dayless_households": 0,
    }
    step = {
        "step": 0,
        "channel": "sms",
        "wait": timedelta(days=2),
        "planned": 900,
        "unknown": 0,
        "accepted": 0,
        "failed": 0,
        "more": False,
        "has_next": False,
    }
    resting = {"deferred": 0, "looked_into": 0, "next_seconds": None}
    shown = [account()] if accounts is None else accounts
    return Facts(row | changes, [step], shown, resting, numbers)


def account(**changes: Any) -> dict[str, Any]:
    plain = {
        "name": "甲",
        "channel": "sms",
        "state": "active",
        "rate": 100.0,
        "breaker": "closed",
        "next_seconds": None,
        "reason": "",
        "detail": {},
        "waiting": 900,
        "lane": 2,
        "backlog": 900,
    }
    return plain | changes


def causes(given: Facts) -> list[str]:
    return [stall.cause.value for stall in judge(given).stalls]


def test_what_stops_everything_silences_what_is_only_slow() -> None:
    slow = [account(rate=1.0)]
    assert causes(facts(accounts=slow)) == ["rate"]
    assert causes(facts(accounts=slow, state="paused", workers=0)) == ["paused", "no_worker"]
    assert judge(facts(accounts=slow, state="paused")).finish_at is None


def test_the_cause_that_holds_up_more_comes_first() -> None:
    broken = account(name="乙", breaker="open", reason="errors", waiting=700, next_seconds=20.0)
    slow = account(rate=1.0, waiting=200, backlog=200)
    assert causes(facts(accounts=[slow, broken])) == ["breaker_open", "rate"]
    assert causes(facts(accounts=[slow, broken | {"waiting": 100}])) == ["rate", "breaker_open"]


def test_the_finish_is_told_from_the_whole_backlog_of_the_account() -> None:
    (stall,) = judge(facts(accounts=[account(backlog=3600, lane=4)])).stalls
    assert stall.until == NOW + timedelta(seconds=40)
    assert "其他轮次的 2,700 条" in stall.text


def test_numbers_of_the_whole_are_not_told_to_who_manages_a_part() -> None:
    (stall,) = judge(facts(accounts=[account(backlog=3600)], numbers=False)).stalls
    assert "900" not in stall.text
    assert "2,700" not in stall.text


def test_nothing_is_said_of_a_round_that_moves_briskly_or_has_ended() -> None:
    assert causes(facts(accounts=[account(waiting=900, backlog=900)])) == []
    assert causes(facts(state="finished", workers=0, accounts=[])) == []


def test_a_year_without_a_calendar_is_asked_for_before_the_round_begins() -> None:
    ahead = facts(state="scheduled", starts_at=NOW + timedelta(days=9), unknown_year=2031)
    first, second = judge(ahead).stalls
    assert (first.cause.value, first.is_calm, second.cause.value) == ("no_calendar", False, "too_early")
    assert "日历没有 2031 年" in first.text and "设置 › 工作日历" in first.advice


def test_an_overdue_review_is_told_beside_what_moves() -> None:
    moving = facts(accounts=[account(rate=10_000.0)], review_owed_since=NOW - timedelta(hours=1))
    progress = judge(moving)
    assert "review_owed" in [stall.cause.value for stall in progress.stalls]
    assert progress.finish_at is not None
