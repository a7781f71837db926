"""Working days: State Council holidays and make-up Saturdays as published, else Monday to Friday."""

from datetime import date, timedelta

import chinese_calendar


def is_workday(day: date) -> bool:
    """Whether offices are open on a day."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5


def add_workdays(day: date, count: int) -> date:
    """The last day of a clock of `count` working days that begins on the day after `day`."""
    left = count
    while left > 0:
        day += timedelta(days=1)
        left -= is_workday(day)
    return day
