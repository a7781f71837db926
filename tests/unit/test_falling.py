"""When a working day opens for those who fall to the next rung."""

from datetime import date, datetime, time

import pytest

from outreach.clock import BEIJING
from outreach.ledger.falling import next_opening
from outreach.registry.working_days import DayRule, WorkCalendar

PUBLISHED = WorkCalendar()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-03-20T08:59", "2026-03-20T09:00"),
        ("2026-03-20T09:00", None),
        ("2026-03-20T23:59", None),
        ("2026-03-21T00:00", "2026-03-23T09:00"),
        ("2026-05-01T12:00", "2026-05-06T09:00"),
        ("2026-05-09T12:00", None),
        ("2026-12-31T20:00", None),
    ],
)
def test_the_next_working_day_with_holidays_and_make_up_saturdays(now: str, then: str | None) -> None:
    assert next_opening(PUBLISHED, time(9), at(now)) == (at(then) if then else None)


def test_where_no_hour_is_laid_down_the_offices_own_counts() -> None:
    calendar = WorkCalendar({date(2026, 3, 21): DayRule(True, (time(10), time(12)))})
    assert next_opening(calendar, None, at("2026-03-21T08:00")) == at("2026-03-21T10:00")
    assert next_opening(calendar, time(8), at("2026-03-21T08:00")) is None
    assert next_opening(calendar, None, at("2026-03-23T08:00")) == at("2026-03-23T09:00")


def test_a_year_that_nobody_knows_does_not_stop_a_round() -> None:
    assert next_opening(PUBLISHED, time(9), at("2031-01-04T12:00")) == at("2031-01-06T09:00")
    assert next_opening(PUBLISHED, time(9), at("2031-01-06T12:00")) is None
