"""The slices of a round: whom the axes put where, how many on which day, and the positions that follow.

Planning and forecast ask `cut_slices` alike, so the load that was shown is the load that comes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from pyroaring import BitMap

from campaigns.persons import SPOTS, Persons, spots_of
from campaigns.recipients import write_recipients
from campaigns.selection import Selection
from campaigns.staggering import (
    Cell,
    Group,
    Layout,
    Part,
    Stagger,
    days_of,
    decode,
    encode,
    lay_out,
    may_open,
    name_of,
    read_stagger,
)
from outreach.clock import in_beijing
from outreach.db.arrays import Ints, fetch_arrays
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.labels.bitmaps import to_array
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_texts
from outreach.registry.working_days import WorkCalendar, load_calendar

SQL = load_queries(__file__)

_AT_ONCE = Stagger(opens=time())


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of a round. `opens` maps a day to the business time at which its slices open; `canary`:
    persons who go first; `queue`: the places among `persons` of those who are told, group after group."""

    rule: Stagger
    layout: Layout
    opens: Mapping[date, datetime]
    canary: int
    persons: Persons
    queue: Ints


async def cut_slices(
    conn: Connection,
    cache: SetCache,
    row: Mapping[str, Any],
    chosen: Selection,
    persons: Persons,
    *,
    moment: datetime,
) -> Slices | None:
    """The slices of a round that starts at a moment; None where all are told at once.

    `row` holds `id`, `org_id`, `ends_at`, `stagger` and `canary_permille`. Whoever does not fit is in
    `layout.unplaced`. Raises ExpressionInvalid, and InvalidInput for a day of a year whose holidays are not
    known.
    """
    rule = read_stagger(row["stagger"]) or (_AT_ONCE if row["canary_permille"] else None)
    if rule is None:
        return None
    calendar = await load_calendar(conn, row["org_id"])
    days = days_of(moment, row["ends_at"], lambda day: opening_of(day, rule, calendar))
    codes = await _codes(conn, cache, rule, chosen.planned, persons, row["org_id"])
    codes = _canary(row, rule, codes, persons, days[0][0] if days else None)
    halls = await _halls(conn, rule, persons)
    queue, groups = _queue(persons, codes, halls)
    after = days[-1][0] if days else in_beijing(moment).date() - timedelta(days=1)
    layout = lay_out(groups, rule, [day for day, _ in days], lambda: _beyond(after, rule, calendar))
    return Slices(rule, layout, dict(days), _leading(layout.cells), persons, queue)


def refuse_overflow(slices: Slices, name: str) -> None:
    """Raises InvalidInput, with the number and the day, where the window cannot hold everybody."""
    if slices.layout.unplaced:
        day = slices.layout.fits_on
        until = f"窗口至少要到 {day:%Y-%m-%d}" if day else "按这样的上限一年也排不完"
        raise InvalidInput(
            f"轮次「{name}」按错峰上限在窗口内排不下：还有 {slices.layout.unplaced:,} 人没有日子，{until}。"
            "请延长窗口、提高上限或缩小人群。",
            field="stagger",
        )


async def fill_slices(conn: Connection, row: Mapping[str, Any], slices: Slices) -> None:
    """Write recipients and slices."""
    cells = slices.layout.cells
    sizes, rule = slices.rule.sizes(), slices.rule
    told = slices.persons.take(_in_turn(slices.queue, cells))
    await write_recipients(conn, row["period"], row["id"], told)
    lasts = np.cumsum([cell.persons for cell in cells], dtype=np.int64)
    firsts = lasts - [cell.persons for cell in cells]
    behind = np.append(0, np.cumsum(told.counts))
    places = [decode(cell.code, sizes) for cell in cells]
    keys = {
        "round_id": row["id"],
        "firsts": firsts + 1,
        "lasts": lasts,
        "households": behind[lasts] - behind[firsts],
        "labels": [name_of(cell.code, rule) for cell in cells],
        "categories": [place[0] for place in places],
        "tiers": [place[1] for place in places],
        "waves": [place[2] for place in places],
        "orgs": [cell.hall or None for cell in cells],
        "days": [cell.day for cell in cells],
        "opens": [slices.opens[cell.day] for cell in cells],
    }
    await conn.execute(SQL["write_slices"], keys)
    if slices.canary:
        canary = {"round_id": row["id"], "position": slices.canary}
        await conn.execute(SQL["begin_canary"], canary)


async def _halls(conn: Connection, rule: Stagger, persons: Persons) -> Ints:
    """The unit at a level of the organisation above each person, or her own where that lies above; 0 where
    halls do not matter."""
    if not rule.hall_level:
        return np.zeros(len(persons.ids), np.int64)
    (found,) = await fetch_arrays(conn, SQL["halls"], {"hall_level": rule.hall_level})
    by_id = np.argsort(found["units"])
    places: Ints = by_id[np.searchsorted(found["units"][by_id], persons.org_ids)]
    halls: Ints = found["halls"][places]
    return halls


def _queue(persons: Persons, codes: Ints, halls: Ints) -> tuple[Ints, list[Group]]:
    """The places of those who are told, one group after the other by code and hall, within a group in the
    order of the organisation and by id, so that a batch touches few org units; and the groups, the canary
    first, those of a code in the order of the organisation."""
    told = np.flatnonzero(persons.reach)
    queue = told[np.lexsort((persons.ranks[told], halls[told], codes[told]))]
    own, theirs = codes[queue], halls[queue]
    starts = np.flatnonzero((np.diff(own, prepend=-2) != 0) | (np.diff(theirs, prepend=-1) != 0))
    sizes = np.diff(starts, append=len(queue))
    order = np.lexsort((theirs[starts], persons.ranks[queue[starts]], own[starts]))
    groups = zip(own[starts][order], theirs[starts][order], sizes[order], strict=True)
    return queue, [Group(int(code), int(hall), int(size)) for code, hall, size in groups]


def _in_turn(queue: Ints, cells: Sequence[Cell]) -> Ints:
    """The same places cell after cell: a group's cells follow each other in its part of the queue."""
    starts = np.cumsum([0, *(cell.persons for cell in cells)])
    by_group = sorted(range(len(cells)), key=lambda place: (cells[place].code, cells[place].hall, place))
    turns = np.empty(len(queue), np.int64)
    done = 0
    for place in by_group:
        count = cells[place].persons
        turns[starts[place] : starts[place] + count] = queue[done : done + count]
        done += count
    return turns


def _leading(cells: Sequence[Cell]) -> int:
    """Persons of the canary on the first day."""
    first = cells[0].day if cells else None
    return sum(cell.persons for cell in cells if cell.code < 0 and cell.day == first)


def opening_of(day: date, rule: Stagger, calendar: WorkCalendar) -> time | None:
    """When the slices of a day open, None on a day off. Raises InvalidInput for a year whose holidays are not
    known."""
    if rule.opens is not None and not rule.working_days:
        return rule.opens
    hours = calendar.hours_of(day)
    if hours is None:
        return None
    return rule.opens or hours[0]


def _beyond(after: date, rule: Stagger, calendar: WorkCalendar) -> Iterator[date]:
    day = after
    while calendar.knows((day := day + timedelta(days=1)).year) or not rule.working_days:
        if opening_of(day, rule, calendar) is not None:
            yield day


def _canary(row: Mapping[str, Any], rule: Stagger, codes: Ints, persons: Persons, first: date | None) -> Ints:
    """The codes, -1 for those who go first: persons with the first spots, of groups whose days hold the first
    day; at least one. The spot is spread evenly and fixed for round and person."""
    if not row["canary_permille"] or first is None:
        return codes
    sizes = rule.sizes()
    early = [code for code in range(sizes[0] * sizes[1] * sizes[2]) if may_open(code, rule, first)]
    may_lead = (persons.reach > 0) & np.isin(codes, early)
    spots = spots_of(persons.ids + row["id"] * 7919)
    least = int(spots[may_lead].min(initial=SPOTS))
    below = max(row["canary_permille"] * SPOTS // 1000, least + 1)
    return np.where(may_lead & (spots < below), -1, codes)


async def _codes(
    conn: Connection, cache: SetCache, rule: Stagger, planned: BitMap, persons: Persons, org_id: int
) -> Ints:
    """The group of each person: with several households the earliest of theirs."""
    ids = to_array(planned).astype(np.int64)
    if not len(persons.ids):
        return persons.ids
    places = [
        await _places(conn, cache, rule.parts.get(axis, ()), ids, org_id) for axis in ("category", "tier")
    ]
    waves = rule.parts.get("wave", ())
    last = (
        await _places(conn, cache, waves, ids, org_id)
        if waves or rule.shares < 2
        else spots_of(ids) * rule.shares // SPOTS
    )
    codes = encode([*places, last], rule.sizes())[np.searchsorted(ids, persons.households)]
    return np.minimum.reduceat(codes, np.cumsum(persons.counts) - persons.counts).astype(np.int64)


async def _places(
    conn: Connection, cache: SetCache, parts: Sequence[Part], ids: np.ndarray, org_id: int
) -> np.ndarray:
    """For each household the first part whose segment holds it; behind all parts where none does."""
    places = np.full(len(ids), len(parts), dtype=np.int64)
    if not parts:
        return places
    texts = {str(number): part.segment for number, part in enumerate(parts)}
    frozen = await evaluate_texts(conn, cache, texts, org_id)
    for number in reversed(range(len(parts))):
        members = np.array(BitMap(frozen[str(number)].members).to_array(), dtype=np.int64)
        places[np.isin(ids, members, assume_unique=True)] = number
    return places
