"""Slices whose day went by find other days: in order, never above a cap, never before their own day."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from campaigns.postponing import Day, Waiting, put_off
from campaigns.staggering import Stagger
from outreach.clock import BEIJING

FIRST = date(2026, 3, 16)
NORTH, SOUTH = 11, 12
RULE = Stagger(cap_day=10, cap_hall=6, hall_level=4)


def days(count: int, *, first: date = FIRST) -> list[Day]:
    """Days that follow each other, from nine on."""
    found = [first + timedelta(days=n) for n in range(count)]
    return [(day, datetime(day.year, day.month, day.day, 9, tzinfo=BEIJING)) for day in found]


def put(
    waiting: list[tuple[int | None, int, int]], *, rule: Stagger = RULE, count: int = 5, **carried: int
) -> list[int | None]:
    """The number of the day of each slice, which is (hall, persons, its planned day: 0 is today)."""
    slices = [
        Waiting(n, hall, persons, FIRST + timedelta(days=planned))
        for n, (hall, persons, planned) in enumerate(waiting)
    ]
    halls = {"north": NORTH, "south": SOUTH}
    found = put_off(slices, rule, days(count), {halls[name]: n for name, n in carried.items()})
    return [None if day is None else (day[0] - FIRST).days for day in found]


def test_what_was_missed_takes_the_days_of_what_follows() -> None:
    assert put([(NORTH, 5, -2), (SOUTH, 5, -2), (NORTH, 5, -1), (SOUTH, 5, -1), (NORTH, 5, 0)]) == [
        0,
        0,
        1,
        1,
        2,
    ]


def test_days_with_room_are_used_and_slack_takes_up_the_delay() -> None:
    assert put([(NORTH, 3, -1), (SOUTH, 3, -1), (NORTH, 3, 0), (NORTH, 6, 3)]) == [0, 0, 0, 3]


def test_nobody_is_told_before_her_day() -> None:
    assert put([(NORTH, 1, -1), (NORTH, 1, 2)]) == [0, 2]


def test_a_hall_has_its_own_cap_and_the_order_is_kept() -> None:
    assert put([(NORTH, 6, -1), (NORTH, 1, 0), (SOUTH, 1, 0)]) == [0, 1, 1]


def test_what_today_carries_already_counts() -> None:
    assert put([(SOUTH, 5, -1), (SOUTH, 1, -1)], north=5) == [0, 1]
    assert put([(SOUTH, 4, -1)], north=7) == [1]


def test_whoever_finds_no_day_has_none() -> None:
    assert put([(NORTH, 6, -1), (NORTH, 6, 0), (NORTH, 6, 1)], count=2) == [0, 1, None]
    assert put([(NORTH, 6, -1)], count=0) == [None]


def test_without_caps_all_that_was_missed_comes_today() -> None:
    rule = replace(RULE, cap_day=None, cap_hall=None)
    assert put([(NORTH, 900, -2), (SOUTH, 900, -1), (NORTH, 900, 1)], rule=rule) == [0, 0, 1]
