"""What is due next, moved by holidays.

税收征收管理法实施细则 article 109: a period whose last day is a holiday ends on the next working day; three
or more legal holidays in a row inside the period move its end by as many (working) days. The library knows
the holidays that the State Council has published; for a later year the calendar that the bureau has entered
counts, and without it the statutory day is told, with the remark that holidays move it.

`moved` stands for what is known beside the library: filing months (yyyymm) and statutory days (yyyymmdd) to
the last day, from the bureau's calendar (`days_of_calendar`) and from staff, who have the last word.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache, partial
from typing import Any

import chinese_calendar

from outreach.errors import InvalidInput
from outreach.registry.working_days import WorkCalendar
from outreach.statements.benefits import Line

FILING_DAY = 15
"""Of the month, by law, where the return is made by month or quarter."""

_LONG_HOLIDAY = 3
_LATEST = 59
"""Days after the first of its month on which a period ends at the latest, however long it was extended."""
_AHEAD = 8
"""Months: the second next quarterly filing is never further away."""


@dataclass(frozen=True, slots=True)
class Due:
    """One obligation; `day` None means: within the month. `is_moved`: holidays have been reckoned with; else
    the day is the statutory one of a year whose holidays nobody knows yet."""

    what: str
    year: int
    month: int
    day: date | None
    is_moved: bool = True


def filing_deadline(year: int, month: int, moved: Mapping[int, date] | None = None) -> date | None:
    """Last day to file and pay by month in the given calendar month.

    What `moved` says of it wins. None when neither that nor the holiday calendar knows the year.
    """
    if moved and year * 100 + month in moved:
        return moved[year * 100 + month]
    return _published_deadline(year, month)


def last_day(day: date, moved: Mapping[int, date] | None = None) -> date | None:
    """The day on which a period with this statutory end ends. None as `filing_deadline`."""
    if moved and (key := day.year * 10_000 + day.month * 100 + day.day) in moved:
        return moved[key]
    return next_workday(day)


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
        days = _days_in_a_row(year, month, _is_holiday)
        return _postponed(date(year, month, FILING_DAY), days, chinese_calendar.is_workday)
    except NotImplementedError:
        return None


def _is_holiday(day: date) -> bool:
    free, name = chinese_calendar.get_holiday_detail(day)
    return bool(free and name)


def _days_in_a_row(year: int, month: int, is_holiday: Callable[[date], bool]) -> int:
    """The days of long holidays (three or more in a row) inside the 1st to the 15th."""
    counted = run = 0
    for number in range(1, FILING_DAY + 2):
        if number <= FILING_DAY and is_holiday(date(year, month, number)):
            run += 1
            continue
        counted += run if run >= _LONG_HOLIDAY else 0
        run = 0
    return counted


def _postponed(end: date, days: int, is_workday: Callable[[date], bool]) -> date:
    while days:
        end += timedelta(days=1)
        days -= is_workday(end)
    while not is_workday(end):
        end += timedelta(days=1)
    return end


def parse_deadline(text: str) -> tuple[int, date]:
    """A filing date as staff write it, 202610=2026-10-26: the month (yyyymm) and its last day.

    Raises InvalidInput for anything else, and for a day that does not end that month's period.
    """
    month, _, day = text.partition("=")
    try:
        first, last = date.fromisoformat(f"{int(month):06d}01"), date.fromisoformat(day.strip())
    except ValueError:
        raise InvalidInput(
            f"申报截止日「{text}」写法不对，请写成 202610=2026-10-26（申报月份=截止日）。", field="deadline"
        ) from None
    if not first <= last < first + timedelta(days=_LATEST):
        raise InvalidInput(
            f"申报截止日 {last} 不在 {first:%Y年%m月} 申报期内，请核对月份和日期。", field="deadline"
        )
    return first.year * 100 + first.month, last


def days_of_calendar(calendar: WorkCalendar, today: date) -> dict[int, date]:
    """What a bureau's calendar says of the coming periods in years that the library does not know.

    In years that it knows, the State Council's holidays alone move what is due: a bureau's own day off, or a
    Saturday on which its hall is open, is no holiday in the sense of the law.
    """
    found: dict[int, date] = {}
    for key, reckon in _coming(calendar, today):
        try:
            found[key] = reckon()
        except InvalidInput:
            # It would end in a year that nobody knows yet.
            continue
    return found


def _coming(calendar: WorkCalendar, today: date) -> Iterator[tuple[int, Callable[[], date]]]:
    for ahead in range(_AHEAD):
        year, month = today.year + (today.month - 1 + ahead) // 12, (today.month - 1 + ahead) % 12 + 1
        if next_workday(date(year, 6, 1)) is None:
            yield year * 100 + month, partial(_deadline_by, calendar, year, month)
    for year in (today.year, today.year + 1):
        for month, day, _ in (one for dues in _YEARLY.values() for one in dues):
            if next_workday(date(year, month, day)) is None:
                key = year * 10_000 + month * 100 + day
                yield key, partial(calendar.roll_over, date(year, month, day))


def _deadline_by(calendar: WorkCalendar, year: int, month: int) -> date:
    days = _days_in_a_row(year, month, lambda day: not calendar.is_workday(day))
    return _postponed(date(year, month, FILING_DAY), days, calendar.is_workday)


_YEARLY = {
    "enterprise": ((5, 31, "企业所得税汇算清缴"),),
    "individual_business": ((3, 31, "个人所得税经营所得汇算清缴"),),
    "natural_person": (
        (6, 30, "个人所得税综合所得汇算清缴（3月1日至6月30日办理）"),
        (12, 31, "下一年度专项附加扣除信息确认"),
    ),
}
_FILING = {"enterprise": "按月申报缴纳的税费", "individual_business": "按季申报缴纳的税费"}


def next_due_dates(kind: str, today: date, moved: Mapping[int, date] | None = None) -> list[Due]:
    """The coming obligations of a household of this kind, earliest first."""
    dues = [
        _next_yearly(today, date(today.year, month, day), what, moved) for month, day, what in _YEARLY[kind]
    ]
    if kind in _FILING:
        dues += _next_filings(kind, today, moved)
    return sorted(dues, key=lambda due: (due.year, due.month, due.day or date(due.year, due.month, 28)))


def _next_yearly(today: date, day: date, what: str, moved: Mapping[int, date] | None) -> Due:
    for statutory in (day, day.replace(year=day.year + 1)):
        last = last_day(statutory, moved)
        if (last or statutory) >= today:
            return Due(what, statutory.year, statutory.month, last or statutory, last is not None)
    raise AssertionError("a date of next year is never past")


def _next_filings(kind: str, today: date, moved: Mapping[int, date] | None) -> list[Due]:
    found: list[Due] = []
    year, month = today.year, today.month
    while len(found) < 2:
        last = filing_deadline(year, month, moved)
        quarterly = kind == "individual_business" and month not in (1, 4, 7, 10)
        # Where nobody knows the holidays, a period may end later in its month than by law.
        if not quarterly and (last or date(year, month, 28)) >= today:
            day = last or date(year, month, FILING_DAY)
            found.append(Due(_FILING[kind], year, month, day, last is not None))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


def due_rows(
    kind: str, today: date, moved: Mapping[int, date] | None, lines: Sequence[Line]
) -> Sequence[Mapping[str, Any]]:
    """The coming obligations as documents hold them, and among them each deferral that has yet to mature.
    `statutory` stands in those whose day is not moved by holidays yet."""
    matured = [due for line in lines if "matures" in line.figures for due in coming_maturities(line, today)]
    known = tuple(moved.items()) if moved else ()
    if not matured:
        return _usual_dues(kind, today, known)
    return _drawn_dues([*next_due_dates(kind, today, moved), *matured])


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
            **({} if due.is_moved else {"statutory": True}),
        }
        for due in sorted(dues, key=lambda due: (due.year, due.month))
    ]
