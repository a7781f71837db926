"""设置 › 工作日历: what this unit and those above have changed of the published calendar."""

from collections.abc import Mapping
from datetime import date, time

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.clock import in_beijing
from outreach.errors import InvalidInput
from outreach.registry.working_days import DayRule, close_year, days_set, drop_day, load_calendar, set_day
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.console.settings import PARTS
from outreach.web.permissions import actor_of

routes = console_routes()
_FIELDS = ("day", "kind", "opens", "closes", "note")


@routes.get("/settings/calendar", permission="campaign.read")
async def show(request: Request, year: str = "") -> HTMLResponse:
    """A year's changed days, and what is still to be entered."""
    return await _page(request, year, {}, {})


@routes.post("/settings/calendar", permission="campaign.write")
async def change(request: Request) -> Response:
    """Set a day for the unit acted in and all below it."""
    form = await request.form()
    typed = {name: str(form.get(name, "")).strip() for name in _FIELDS}
    try:
        day = day_of(typed["day"])
        await set_day(runtime_of(request), actor_of(request), day, rule_of(typed), typed["note"])
    except InvalidInput as error:
        return await _page(request, "", typed, {str(error.details.get("field", "day")): error.message})
    return RedirectResponse(f"/console/settings/calendar?year={day.year}", 303)


@routes.post("/settings/calendar/{day}/drop", permission="campaign.write")
async def drop(request: Request, day: str) -> Response:
    """Let the published calendar decide again."""
    found = day_of(day)
    await drop_day(runtime_of(request), actor_of(request), found)
    return RedirectResponse(f"/console/settings/calendar?year={found.year}", 303)


@routes.post("/settings/calendar/years/{year}", permission="campaign.write")
async def close(request: Request, year: int) -> Response:
    """All holidays of a year have been entered."""
    await close_year(runtime_of(request), actor_of(request), year)
    return RedirectResponse(f"/console/settings/calendar?year={year}", 303)


def rule_of(typed: Mapping[str, str]) -> DayRule:
    """What the fields say of a day. Raises InvalidInput."""
    if typed["kind"] not in ("workday", "holiday"):
        raise InvalidInput("请选择上班还是休息", field="kind")
    if bool(typed["opens"]) != bool(typed["closes"]):
        raise InvalidInput("上班和下班时间要一起填写，或都留空", field="closes")
    hours = (
        (_clock_of(typed["opens"], "opens"), _clock_of(typed["closes"], "closes")) if typed["opens"] else None
    )
    return DayRule(typed["kind"] == "workday", hours)


def day_of(text: str) -> date:
    """A day as it was typed. Raises InvalidInput."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("请选择日期", field="day") from None


def _clock_of(text: str, field: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise InvalidInput("时间写成 08:30 这样", field=field) from None


async def _page(
    request: Request, year: str, typed: Mapping[str, str], errors: Mapping[str, str]
) -> HTMLResponse:
    actor, now = actor_of(request), await runtime_of(request).now()
    today = in_beijing(now).date()
    shown = int(year) if year.isdecimal() and len(year) == 4 else today.year
    async with runtime_of(request).db.begin() as conn:
        calendar = await load_calendar(conn, actor.org_id)
        rows = await days_set(conn, actor.org_id, shown)
    parts = [(key, word) for key, word, permission in PARTS if actor.may(permission)]
    return page(
        request,
        "settings_calendar.html",
        place="settings",
        title="工作日历",
        status=422 if errors else 200,
        parts=parts,
        part="calendar",
        rows=rows,
        typed=dict(typed),
        errors=dict(errors),
        year=shown,
        years=range(today.year - 1, today.year + 3),
        known=calendar.knows(shown),
        notice=calendar.notice(today),
        next_workday=calendar.roll_over(today) if calendar.knows(today.year) else None,
        today=today,
    )
