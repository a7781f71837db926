"""A simulated day: taxpayers act, the product sends, staff work, taxpayers act again; all is judged."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import Any

import chinese_calendar
import numpy as np
from pyroaring import BitMap

from outreach.clock import BEIJING
from outreach.demo.play import Stopwatch
from outreach.labels.bitmaps import from_array
from outreach.ledger.audit import audit_round
from outreach.ledger.states import State
from tests import town
from tests.season.behaviour import EVENING, MORNING, Model, refuse_today, tell
from tests.season.books import STATES, Books, Entries, new_entries, turn_page
from tests.season.judge import Judge, Played, alone, arms, expected_exclusions, judge_sends, wanted
from tests.season.ledger import Compared, compare_day, rounds_of
from tests.season.officers import Office, judge_worklists, work_today
from tests.season.plan import FIRST_DAY
from tests.season.rest import rest
from tests.season.stage import Stage
from tests.season.taxpayers import act, refuse

_NIGHT, _EARLY, _SENDS, _WORKS, _LATE = clock(5), clock(7, 40), clock(9), clock(14), clock(20, 30)
_GATE_SECONDS = 0.35
"""The gate may be a third of a second old: what is reported later than that is still overtaken."""
_SETTLES_SECONDS, _PATIENCE = 0.3, 60.0
_SETS = "select kind, reason, data from round_set where round_id = %(round_id)s"
_OPEN = (
    "select id, planned, state from round where period is not null"
    " and (finished_at is null or finished_at >= %(since)s) order by id"
)
_COUNTS = "select state, coalesce(sum(n), 0)::int as n from message_count group by state order by state"


class Wrong(AssertionError):
    """Something does not hold on a day; the message names the day and all of it."""


@dataclass(slots=True)
class Season:
    """What a day needs and what it leaves behind. `told`: the treated side; `days`: a record each."""

    stage: Stage
    model: Model
    judge: Judge
    office: Office
    books: Books
    watch: Stopwatch
    told: np.ndarray
    days: list[dict[str, Any]] = field(default_factory=list)
    moved_at: float = 0.0
    audited: object = None


async def live(season: Season, today: date) -> dict[str, Any]:
    """Live one day and return its record. Raises Wrong."""
    day, watch, began = (today - FIRST_DAY).days, season.watch, time.monotonic()
    record: dict[str, Any] = {"day": today.isoformat()}
    with watch.phase("acts"):
        await asyncio.sleep(max(0.0, season.moved_at + _GATE_SECONDS - time.monotonic()))
        record["filed_in_the_morning"] = await _act(season, today, MORNING)
    starting = _starting(season, today)
    expected = {one.id: expected_exclusions(season.judge, one, day) for one in starting}
    wrong = await _send(season, today, starting)
    with watch.phase("books"):
        entries, rounds, compared = await _settled(season, today)
        turn_page(season.books, entries)
    wrong += compared.wrong + judge_sends(season.judge, today, entries, rounds, compared.doubtful)
    record["sent"] = {channel: _by_state(held) for channel, held in entries.items()}
    with watch.phase("judging"):
        record["rounds"], more = await _judge_rounds(season, expected)
        wrong += more
    called = await _work(season, today)
    _tell(season, day, entries, rounds, called)
    with watch.phase("acts"):
        record["filed_in_the_evening"] = await _act(season, today, EVENING)
        record["refused"] = await _refuse(season, day, entries)
    if any(one.wave.ends_at.date() == today for one in season.judge.rounds.values()):
        with watch.phase("sending"):
            season.moved_at = await rest(season.stage.rt, season.model.people.count)
    with watch.phase("judging"):
        record["worklists"], more = await judge_worklists(season.office)
        rows = await season.stage.rt.db.fetch(_COUNTS)
        record["ledger"] = {State(row["state"]).name.lower(): row["n"] for row in rows}
        wrong += more + await _audit(season, today, record["ledger"])
    record["seconds"] = round(time.monotonic() - began, 2)
    season.days.append(record)
    if wrong:
        raise Wrong(f"{today}: " + "; ".join(wrong))
    return record


async def _act(season: Season, today: date, half: int) -> int:
    at = _moment(today, _EARLY if half == MORNING else _LATE)
    if half == EVENING:
        await town.set_clock(season.stage.rt, at)
    return await act(season.stage.rt, season.model, (today - FIRST_DAY).days, half, at)


def _starting(season: Season, today: date) -> list[Played]:
    return [one for one in season.judge.rounds.values() if one.wave.starts_at.date() == today]


async def _send(season: Season, today: date, starting: list[Played]) -> list[str]:
    """What is due in quiet hours waits for the morning; then all of the day leaves."""
    rt, count, wrong = season.stage.rt, season.model.people.count, []
    early = [one for one in season.judge.rounds.values() if one.wave.opens < _EARLY and _runs(one, today)]
    with season.watch.phase("planning" if starting else "sending"):
        if early:
            # No worker may remember the evening, when it was allowed to send.
            await town.set_clock(rt, _moment(today, _NIGHT))
            await asyncio.sleep(2 * _GATE_SECONDS)
            await town.set_clock(rt, _moment(today, _EARLY))
            await rest(rt, count, quiet=True)
            if await new_entries(season.books):
                wrong.append("sent in quiet hours")
        await town.set_clock(rt, _moment(today, _SENDS))
        season.moved_at = await rest(rt, count)
    return wrong


def _runs(one: Played, today: date) -> bool:
    return one.wave.starts_at.date() <= today <= one.wave.ends_at.date()


async def _settled(season: Season, today: date) -> tuple[dict[str, Entries], dict[str, np.ndarray], Compared]:
    """The day's entries once books and ledger agree and no report is on its way, or what remains unlike."""
    rt, began = season.stage.rt, time.monotonic()
    while True:
        entries = await new_entries(season.books)
        rounds = await rounds_of(rt, entries)
        compared = await compare_day(rt, _moment(today, clock()), entries, rounds)
        if not compared.wrong and not any(held.pending for held in entries.values()):
            return entries, rounds, compared
        if time.monotonic() - began > _PATIENCE:
            unlike = [f"books and ledger differ: {one}" for one in compared.wrong or ["reports are missing"]]
            return entries, rounds, replace(compared, wrong=unlike)
        await asyncio.sleep(_SETTLES_SECONDS)


async def _judge_rounds(
    season: Season, expected: Mapping[int, Mapping[str, np.ndarray]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rounds that were planned today: who fell out is who had to."""
    records, wrong = [], []
    for round_id, flags in expected.items():
        played = season.judge.rounds[round_id]
        rows = await season.stage.rt.db.fetch(_SETS, {"round_id": round_id})
        sets = {
            row["reason"] or row["kind"]: BitMap.deserialize(bytes(row["data"]))
            for row in rows
            if row["kind"] != "detour"
        }
        sizes = {name: len(members) for name, members in sets.items()}
        records.append({"round": played.wave.name, **sizes})
        if not sets:
            wrong.append(f"{played.wave.name} was not planned")
            continue
        left_out = sum(size for name, size in sizes.items() if name not in ("audience", "planned"))
        if sizes["audience"] != sizes["planned"] + left_out:
            wrong.append(f"{played.wave.name}: the exclusions do not add up")
        wrong += [f"{played.wave.name}: {one}" for one in _unlike(season, flags, sets)]
        if not played.is_statutory:
            season.told |= arms(season.judge, flags)
    return records, wrong


def _unlike(season: Season, flags: Mapping[str, np.ndarray], sets: Mapping[str, BitMap]) -> list[str]:
    # Whoever looks after several households may have been told for one of them only.
    alike = from_array(np.flatnonzero(alone(season.model.people)))
    wrong = []
    for name, held in flags.items():
        mine, theirs = from_array(np.flatnonzero(held)), sets.get(name, BitMap())
        if name == "contacted_recently":
            mine, theirs = mine & alike, theirs & alike
        if mine != theirs:
            wrong.append(f"{name}: {len(theirs)} instead of {len(mine)}, {len(mine ^ theirs)} unlike")
    return wrong


async def _work(season: Season, today: date) -> np.ndarray:
    spoken = [one for one in season.judge.rounds.values() if one.wave.spoken and _runs(one, today)]
    if not spoken or not chinese_calendar.is_workday(today):
        return np.zeros(0, dtype=np.int64)
    with season.watch.phase("worklists"):
        await town.set_clock(season.stage.rt, _moment(today, _WORKS))
        return await work_today(season.office, (today - FIRST_DAY).days, today)


def _tell(
    season: Season,
    day: int,
    entries: Mapping[str, Entries],
    rounds: Mapping[str, np.ndarray],
    called: np.ndarray,
) -> None:
    """What has really arrived moves people; what is only on its way does not."""
    people = season.model.people
    reached = np.zeros(people.count + 1, dtype=bool)
    reached[called] = True
    for channel, held in entries.items():
        arrived = np.isin(held.state, (STATES.index("delivered"), STATES.index("read")))
        for round_id in np.unique(rounds[channel]):
            hers = np.zeros(people.count + 1, dtype=bool)
            hers[held.person[arrived & (rounds[channel] == round_id)]] = True
            reached |= hers[people.person] & wanted(season.judge, season.judge.rounds[int(round_id)])
    tell(season.model, np.flatnonzero(reached), day)


async def _refuse(season: Season, day: int, entries: Mapping[str, Entries]) -> int:
    if "sms" not in entries:
        return 0
    held, refused = entries["sms"], season.judge.refused
    arrived = np.unique(held.person[held.state == STATES.index("delivered")])
    persons = refuse_today(season.model, arrived[~refused[arrived]], day)
    refused[persons] = True
    if len(persons):
        await refuse(season.stage, persons, refused)
    return len(persons)


async def _audit(season: Season, today: date, counts: Mapping[str, int]) -> list[str]:
    """Recount every open round; nothing if no figure has changed since they were last recounted."""
    rt, wrong = season.stage.rt, []
    rows = await rt.db.fetch(_OPEN, {"since": _moment(today, clock())})
    figures = (counts, [tuple(row.values()) for row in rows], len(season.office.log))
    if figures == season.audited:
        return []
    season.audited = figures
    for row in rows:
        audit = await audit_round(rt, row["id"])
        wrong += [
            f"{audit.name}: {one.name} {one.left} ≠ {one.right}" for one in audit.checks if not one.agrees
        ]
    return wrong


def _by_state(held: Entries) -> dict[str, int]:
    counts = np.bincount(held.state, minlength=len(STATES))
    return {name: int(count) for name, count in zip(STATES, counts, strict=True) if count}


def _moment(today: date, hour: clock) -> datetime:
    return datetime.combine(today, hour, BEIJING)


def days_between(first: date, last: date) -> list[date]:
    """Both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
