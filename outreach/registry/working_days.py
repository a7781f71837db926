"""Working days and office hours: the State Council's calendar, and what a bureau has changed of it.

The library knows the years whose holidays have been published, make-up Saturdays included. A bureau may say
otherwise for a day (for itself and all below, the nearest unit wins), and enters a year itself that the
library does not know yet: until it has, nothing is reckoned in that year.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any

import chinese_calendar

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime

SQL = load_queries(__file__)

OFFICE_HOURS = (time(9), time(17))
"""Where a day has no hours of its own."""
_YEARS = (2020, 2100)
_ASKED_FROM = (11, 1)
"""The State Council publishes next year's holidays about this day."""


@dataclass(frozen=True, slots=True)
class DayRule:
    """What a unit has said of a day; `hours` where they differ, as with extended service."""

    is_workday: bool
    hours: tuple[time, time] | None = None


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """The calendar of a unit. `entered`: years of which staff have entered all holidays."""

    days: Mapping[date, DayRule] = field(default_factory=dict)
    entered: Collection[int] = ()

    def knows(self, year: int) -> bool:
        """Whether the holidays of a year are known."""
        return year in self.entered or _published(year)

    def is_workday(self, day: date) -> bool:
        """Raises InvalidInput for a year whose holidays nobody knows yet."""
        if day in self.days:
            return self.days[day].is_workday
        if _published(day.year):
            return bool(chinese_calendar.is_workday(day))
        if day.year in self.entered:
            return day.weekday() < 5
        raise InvalidInput(unknown_year(day.year), field="calendar")

    def hours_of(self, day: date) -> tuple[time, time] | None:
        """When the office is open, None on a day off. Raises InvalidInput as `is_workday`."""
        if not self.is_workday(day):
            return None
        rule = self.days.get(day)
        return rule.hours if rule and rule.hours else OFFICE_HOURS

    def roll_over(self, day: date) -> date:
        """The day itself, or the next working day: what is due on a holiday is due then (实施细则第109条)."""
        while not self.is_workday(day):
            day += timedelta(days=1)
        return day

    def add_workdays(self, day: date, count: int, *, guessing: bool = False) -> date:
        """The `count`-th working day after a day. `guessing`: in a year that nobody knows yet Monday to
        Friday count, for a clock that must start all the same."""
        while count > 0:
            day += timedelta(days=1)
            is_guessed = guessing and day not in self.days and not self.knows(day.year)
            count -= day.weekday() < 5 if is_guessed else self.is_workday(day)
        return day

    def workdays_between(self, first: date, last: date) -> int:
        """Working days from `first` to `last`, both included."""
        return sum(self.is_workday(first + timedelta(days=n)) for n in range((last - first).days + 1))

    def notice(self, today: date) -> str:
        """What staff should be asked for in time; empty if nothing."""
        if not self.knows(today.year):
            return unknown_year(today.year)
        if (today.month, today.day) >= _ASKED_FROM and not self.knows(today.year + 1):
            return unknown_year(today.year + 1)
        return ""


def unknown_year(year: int) -> str:
    """The sentence that asks for a year's holidays."""
    return (
        f"{year} 年的放假安排还没有录入，凡涉及 {year} 年工作日的都无法计算。"
        f"请按国务院办公厅通知在 设置 › 工作日历 录入节假日和调休，再点「{year} 年已录完」。"
    )


async def load_calendar(conn: Connection, org_id: int) -> WorkCalendar:
    """The calendar of a unit: its own days and those of all above it, the nearest first."""
    rows = await (await conn.execute(SQL["days_of"], {"org_id": org_id})).fetchall()
    years = await (await conn.execute(SQL["years_of"], {"org_id": org_id})).fetchall()
    days = {
        row["day"]: DayRule(row["is_workday"], (row["opens"], row["closes"]) if row["opens"] else None)
        for row in rows
    }
    return WorkCalendar(days, frozenset(row["year"] for row in years))


async def set_day(rt: Runtime, actor: Actor, day: date, rule: DayRule, note: str) -> None:
    """Say of a day what the unit acted in and all below it keep to. Raises InvalidInput."""
    _check_day(day)
    if rule.hours and not rule.is_workday:
        raise InvalidInput("休息日没有办公时间，请留空", field="opens")
    if rule.hours and rule.hours[0] >= rule.hours[1]:
        raise InvalidInput("下班时间必须晚于上班时间", field="closes")
    opens, closes = rule.hours or (None, None)
    keys = {"is_workday": rule.is_workday, "opens": opens, "closes": closes, "note": note.strip()[:100]}
    async with rt.db.begin() as conn:
        await conn.execute(SQL["set_day"], {**keys, "org_id": actor.org_id, "day": day, "by": actor.name})
        detail = {"workday": rule.is_workday, "hours": f"{opens:%H:%M}-{closes:%H:%M}" if opens else ""}
        await append_audit(conn, actor, "calendar.set", f"calendar:{actor.org_id}:{day:%Y-%m-%d}", detail)


async def drop_day(rt: Runtime, actor: Actor, day: date) -> None:
    """Let the published calendar, or the unit above, decide of a day again. Raises NotFound."""
    keys = {"org_id": actor.org_id, "day": day}
    async with rt.db.begin() as conn:
        if await (await conn.execute(SQL["drop_day"], keys)).fetchone() is None:
            raise NotFound("本级没有设置过这一天。")
        await append_audit(conn, actor, "calendar.drop", f"calendar:{actor.org_id}:{day:%Y-%m-%d}")


async def close_year(rt: Runtime, actor: Actor, year: int) -> None:
    """Say that all holidays of a year have been entered. Raises InvalidInput."""
    _check_day(date(year, 1, 1) if 1 <= year <= 9999 else date.min)
    async with rt.db.begin() as conn:
        await conn.execute(SQL["close_year"], {"org_id": actor.org_id, "year": year, "by": actor.name})
        await append_audit(conn, actor, "calendar.close_year", f"calendar:{actor.org_id}:{year}")


async def days_set(conn: Connection, org_id: int, year: int) -> list[dict[str, Any]]:
    """The days of a year that a unit or one above it has set, in order, with `unit` and `is_own`."""
    return await (await conn.execute(SQL["days_set"], {"org_id": org_id, "year": year})).fetchall()


def _check_day(day: date) -> None:
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise InvalidInput(f"年份应在 {_YEARS[0]} 至 {_YEARS[1]} 之间", field="day")


def _published(year: int) -> bool:
    try:
        chinese_calendar.is_workday(date(year, 6, 1))
    except NotImplementedError:
        return False
    return True
