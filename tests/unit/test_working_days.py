"""Working days: holidays, make-up Saturdays, what a bureau has changed, and years that nobody knows yet."""

from datetime import date, time

import pytest

from outreach.errors import InvalidInput
from outreach.registry.working_days import OFFICE_HOURS, DayRule, WorkCalendar

PUBLISHED = WorkCalendar()


def test_holiday_roll_over_domain_7_case_11() -> None:
    assert PUBLISHED.roll_over(date(2026, 10, 1)) == date(2026, 10, 8)
    assert PUBLISHED.add_workdays(date(2026, 2, 13), 5) == date(2026, 2, 27)
    assert PUBLISHED.is_workday(date(2026, 2, 14)) and PUBLISHED.is_workday(date(2026, 2, 28))
    assert PUBLISHED.workdays_between(date(2026, 2, 15), date(2026, 2, 23)) == 0


def test_a_working_day_is_its_own_roll_over() -> None:
    assert PUBLISHED.roll_over(date(2026, 3, 16)) == date(2026, 3, 16)
    assert PUBLISHED.add_workdays(date(2026, 3, 16), 0) == date(2026, 3, 16)


def test_a_bureau_works_on_the_holiday_and_rests_on_its_own() -> None:
    calendar = WorkCalendar(
        {date(2026, 5, 1): DayRule(True, (time(9), time(12))), date(2026, 7, 6): DayRule(False)}
    )
    assert calendar.roll_over(date(2026, 5, 1)) == date(2026, 5, 1)
    assert calendar.hours_of(date(2026, 5, 1)) == (time(9), time(12))
    assert calendar.hours_of(date(2026, 7, 6)) is None
    assert calendar.roll_over(date(2026, 7, 6)) == date(2026, 7, 7)
    assert calendar.hours_of(date(2026, 7, 7)) == OFFICE_HOURS


def test_a_year_that_nobody_knows_is_asked_for_and_not_guessed() -> None:
    with pytest.raises(InvalidInput, match="2031 年的放假安排还没有录入"):
        PUBLISHED.is_workday(date(2031, 3, 3))
    with pytest.raises(InvalidInput, match="2031"):
        PUBLISHED.add_workdays(date(2031, 1, 1), 3)
    entered = WorkCalendar({date(2031, 1, 1): DayRule(False)}, {2031})
    assert entered.roll_over(date(2031, 1, 1)) == date(2031, 1, 2)
    assert not entered.is_workday(date(2031, 3, 1))


def test_the_next_year_is_asked_for_in_time() -> None:
    known = WorkCalendar({}, {2030})
    assert known.notice(date(2030, 10, 31)) == ""
    assert "2031" in known.notice(date(2030, 11, 1))
    assert WorkCalendar({}, {2030, 2031}).notice(date(2030, 12, 31)) == ""
    assert "2030" in WorkCalendar().notice(date(2030, 2, 1))


def test_a_clock_that_must_start_guesses_only_what_nobody_knows() -> None:
    closed = WorkCalendar({date(2026, 11, 23): DayRule(False), date(2090, 1, 9): DayRule(False)})
    assert closed.add_workdays(date(2026, 11, 20), 1, guessing=True) == date(2026, 11, 24)
    assert closed.add_workdays(date(2090, 1, 6), 1, guessing=True) == date(2090, 1, 10)
    with pytest.raises(InvalidInput):
        closed.add_workdays(date(2090, 1, 6), 1)
