"""错峰: who is told on which day, so that neither the hall nor the network is overrun (004-52, 004-55). Pure.

Four independent axes, none of which has an official definition: category, tier and wave put people into an
order, time says on which days there is room. A group is what all axes put together; days are filled in order,
each with the groups in theirs, never above a cap. Whoever does not fit is told, never pushed in.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from outreach.clock import BEIJING, in_beijing
from outreach.errors import InvalidInput

AXES = {"category": "分类", "tier": "分级", "wave": "分批", "time": "分期"}
"""The axes in the order in which they sort, with the words that a screen shows unless a plan has its own."""

MOST_GROUPS = 200
REST = "其余"
_LONGEST_LOOK = 366


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of an axis: whom a segment names, on days that may be bounded."""

    name: str
    segment: str
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class Stagger:
    """What staff have laid down. `parts`: by axis, earlier parts first; whoever is in none comes last.
    `shares`: so many equal waves where no part names them. Caps are in persons, who get one message and come
    once: `cap_day` over the round, `cap_hall` for each unit at `hall_level` of the organisation. `opens`: the
    hour at which a day's slice opens, that of the office where None. `labels`: words for the axes."""

    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    shares: int = 0
    working_days: bool = False
    opens: time | None = time(9)
    cap_day: int | None = None
    cap_hall: int | None = None
    hall_level: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, axis: str) -> str:
        """The word for an axis."""
        return self.labels.get(axis) or AXES[axis]

    def sizes(self) -> tuple[int, int, int]:
        """Stretches of category, tier and wave, with that of whoever is in none."""
        category, tier, wave = (len(self.parts.get(axis, ())) for axis in ("category", "tier", "wave"))
        return (
            category + 1 if category else 1,
            tier + 1 if tier else 1,
            wave + 1 if wave else max(self.shares, 1),
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Persons whom all axes put together, in one hall (0: not told apart). `code` sorts; -1 is the canary."""

    code: int
    hall: int
    persons: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A group's share of a day."""

    day: date
    code: int
    hall: int
    persons: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Cells in the order in which they open. `unplaced` persons find no room in the window; they would by
    `fits_on`, None if not within a year."""

    cells: tuple[Cell, ...]
    unplaced: int = 0
    fits_on: date | None = None


def read_stagger(stored: Mapping[str, Any]) -> Stagger | None:
    """The rule as it stands in `round.stagger`; None where everybody is told at once."""
    if not stored:
        return None
    parts = {
        axis: tuple(
            Part(one["name"], one["segment"], _day(one.get("first_day")), _day(one.get("last_day")))
            for one in stored[axis]
        )
        for axis in ("category", "tier", "wave")
        if axis in stored
    }
    opens = stored.get("opens", "09:00")
    return Stagger(
        parts,
        stored.get("shares", 0),
        stored.get("working_days", False),
        time.fromisoformat(opens) if opens else None,
        stored.get("cap_day"),
        stored.get("cap_hall"),
        stored.get("hall_level", 0),
        stored.get("labels", {}),
    )


def write_stagger(rule: Stagger | None) -> dict[str, Any]:
    """The rule as it is stored and signed."""
    if rule is None:
        return {}
    axes = {
        axis: [
            {
                "name": one.name,
                "segment": one.segment,
                "first_day": one.first_day.isoformat() if one.first_day else None,
                "last_day": one.last_day.isoformat() if one.last_day else None,
            }
            for one in parts
        ]
        for axis, parts in rule.parts.items()
        if parts
    }
    plain = {
        "shares": rule.shares,
        "working_days": rule.working_days,
        "opens": f"{rule.opens:%H:%M}" if rule.opens else "",
        "cap_day": rule.cap_day,
        "cap_hall": rule.cap_hall,
        "hall_level": rule.hall_level,
        "labels": dict(rule.labels),
    }
    return {**axes, **plain}


def check_stagger(rule: Stagger, place: str) -> None:
    """Raises InvalidInput at a field below `place`."""
    if rule.shares and rule.parts.get("wave"):
        raise InvalidInput("分批要么按条件，要么平均分，不能同时填写", field=f"{place}.shares")
    if rule.cap_hall and not rule.hall_level:
        raise InvalidInput("设置了每厅上限，请选择按哪一级机构计算", field=f"{place}.hall_level")
    for name, cap in (("cap_day", rule.cap_day), ("cap_hall", rule.cap_hall)):
        if cap is not None and cap < 1:
            raise InvalidInput("上限应是 1 以上的整数，不限请留空", field=f"{place}.{name}")
    category, tier, wave = rule.sizes()
    if category * tier * wave > MOST_GROUPS:
        asked = category * tier * wave
        raise InvalidInput(
            f"分类、分级、分批相乘有 {asked} 组，最多 {MOST_GROUPS} 组，请合并一些", field=f"{place}.wave"
        )
    for axis, parts in rule.parts.items():
        for number, part in enumerate(parts, start=1):
            if part.first_day and part.last_day and part.last_day < part.first_day:
                raise InvalidInput(
                    f"{rule.label(axis)}第 {number} 段的最后一天早于第一天", field=f"{place}.{axis}"
                )


def encode(places: Sequence[np.ndarray], sizes: tuple[int, int, int]) -> np.ndarray:
    """One code per household from its places on category, tier and wave; codes sort as the axes do."""
    category, tier, wave = places
    codes: np.ndarray = (category.astype(np.int64) * sizes[1] + tier) * sizes[2] + wave
    return codes


def decode(code: int, sizes: tuple[int, int, int]) -> tuple[int, int, int]:
    """The places on category, tier and wave; -1 of each for the canary."""
    if code < 0:
        return -1, -1, -1
    rest, wave = divmod(code, sizes[2])
    category, tier = divmod(rest, sizes[1])
    return category, tier, wave


def name_of(code: int, rule: Stagger) -> str:
    """What a screen calls a group: its stretches, or nothing if the plan tells none apart."""
    if code < 0:
        return "灰度"
    words = []
    for axis, place in zip(("category", "tier", "wave"), decode(code, rule.sizes()), strict=True):
        parts = rule.parts.get(axis, ())
        if parts:
            words.append(parts[place].name if place < len(parts) else f"{rule.label(axis)}{REST}")
        elif axis == "wave" and rule.shares > 1:
            words.append(f"第 {place + 1} 批")
    return " · ".join(words) or "全部"


def days_of(
    starts_at: datetime, ends_at: datetime, opens: Callable[[date], time | None]
) -> list[tuple[date, datetime]]:
    """The days of a window with the moments at which their slices open; `opens` is None on a day off. The
    first day opens when the round starts if that is later; a day on which nothing could leave is none."""
    found = []
    day = in_beijing(starts_at).date()
    while (midnight := datetime.combine(day, time(), BEIJING)) < ends_at:
        clock = opens(day)
        if clock is not None:
            moment = max(midnight.replace(hour=clock.hour, minute=clock.minute), starts_at)
            if moment < ends_at:
                found.append((day, moment))
        day += timedelta(days=1)
    return found


def lay_out(
    groups: Sequence[Group], rule: Stagger, days: Sequence[date], beyond: Callable[[], Iterator[date]]
) -> Layout:
    """Every group's persons on the days of the window, in order of code, never above a cap. What a day has
    room for is shared between the halls in proportion to whom each still has to tell, by largest remainder.
    `beyond`: days after the window, to tell when whoever is left would find room."""
    halls = sorted({group.hall for group in groups}, key=_order(groups))
    codes = sorted({group.code for group in groups})
    waiting = np.zeros((len(codes), len(halls)), dtype=np.int64)
    for group in groups:
        waiting[codes.index(group.code), halls.index(group.hall)] += group.persons
    windows = [_window(code, rule) for code in codes]
    cells: list[Cell] = []
    for day in days:
        cells += _fill_day(day, codes, halls, waiting, windows, rule)
    unplaced = int(waiting.sum())
    return Layout(tuple(cells), unplaced, _fits_on(codes, halls, waiting, rule, beyond) if unplaced else None)


def _order(groups: Sequence[Group]) -> Callable[[int], int]:
    # In the order in which the halls came, which is that of the organisation.
    first: dict[int, int] = {}
    for place, group in enumerate(groups):
        first.setdefault(group.hall, place)
    return lambda hall: first[hall]


def _fill_day(
    day: date,
    codes: Sequence[int],
    halls: Sequence[int],
    waiting: np.ndarray,
    windows: Sequence[tuple[date, date]],
    rule: Stagger,
) -> Iterator[Cell]:
    room = rule.cap_day if rule.cap_day is not None else int(waiting.sum())
    hall_room = np.full(len(halls), rule.cap_hall if rule.cap_hall is not None else room, dtype=np.int64)
    for row, code in enumerate(codes):
        first, last = windows[row]
        if not first <= day <= last or room <= 0:
            continue
        taken = share_out(waiting[row], room, hall_room)
        waiting[row] -= taken
        hall_room -= taken
        room -= int(taken.sum())
        for column in np.flatnonzero(taken):
            yield Cell(day, code, halls[int(column)], int(taken[column]))


def share_out(wanted: np.ndarray, room: int, most: np.ndarray | None = None) -> np.ndarray:
    """As much of what is wanted as there is room for, in proportion, by largest remainder; exact. `most`:
    what each may have; what one may not take goes to the others. A hall with many people to tell has its full
    load from the first day on: later it would have more left than its cap lets through."""
    limits: np.ndarray = wanted.copy() if most is None else np.minimum(wanted, most)
    if int(limits.sum()) <= room:
        return limits
    full, above = np.zeros(len(wanted), dtype=bool), np.ones(1, dtype=bool)
    while above.any():
        total, left = int(wanted[~full].sum()), room - int(limits[full].sum())
        above = ~full & (wanted * left >= limits * total)
        full |= above
    taken: np.ndarray = np.where(full, limits, wanted * left // total)
    rest = np.where(full, -1, wanted * left % total)
    for place in np.argsort(-rest, kind="stable")[: room - int(taken.sum())]:
        taken[place] += 1
    return taken


def _fits_on(
    codes: Sequence[int],
    halls: Sequence[int],
    waiting: np.ndarray,
    rule: Stagger,
    beyond: Callable[[], Iterator[date]],
) -> date | None:
    # Whoever missed her own days would be told on any: the question is when the round must end.
    windows = [(date.min, date.max)] * len(codes)
    for number, day in enumerate(beyond()):
        if number >= _LONGEST_LOOK:
            return None
        for _ in _fill_day(day, codes, halls, waiting, windows, rule):
            pass
        if not waiting.any():
            return day
    return None


def _window(code: int, rule: Stagger) -> tuple[date, date]:
    """The days on which a group may be told: those of all its stretches together."""
    first, last = date.min, date.max
    for axis, place in zip(("category", "tier", "wave"), decode(code, rule.sizes()), strict=True):
        parts = rule.parts.get(axis, ())
        if 0 <= place < len(parts):
            first = max(first, parts[place].first_day or first)
            last = min(last, parts[place].last_day or last)
    return first, last


def may_open(code: int, rule: Stagger, day: date) -> bool:
    """Whether a group's own days hold this one."""
    first, last = _window(code, rule)
    return first <= day <= last


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
