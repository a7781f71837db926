"""Who is told on which day: in order of the axes, never above a cap, and nobody lost."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.staggering import (
    Group,
    Part,
    Stagger,
    check_stagger,
    days_of,
    decode,
    encode,
    lay_out,
    name_of,
    read_stagger,
    share_out,
    write_stagger,
)
from outreach.clock import BEIJING
from outreach.errors import InvalidInput

FIRST = date(2026, 3, 16)
WEEK = [FIRST + timedelta(days=n) for n in range(5)]


def beyond() -> Iterator[date]:
    """The days after the week, without end."""
    day = WEEK[-1]
    while True:
        day += timedelta(days=1)
        yield day


def test_days_fill_in_order_of_the_groups_and_never_above_a_cap() -> None:
    groups = [Group(0, 0, 70), Group(1, 0, 50)]
    layout = lay_out(groups, Stagger(cap_day=50), WEEK, beyond)
    assert [(cell.day, cell.code, cell.persons) for cell in layout.cells] == [
        (WEEK[0], 0, 50),
        (WEEK[1], 0, 20),
        (WEEK[1], 1, 30),
        (WEEK[2], 1, 20),
    ]
    assert layout.unplaced == 0


def test_halls_share_a_day_and_none_takes_more_than_its_own() -> None:
    groups = [Group(0, 7, 90), Group(0, 3, 30)]
    layout = lay_out(groups, Stagger(cap_day=40, cap_hall=25, hall_level=4), WEEK, beyond)
    first = {cell.hall: cell.persons for cell in layout.cells if cell.day == WEEK[0]}
    assert first == {7: 25, 3: 15}
    assert all(cell.persons <= 25 for cell in layout.cells)
    assert [cell.hall for cell in layout.cells][:2] == [7, 3]


def test_a_large_hall_has_its_full_load_from_the_first_day() -> None:
    groups = [Group(0, 1, 100), Group(0, 2, 25), Group(0, 3, 25)]
    layout = lay_out(groups, Stagger(cap_day=30, cap_hall=20, hall_level=4), WEEK, beyond)
    assert layout.unplaced == 0


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 20), st.integers(1, 60))
def test_whatever_can_be_placed_is_placed(persons: list[int], cap_hall: int, cap_day: int) -> None:
    groups = [Group(0, hall, min(n, cap_hall * len(WEEK))) for hall, n in enumerate(persons, start=1)]
    layout = lay_out(groups, Stagger(cap_day=cap_day, cap_hall=cap_hall, hall_level=4), WEEK, beyond)
    assert layout.unplaced == max(0, sum(group.persons for group in groups) - cap_day * len(WEEK))


def test_what_does_not_fit_is_told_with_the_first_day_on_which_it_would() -> None:
    layout = lay_out([Group(0, 0, 65)], Stagger(cap_day=10), WEEK, beyond)
    assert (layout.unplaced, layout.fits_on) == (15, WEEK[-1] + timedelta(days=2))
    never = lay_out([Group(0, 0, 10_000)], Stagger(cap_day=10), WEEK, beyond)
    assert (never.unplaced, never.fits_on) == (9_950, None)


def test_a_wave_has_its_own_days() -> None:
    waves = (Part("甲", "a", None, WEEK[1]), Part("乙", "b", WEEK[3], WEEK[3]))
    rule = Stagger({"wave": waves}, cap_day=10)
    layout = lay_out([Group(0, 0, 25), Group(1, 0, 5), Group(2, 0, 4)], rule, WEEK, beyond)
    placed = [(cell.day, cell.code, cell.persons) for cell in layout.cells]
    assert placed == [(WEEK[0], 0, 10), (WEEK[1], 0, 10), (WEEK[2], 2, 4), (WEEK[3], 1, 5)]
    assert layout.unplaced == 5


@given(
    sizes=st.lists(st.tuples(st.integers(-1, 3), st.integers(1, 4), st.integers(1, 60)), max_size=12),
    cap_day=st.none() | st.integers(1, 40),
    cap_hall=st.none() | st.integers(1, 20),
)
def test_nobody_is_lost_or_told_twice(
    sizes: list[tuple[int, int, int]], cap_day: int | None, cap_hall: int | None
) -> None:
    groups = [Group(code, hall, persons) for code, hall, persons in sizes]
    rule = Stagger(shares=4, cap_day=cap_day, cap_hall=cap_hall, hall_level=4)
    layout = lay_out(groups, rule, WEEK, beyond)
    assert sum(cell.persons for cell in layout.cells) + layout.unplaced == sum(g.persons for g in groups)
    for day in WEEK:
        cells = [cell for cell in layout.cells if cell.day == day]
        assert sum(cell.persons for cell in cells) <= (cap_day or 10**9)
        for hall in {cell.hall for cell in cells}:
            assert sum(cell.persons for cell in cells if cell.hall == hall) <= (cap_hall or 10**9)
    assert [cell.day for cell in layout.cells] == sorted(cell.day for cell in layout.cells)
    assert layout == lay_out(groups, rule, WEEK, beyond)


@given(st.lists(st.integers(0, 10**6), max_size=30), st.integers(0, 10**7))
def test_shares_are_exact(wanted: list[int], room: int) -> None:
    array = np.array(wanted, dtype=np.int64)
    taken = share_out(array, room)
    assert taken.sum() == min(array.sum(), room)
    assert (taken <= array).all() and (taken >= 0).all()


def test_codes_sort_as_the_axes_do() -> None:
    sizes = (2, 3, 4)
    places = [(c, t, w) for c in range(2) for t in range(3) for w in range(4)]
    codes = encode([np.array(axis) for axis in zip(*places, strict=True)], sizes)
    assert codes.tolist() == list(range(24))
    assert [decode(code, sizes) for code in range(24)] == places


def test_groups_are_called_by_the_words_of_the_plan() -> None:
    parts = {"category": (Part("经营所得", "a"), Part("综合所得", "b"))}
    rule = Stagger(parts, shares=2, labels={"category": "人群"})
    assert [name_of(code, rule) for code in (-1, 0, 3, 5)] == [
        "灰度", "经营所得 · 第 1 批", "综合所得 · 第 2 批", "人群其余 · 第 2 批",
    ]  # fmt: skip
    assert name_of(0, Stagger()) == "全部"


def test_a_rule_is_read_as_it_was_written() -> None:
    rule = Stagger({"wave": (Part("甲", "a", FIRST, None),)}, 0, True, None, 100, 5, 4, {"wave": "批次"})
    assert read_stagger(write_stagger(rule)) == rule
    assert read_stagger({}) is None
    assert write_stagger(None) == {}


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (Stagger(cap_day=0), "cap_day"),
        (Stagger(cap_hall=5), "hall_level"),
        (Stagger({"wave": (Part("甲", "a"),)}, shares=2), "shares"),
        (Stagger(shares=201), "wave"),
        (Stagger({"wave": (Part("甲", "a", WEEK[1], WEEK[0]),)}), "wave"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(rule: Stagger, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_stagger(rule, "rounds.1")
    assert caught.value.details["field"] == f"rounds.1.{field}"


def test_a_day_opens_at_its_hour_and_the_first_not_before_the_round() -> None:
    starts, ends = datetime(2026, 12, 30, 11, tzinfo=BEIJING), datetime(2027, 1, 2, 9, tzinfo=BEIJING)
    off = date(2027, 1, 1)
    days = days_of(starts, ends, lambda day: None if day == off else time(9))
    assert days == [
        (date(2026, 12, 30), starts),
        (date(2026, 12, 31), datetime(2026, 12, 31, 9, tzinfo=BEIJING)),
    ]
