"""The slices of a round: whom the axes put where, how many on which day, and the positions that follow.

Planning and forecast ask `cut_slices` alike, so the load that was shown is the load that comes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from pyroaring import BitMap

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
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_texts
from outreach.registry.working_days import WorkCalendar, load_calendar

SQL = load_queries(__file__)

_SPOTS = 2**32
"""Every person has a fixed spot below this number; the first spots are the canary."""
_AT_ONCE = Stagger(opens=time())


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of a round. `opens` maps a day to the business time at which its slices open; `canary`:
    persons who go first; `keys` is what the queries that number the recipients want to know."""

    rule: Stagger
    layout: Layout
    opens: Mapping[date, datetime]
    canary: int
    keys: Mapping[str, Any]


async def cut_slices(
    conn: Connection,
    cache: SetCache,
    row: Mapping[str, Any],
    chosen: Selection,
    reach: Mapping[str, Any],
    *,
    moment: datetime,
) -> Slices | None:
    """The slices of a round that starts at a moment; None where all are told at once.

    `row` holds `id`, `org_id`, `ends_at`, `stagger` and `canary_permille`; `reach` what `persons_reached`
    wants. Whoever does not fit is in `layout.unplaced`. Raises ExpressionInvalid, and InvalidInput for a day
    of a year whose holidays are not known.
    """
    rule = read_stagger(row["stagger"]) or (_AT_ONCE if row["canary_permille"] else None)
    if rule is None:
        return None
    calendar = await load_calendar(conn, row["org_id"])
    days = days_of(moment, row["ends_at"], lambda day: _opens(day, rule, calendar))
    codes = await _codes(conn, cache, rule, chosen.planned, row["org_id"])
    base = chosen.planned.min() if chosen.planned else 0
    gathered = {**reach, "codes": codes, "base": base, "hall_level": rule.hall_level, "round_id": row["id"]}
    await conn.execute(SQL["slice_table"])
    await conn.execute(SQL["slice_clear"])
    await conn.execute(SQL["slice_gather"], gathered)
    keys = await _canary(conn, row, rule, days[0][0] if days else None)
    rows = await (await conn.execute(SQL["slice_groups"], keys)).fetchall()
    groups = [Group(one["code"], one["hall"], one["persons"]) for one in rows]
    after = days[-1][0] if days else in_beijing(moment).date() - timedelta(days=1)
    layout = lay_out(groups, rule, [day for day, _ in days], lambda: _beyond(after, rule, calendar))
    return Slices(rule, layout, dict(days), _leading(layout.cells), keys)


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


async def fill_slices(conn: Connection, row: Mapping[str, Any], slices: Slices) -> dict[str, Any]:
    """Write recipients and slices; returns what `append_recipients` returns."""
    cells = slices.layout.cells
    sizes, rule = slices.rule.sizes(), slices.rule
    starts = np.cumsum([0, *(cell.persons for cell in cells)]).tolist()
    places = [decode(cell.code, sizes) for cell in cells]
    keys = {
        **slices.keys,
        **_numbering(cells, starts),
        "period": row["period"],
        "round_id": row["id"],
        "firsts": [start + 1 for start in starts[:-1]],
        "lasts": starts[1:],
        "labels": [name_of(cell.code, rule) for cell in cells],
        "categories": [place[0] for place in places],
        "tiers": [place[1] for place in places],
        "waves": [place[2] for place in places],
        "orgs": [cell.hall or None for cell in cells],
        "days": [cell.day for cell in cells],
        "opens": [slices.opens[cell.day] for cell in cells],
    }
    filled = await (await conn.execute(SQL["slice_fill"], keys)).fetchone()
    assert filled is not None
    if slices.canary:
        canary = {"round_id": row["id"], "position": slices.canary}
        await conn.execute(SQL["begin_canary"], canary)
    return filled


def _numbering(cells: Sequence[Cell], starts: Sequence[int]) -> dict[str, Any]:
    """For each group, where its persons stand: the n-th of a group gets the position of the cell whose bound
    is the last not above n."""
    bounds: dict[tuple[int, int], list[int]] = {}
    bases: dict[tuple[int, int], list[int]] = {}
    taken: dict[tuple[int, int], int] = {}
    for cell, start in zip(cells, starts, strict=False):
        group = (cell.code, cell.hall)
        before = taken.get(group, 0)
        bounds.setdefault(group, []).append(before + 1)
        bases.setdefault(group, []).append(start + 1)
        taken[group] = before + cell.persons
    return {
        "group_codes": [code for code, _ in bounds],
        "group_halls": [hall for _, hall in bounds],
        "group_bounds": [_array(values) for values in bounds.values()],
        "group_bases": [_array(values) for values in bases.values()],
    }


def _array(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _leading(cells: Sequence[Cell]) -> int:
    """Persons of the canary on the first day."""
    first = cells[0].day if cells else None
    return sum(cell.persons for cell in cells if cell.code < 0 and cell.day == first)


def _opens(day: date, rule: Stagger, calendar: WorkCalendar) -> time | None:
    if rule.opens is not None and not rule.working_days:
        return rule.opens
    hours = calendar.hours_of(day)
    if hours is None:
        return None
    return rule.opens or hours[0]


def _beyond(after: date, rule: Stagger, calendar: WorkCalendar) -> Iterator[date]:
    day = after
    while calendar.knows((day := day + timedelta(days=1)).year) or not rule.working_days:
        if _opens(day, rule, calendar) is not None:
            yield day


async def _canary(
    conn: Connection, row: Mapping[str, Any], rule: Stagger, first: date | None
) -> dict[str, Any]:
    """Who goes first: persons with the first spots, of groups whose days hold the first day; at least one."""
    sizes = rule.sizes()
    codes = [
        code
        for code in range(sizes[0] * sizes[1] * sizes[2])
        if first is not None and may_open(code, rule, first)
    ]
    if not row["canary_permille"]:
        return {"canary_codes": codes, "canary_below": -1}
    found = await (await conn.execute(SQL["slice_spot"], {"canary_codes": codes})).fetchone()
    assert found is not None
    below = max(
        row["canary_permille"] * _SPOTS // 1000, (found["spot"] if found["spot"] is not None else -2) + 1
    )
    return {"canary_codes": codes, "canary_below": below}


async def _codes(conn: Connection, cache: SetCache, rule: Stagger, planned: BitMap, org_id: int) -> bytes:
    """A byte for every id from the first household to the last: the code of its group."""
    ids = np.array(planned.to_array(), dtype=np.int64)
    if not len(ids):
        return b""
    places = [
        await _places(conn, cache, rule.parts.get(axis, ()), ids, org_id) for axis in ("category", "tier")
    ]
    waves = rule.parts.get("wave", ())
    last = (
        await _places(conn, cache, waves, ids, org_id)
        if waves or rule.shares < 2
        else _share(ids, rule.shares)
    )
    table = np.zeros(int(ids[-1] - ids[0]) + 1, dtype=np.uint8)
    table[ids - ids[0]] = encode([*places, last], rule.sizes())
    return table.tobytes()


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


def _share(ids: np.ndarray, shares: int) -> np.ndarray:
    # Fibonacci hashing (Knuth 6.4): neighbours come apart, and nobody moves when others come and go.
    return (ids * 2654435761 % _SPOTS) * shares // _SPOTS
