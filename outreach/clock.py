"""Business time: what the calendar on the bureau's wall says.

Rounds, windows, quiet hours and reports follow business time; leases, quiet times after a crash and rate
limits follow the clocks of the machines. In production the two are the same. A rehearsal moves business
time by the row of `business_clock` in the database, so that every process and every query agrees.
"""

from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "UTC+8")
"""China has one time zone and no daylight saving since 1991 (GB/T 7408 uses UTC+8)."""


def utc_now() -> datetime:
    """The machine's time, aware."""
    return datetime.now(UTC)


def in_beijing(moment: datetime) -> datetime:
    """The same moment as staff and taxpayers read it."""
    return moment.astimezone(BEIJING)
