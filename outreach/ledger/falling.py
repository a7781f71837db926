"""When whoever falls to the next rung of a round gets its message (docs/decisions/0016-days-off.md)."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.registry.working_days import OFFICE_HOURS, WorkCalendar, load_calendar

_OPENS = "09:00"


async def falls_from(conn: Connection, row: Mapping[str, Any]) -> datetime | None:
    """The business time from which the fallers of a round may be cut; None where that is now.

    Asked once for a rung. `row` holds the round's `stagger`, the campaign's `org_id`, whose calendar counts,
    and `now`, business time.
    """
    rule = row["stagger"]
    if not rule.get("working_days"):
        return None
    stored = rule.get("opens", _OPENS)
    opens = time.fromisoformat(stored) if stored else None
    return next_opening(await load_calendar(conn, row["org_id"]), opens, row["now"])


def next_opening(calendar: WorkCalendar, opens: time | None, now: datetime) -> datetime | None:
    """When the working day opens that comes next; None if today's has. `opens`: the hour, that of the office
    where None. In a year that nobody knows Monday to Friday count, so that no round stands for ever."""
    midnight = in_beijing(now).replace(hour=0, minute=0, second=0, microsecond=0)
    today = midnight.date()
    day = calendar.add_workdays(today - timedelta(days=1), 1, guessing=True)
    rule = calendar.days.get(day)
    clock = opens or (rule.hours if rule and rule.hours else OFFICE_HOURS)[0]
    moment = (midnight + (day - today)).replace(hour=clock.hour, minute=clock.minute)
    return moment if moment > now else None
