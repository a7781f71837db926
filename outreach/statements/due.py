"""What is due next, moved by holidays.

税收征收管理法实施细则 article 109: a period whose last day is a holiday ends on the next working day; three
or more legal holidays in a row inside the period move its end by as many (working) days. The library knows
the holidays that the State Council has published; for a later year the dates that staff have entered count,
and without them the page says that the bureau will announce the date.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any

import chinese_calendar

from outreach.statements.benefits import Line

_FILING_DAY = 15
_LONG_HOLIDAY = 3


@dataclass(frozen=True, slots=True)
class Due:
    """One obligation; `day` None means: not yet published for that year."""

    what: str
    year: int
    month: int
    day: date | None


def filing_deadline(year: int, month: int, entered: Mapping[int, date] | None = None) -> date | None:
    """Last day to file and pay by month in the given calendar month.

    `entered` (yyyymm to date) are dates that staff took from the yearly notice; they win. None when neither
    they nor the holiday calendar know the year.
    """
    if entered and year * 100 + month in entered:
        return entered[year * 100 + month]
    return _published_deadline(year, month)


@cache
def next_workday(day: date) -> date | None:
    """The day itself, or the next working day; None when the year's holidays are not published."""
    try:
        while not chinese_calendar.is_workday(day):
            day += timedelta(days=1)
    except NotImplementedError:
        return None
    return day


@cache
def _published_deadline(year: int, month: int) -> date | None:
    try:
        return _postponed(date(year, month, _FILING_DAY), _holidays_in_a_row(year, month))
    except NotImplementedError:
        return None


def _holidays_in_a_row(year: int, month: int) -> int:
    """The days of long holidays (three or more in a row) inside the 1st to the 15th."""
    counted = run = 0
    for number in range(1, _FILING_DAY + 2):
        free, name = chinese_calendar.get_holiday_detail(date(year, month, number))
        if free and name and number <= _FILING_DAY:
            run += 1
            continue
        counted += run if run >= _LONG_HOLIDAY else 0
        run = 0
    return counted


def _postponed(end: date, days: int) -> date:
    while days:
        end += timedelta(days=1)
        days -= chinese_calendar.is_workday(end)
    while not chinese_calendar.is_workday(end):
        end += timedelta(days=1)
    return end


_YEARLY = {
    "enterprise": ((5, 31, "企业所得税汇算清缴"),),
    "individual_business": ((3, 31, "个人所得税经营所得汇算清缴"),),
    "natural_person": (
        (6, 30, "个人所得税综合所得汇算清缴（3月1日至6月30日办理）"),
        (12, 31, "下一年度专项附加扣除信息确认"),
    ),
}
_FILING = {"enterprise": "按月申报缴纳的税费", "individual_business": "按季申报缴纳的税费"}


def next_due_dates(kind: str, today: date, entered: Mapping[int, date] | None = None) -> list[Due]:
    """The coming obligations of a household of this kind, earliest first."""
    dues = [_next_yearly(today, month, day, what) for month, day, what in _YEARLY[kind]]
    if kind in _FILING:
        dues += _next_filings(kind, today, entered)
    return sorted(dues, key=lambda due: (due.year, due.month, due.day or date(due.year, due.month, 28)))


def _next_yearly(today: date, month: int, day: int, what: str) -> Due:
    for year in (today.year, today.year + 1):
        last = next_workday(date(year, month, day))
        if (last or date(year, month, day)) >= today:
            return Due(what, year, month, last)
    raise AssertionError("a date of next year is never past")


def _next_filings(kind: str, today: date, entered: Mapping[int, date] | None) -> list[Due]:
    found: list[Due] = []
    year, month = today.year, today.month
    while len(found) < 2:
        last = filing_deadline(year, month, entered)
        quarterly = kind == "individual_business" and month not in (1, 4, 7, 10)
        if not quarterly and (last or date(year, month, 28)) >= today:
            found.append(Due(_FILING[kind], year, month, last))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


def due_rows(
    kind: str, today: date, entered: Mapping[int, date] | None, lines: Sequence[Line]
) -> Sequence[Mapping[str, Any]]:
    """The coming obligations as documents hold them, and among them each deferral that has yet to mature."""
    matured = [due for line in lines if "matures" in line.figures for due in coming_maturities(line, today)]
    known = tuple(entered.items()) if entered else ()
    if not matured:
        return _usual_dues(kind, today, known)
    return _drawn_dues([*next_due_dates(kind, today, entered), *matured])


@lru_cache(maxsize=64)
def _usual_dues(kind: str, today: date, known: tuple[tuple[int, date], ...]) -> list[dict[str, Any]]:
    return _drawn_dues(next_due_dates(kind, today, dict(known)))


def coming_maturities(line: Line, today: date) -> list[Due]:
    """The month in which a deferral is to be paid, unless that has passed."""
    month = int(line.figures["matures"])
    if month < today.year * 100 + today.month:
        return []
    return [Due(f"缓缴到期：{line.rule.name} {line.amount:,} 元", month // 100, month % 100, None)]


def _drawn_dues(dues: Iterable[Due]) -> list[dict[str, Any]]:
    return [
        {
            "what": due.what,
            "month": due.year * 100 + due.month,
            "day": due.day.isoformat() if due.day else None,
        }
        for due in sorted(dues, key=lambda due: (due.year, due.month))
    ]
