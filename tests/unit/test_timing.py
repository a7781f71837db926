"""When a round is done: rates, quiet hours, windows, what waits before it."""

from datetime import date, datetime, time, timedelta

from campaigns.timing import Load, open_spans, schedule, schedule_days
from outreach.clock import BEIJING

START = datetime(2026, 3, 15, 9, 0, tzinfo=BEIJING)
WEEK = START + timedelta(days=7)
NIGHT = (time(22), time(8))


def test_it_takes_as_long_as_the_rate_says() -> None:
    timing = schedule(START, WEEK, NIGHT, {"sms": Load(3_600, 1.0)})
    assert timing.finish_at == START + timedelta(hours=1)
    assert timing.days == ((date(2026, 3, 15), {"sms": 3_600}),)
    assert timing.late == 0


def test_the_night_is_left_out() -> None:
    # 13 hours are left of the first day, so the rest waits for eight o'clock.
    timing = schedule(START, WEEK, NIGHT, {"sms": Load(14 * 3_600, 1.0)})
    assert timing.finish_at == datetime(2026, 3, 16, 9, 0, tzinfo=BEIJING)
    assert timing.days == ((date(2026, 3, 15), {"sms": 13 * 3_600}), (date(2026, 3, 16), {"sms": 3_600}))


def test_channels_run_side_by_side_and_the_slowest_decides() -> None:
    timing = schedule(START, WEEK, None, {"sms": Load(100, 1.0), "email": Load(100, 0.5)})
    assert timing.finish_at == START + timedelta(seconds=200)
    assert timing.days == ((date(2026, 3, 15), {"sms": 100, "email": 100}),)


def test_what_waits_at_the_account_goes_first() -> None:
    timing = schedule(START, WEEK, None, {"sms": Load(60, 1.0, before=60)})
    assert timing.finish_at == START + timedelta(seconds=120)


def test_what_does_not_fit_is_told() -> None:
    timing = schedule(START, START + timedelta(minutes=1), None, {"sms": Load(100, 1.0)})
    assert (timing.finish_at, timing.late) == (None, 40)
    assert schedule(START, WEEK, None, {"sms": Load(5, 0.0)}).late == 5


def test_nothing_to_send_is_done_at_once() -> None:
    assert schedule(START, WEEK, NIGHT, {}).finish_at == START


def test_quiet_hours_within_a_day() -> None:
    spans = list(open_spans(START, START + timedelta(hours=6), (time(12), time(14))))
    assert spans == [
        (START, START.replace(hour=12)),
        (START.replace(hour=14), START.replace(hour=15)),
    ]


def test_slices_leave_one_after_another_and_what_is_left_over_waits() -> None:
    day = timedelta(days=1)
    days = {START: 600, START + day: 400}
    timing = schedule_days(START + 3 * day, None, {"sms": Load(1_000, 0.005)}, days, 1_000)
    assert sum(taken["sms"] for _, taken in timing.days) == 1_000
    assert timing.late == 0 and timing.finish_at is not None and timing.finish_at > START + 2 * day
    short = schedule_days(START + 3 * day, None, {"sms": Load(1_500, 100)}, days, 1_500)
    assert (short.late, short.finish_at) == (500, None)
