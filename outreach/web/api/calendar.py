"""The working calendar of the unit acted in: which days count, until when the office is open."""

from datetime import date, time, timedelta
from typing import Annotated

from fastapi import Query, Request

from outreach.errors import InvalidInput
from outreach.registry.working_days import load_calendar
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model
from outreach.web.permissions import actor_of

routes = api_routes("/calendar", "工作日历")
_LONGEST = timedelta(days=366)


class DayShown(Model):
    """A day; `opens` and `closes` are null on a day off."""

    day: date
    is_workday: bool
    opens: time | None
    closes: time | None


@routes.get("", permission="campaign.read", summary="工作日和办公时间")
async def show(
    request: Request,
    first: Annotated[date, Query(description="第一天", examples=["2026-10-01"])],
    last: Annotated[date, Query(description="最后一天，最多一年", examples=["2026-10-11"])],
) -> list[DayShown]:
    """含调休上班的周末和本级、上级改过的日子；放假安排未录入的年份不能计算。"""
    if not first <= last <= first + _LONGEST:
        raise InvalidInput("最后一天应不早于第一天，且最多一年", field="last")
    async with runtime_of(request).db.begin() as conn:
        calendar = await load_calendar(conn, actor_of(request).org_id)
    shown = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        opens, closes = calendar.hours_of(day) or (None, None)
        shown.append(DayShown(day=day, is_workday=opens is not None, opens=opens, closes=closes))
    return shown
