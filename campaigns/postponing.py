"""Slices whose day went by: a pause, a canary under watch, an outage. They move on instead of all opening at
once, so that no day carries more than was laid down (docs/decisions/0018-missed-days.md)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from campaigns.slicing import opening_of
from campaigns.staggering import Stagger, days_of, read_stagger
from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.audit import append_audit
from outreach.logs import get_log
from outreach.registry.working_days import load_calendar

SQL = load_queries(__file__)

_BY = "system:scheduler"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A slice of which nothing has been cut. `org_id`: whose hall carries it; `planned_on`: the day that it
    was laid out for."""

    ordinal: int
    org_id: int | None
    persons: int
    planned_on: date


Day = tuple[date, datetime]


def put_off(
    waiting: Sequence[Waiting], rule: Stagger, days: Sequence[Day], carried: Mapping[int | None, int]
) -> list[Day | None]:
    """The day of each slice, and when it opens; None where the days are used up.

    In their order, because what opens opens all that stands before it; never before its planned day, never
    above a cap. `days`: those on which the round may open, the first of them with what it has `carried`
    already, persons by hall.
    """
    found: list[Day | None] = []
    place, load = 0, Counter(carried)
    for one in waiting:
        while place < len(days) and not (
            days[place][0] >= one.planned_on and _has_room(rule, load, one.org_id, one.persons)
        ):
            place, load = place + 1, Counter()
        found.append(days[place] if place < len(days) else None)
        load[one.org_id] += one.persons
    return found


def _has_room(rule: Stagger, load: Counter[int | None], org_id: int | None, persons: int) -> bool:
    return not load or (
        (rule.cap_day is None or load.total() + persons <= rule.cap_day)
        and (rule.cap_hall is None or load[org_id] + persons <= rule.cap_hall)
    )


async def postpone_missed(conn: Connection, round_id: int) -> int:
    """Lay the slices of which nothing has been cut on the days that are left, in the caller's transaction;
    returns how many have moved. What the window has no day for opens when it ends: a longer window brings it
    back. Repeating it changes nothing."""
    row = await (await conn.execute(SQL["lock_round"], {"round_id": round_id})).fetchone()
    rule = read_stagger(row["stagger"]) if row else None
    if row is None or rule is None:
        return 0
    keys = {"round_id": round_id, "begun": row["begun"]}
    slices = await (await conn.execute(SQL["untouched"], keys)).fetchall()
    calendar = await load_calendar(conn, row["org_id"])
    days = days_of(
        row["now"],
        row["ends_at"],
        # Nothing opens in a year that a longer window has reached before its holidays are known.
        lambda day: opening_of(day, rule, calendar) if calendar.knows(day.year) else None,
    )
    today = in_beijing(row["now"]).date()
    carried = {}
    if days and days[0][0] == today:
        rows = await (await conn.execute(SQL["carried"], {**keys, "today": today})).fetchall()
        carried = {one["org_id"]: one["persons"] for one in rows}
    waiting = [Waiting(one["ordinal"], one["org_id"], one["persons"], one["planned_on"]) for one in slices]
    never = in_beijing(row["ends_at"]).date(), row["ends_at"]
    moved = [
        (one.ordinal, *(day or never))
        for one, was, day in zip(waiting, slices, put_off(waiting, rule, days, carried), strict=True)
        if (day or never)[0] != was["opens_on"] or (day or never)[1] < was["opens_at"]
    ]
    if not moved:
        return 0
    ordinals, on, at = zip(*moved, strict=True)
    places = {"ordinals": list(ordinals), "days": list(on), "opens": list(at)}
    await conn.execute(SQL["move"], {"round_id": round_id, **places})
    detail = {"slices": len(moved), "last_day": on[-1].isoformat()}
    await append_audit(conn, _BY, "round.put_off", f"round:{round_id}", detail)
    get_log().info("round.put_off", round=round_id, slices=len(moved))
    return len(moved)
