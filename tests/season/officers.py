"""Staff at the end of the ladder: they call, ask for visits, and write down what came of it."""

import asyncio
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from outreach.errors import Conflict
from outreach.governance.actor import Actor
from outreach.runtime import Runtime
from outreach.service.visits import approve_visits, ask_visits
from outreach.service.worklists import Report, record_result
from tests.season.people import CITY

_CALLS = (
    ("told", 0.50),
    ("acted", 0.06),
    ("no_answer", 0.22),
    ("wrong_number", 0.04),
    ("unwilling", 0.05),
    ("refused", 0.03),
    ("visit", 0.10),
)
_VISITS = (("told", 0.60), ("nobody_home", 0.30), ("moved", 0.10))
_REACHED = ("told", "acted")
_AT_ONCE = 4
_A_DAY, _PER_HOUSEHOLD = 20, 0.002
_PATH = f"1.{CITY}."

_DUE = """
select i.id, i.kind, i.person_id, i.tries,
       array(select distinct h.taxpayer_id from handover h
             where h.item_id = i.id and h.state = 0) as households
from work_item i
where i.state = 'open' and i.next_at <= business_now() and (i.kind = 'call' or i.approved_at is not null)
order by i.due_at, i.id limit %(most)s
"""
_VISITS_OPEN = """
select i.id, i.request_id from work_item i
where i.kind = 'visit' and i.state = 'open' and i.approved_at is null order by i.id
"""
_REQUESTS = "select id from visit_request where decision is null order by id"
_SUMS = """
select count(*)::int as items, count(*) filter (where kind = 'call')::int as calls,
       count(*) filter (where state = 'open')::int as open,
       count(*) filter (where state = 'done')::int as done,
       count(*) filter (where state = 'given_up')::int as given_up,
       (select count(*)::int from work_attempt) as attempts,
       (select count(*)::int from work_attempt a join work_item v on v.id = a.item_id
        where v.kind = 'visit' and (v.approved_at is null or a.at < v.approved_at)) as unapproved,
       (select count(*)::int from (select from work_item where kind = 'call' and state = 'open'
                                   group by person_id having count(*) > 1) t) as two_open,
       (select count(*)::int from (
            select from handover h join work_item c on c.id = h.item_id and c.kind = 'call'
            group by h.round_id, h.person_id having count(distinct c.id) > 1) t) as two_calls,
       (select count(*)::int from visit_request where decided_by = asked_by) as own_approvals
from work_item
"""

_NEVER = {
    "unapproved": "results of visits that nobody had approved",
    "two_open": "persons whom two open calls wait for",
    "two_calls": "persons whom one round had called twice",
    "own_approvals": "visits approved by whoever asked",
}


@dataclass(slots=True)
class Office:
    """`log`: what was written down, as (day, item, result); `refusals`: how often a visit that nobody had
    approved could not be written down."""

    rt: Runtime
    seed: int
    a_day: int
    log: list[tuple[int, int, str]] = field(default_factory=list)
    refusals: int = 0


def open_office(rt: Runtime, households: int, seed: int) -> Office:
    """As many hands as the city needs."""
    return Office(rt, seed, int(_A_DAY + households * _PER_HOUSEHOLD))


def _actor(name: str) -> Actor:
    return Actor(0, name, name, frozenset(), CITY, _PATH, CITY, _PATH)


async def work_today(office: Office, day: int, today: date) -> np.ndarray:
    """Approve visits, ask for new ones, call and visit; returns the households that were told."""
    await _see_to_visits(office, today)
    due = await office.rt.db.fetch(_DUE, {"most": office.a_day})
    told: list[int] = []
    waiting = iter(due)
    await asyncio.gather(*(_work(office, day, number, waiting, told) for number in range(_AT_ONCE)))
    return np.unique(np.array(told, dtype=np.int64))


async def _see_to_visits(office: Office, today: date) -> None:
    rt = office.rt
    for row in await rt.db.fetch(_REQUESTS):
        await approve_visits(rt, _actor("chief"), row["id"])
    rows = await rt.db.fetch(_VISITS_OPEN)
    if rows:
        await _try_unapproved(office, rows[0]["id"])
    fresh = [row["id"] for row in rows if row["request_id"] is None]
    if fresh:
        await ask_visits(rt, _actor("caller-0"), fresh, note="多次联系未果，上门告知办理期限", visit_on=today)


async def _try_unapproved(office: Office, item_id: int) -> None:
    try:
        await record_result(office.rt, _actor("caller-0"), item_id, Report("told"))
    except Conflict:
        office.refusals += 1
    else:
        raise AssertionError(f"a visit that nobody has approved was written down: item {item_id}")


async def _work(office: Office, day: int, number: int, waiting: Any, told: list[int]) -> None:
    for row in waiting:
        choices = _CALLS if row["kind"] == "call" else _VISITS
        draw = np.random.default_rng([office.seed, 5, row["id"], row["tries"]]).random()
        place = np.searchsorted(np.cumsum([share for _, share in choices]), draw, side="right")
        result = choices[min(int(place), len(choices) - 1)][0]
        await record_result(office.rt, _actor(f"caller-{number}"), row["id"], Report(result))
        office.log.append((day, row["id"], result))
        if result in _REACHED:
            told += row["households"]


async def judge_worklists(office: Office) -> tuple[dict[str, int], list[str]]:
    """The worklists' figures, and what is wrong with them in words."""
    sums = await office.rt.db.fetch_one(_SUMS)
    assert sums is not None
    wrong = [f"worklists: {count} {what}" for name, what in _NEVER.items() if (count := sums.pop(name))]
    if sums["items"] != sums["open"] + sums["done"] + sums["given_up"]:
        wrong.append(f"worklists: the sum does not agree: {sums}")
    if sums["attempts"] != len(office.log):
        wrong.append(
            f"worklists: {sums['attempts']} results stand there, {len(office.log)} were written down"
        )
    twice = len(office.log) - len({(day, item) for day, item, _ in office.log})
    if twice:
        wrong.append(f"worklists: {twice} calls or visits twice on a day")
    return dict(sums), wrong
