"""What must hold on every day, by the gateways' books and by what taxpayers know of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import chinese_calendar
import numpy as np

from campaigns.holdout import held_out
from outreach.labels.bitmaps import from_array, to_array
from tests.season.behaviour import Model
from tests.season.books import Entries
from tests.season.people import People
from tests.season.plan import FIRST_DAY, Caps, Wave

QUOTA_DAYS = 7
_LONG_AGO = -1000
_NOBODY = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Played:
    """A round of the season. `is_statutory`: no control group, no refusal and no quota stop it."""

    id: int
    wave: Wave
    caps: Caps
    is_statutory: bool


@dataclass(slots=True)
class Judge:
    """What was booked so far. By person: `refused` (answered R), `last_round` and `last_day` of her last
    reminder; `met`: by round, whom it has reached out to. `control`: households held out."""

    model: Model
    rounds: Mapping[int, Played]
    control: np.ndarray
    refused: np.ndarray
    last_round: np.ndarray
    last_day: np.ndarray
    met: dict[int, np.ndarray] = field(default_factory=dict)
    fullest: float = 0.0


def make_judge(model: Model, rounds: Mapping[int, Played], permille: int, seed: int) -> Judge:
    """Before the first day."""
    size = model.people.count + 1
    control = np.zeros(size, dtype=bool)
    control[to_array(held_out(from_array(model.people.ids), permille, seed))] = True
    never = np.full(size, _LONG_AGO)
    return Judge(model, rounds, control, np.zeros(size, dtype=bool), np.zeros(size, dtype=int), never)


def wanted(judge: Judge, played: Played) -> np.ndarray:
    """Households that a round may still tell, by what they themselves know."""
    people, model = judge.model.people, judge.model
    flags: np.ndarray = (
        people.label(*played.wave.duties)
        & ~people.labels["iit.exempt"]
        & ~model.has_filed()
        & ~model.disputed
    )
    return flags if played.is_statutory else flags & ~people.opted_out & ~judge.control


def judge_sends(
    judge: Judge,
    today: date,
    entries: Mapping[str, Entries],
    rounds: Mapping[str, np.ndarray],
    doubtful: Mapping[int, np.ndarray],
) -> list[str]:
    """What was wrong with the day's sends, in words; the day is remembered. `doubtful`: by round, persons of
    whom nobody can tell yet whether they were told: they load this day, not the later one on which it is
    found out that they were not, and they are told."""
    wrong = []
    booked = {int(one) for held in rounds.values() for one in np.unique(held)}
    for round_id in sorted(booked | doubtful.keys()):
        if round_id not in judge.rounds:
            wrong.append(f"booked for no round: {round_id}")
            continue
        played = judge.rounds[round_id]
        told = {channel: held.person[rounds[channel] == round_id] for channel, held in entries.items()}
        unsure = doubtful.get(round_id, _NOBODY)
        wrong += [f"{played.wave.name}: {one}" for one in _judge_round(judge, today, played, told, unsure)]
    return wrong


def _judge_round(
    judge: Judge, today: date, played: Played, told: Mapping[str, np.ndarray], unsure: np.ndarray
) -> list[str]:
    people, day = judge.model.people, (today - FIRST_DAY).days
    persons = np.unique(np.concatenate([_NOBODY, *told.values()]))
    may = np.zeros(people.count + 1, dtype=bool)
    may[people.person[wanted(judge, played)]] = True
    wrong = [
        _said(int((~may[persons]).sum()), "told though they had acted, disputed, refused or were held out")
    ]
    if not played.is_statutory:
        phones = [told[channel] for channel in ("sms", "rcs") if channel in told]
        wrong.append(_said(sum(int(judge.refused[one].sum()) for one in phones), "told by phone after an R"))
        soon = (judge.last_round[persons] != played.id) & (day - judge.last_day[persons] < QUOTA_DAYS)
        wrong.append(_said(int(soon.sum()), f"told twice within {QUOTA_DAYS} days"))
    met = judge.met.setdefault(played.id, np.zeros(people.count + 1, dtype=bool))
    loading = np.union1d(persons, unsure)
    wrong += _judge_load(judge, today, played, loading[~met[loading]], len(persons))
    met[loading] = True
    judge.last_round[persons] = played.id
    judge.last_day[persons] = day
    return [one for one in wrong if one]


def _judge_load(judge: Judge, today: date, played: Played, fresh: np.ndarray, persons: int) -> list[str]:
    """The load of a day is whoever is told for the first time: she comes once."""
    people, caps = judge.model.people, played.caps
    in_hall = int(np.bincount(people.hall[fresh]).max()) if len(fresh) else 0
    judge.fullest = max(judge.fullest, len(fresh) / caps.day, in_hall / caps.hall)
    wrong = [
        _said(max(0, len(fresh) - caps.day), f"over the cap of {caps.day} a day"),
        _said(max(0, in_hall - caps.hall), f"over the cap of {caps.hall} a day of a hall"),
    ]
    if not chinese_calendar.is_workday(today):
        wrong.append(_said(persons, "told on a day off"))
    if played.wave.units_first is not None:
        first, last = played.wave.units_first
        alone = np.bincount(people.person)[fresh] == 1
        out = people.labels["iit.unit_filing"][fresh] & alone & (not first <= today <= last)
        wrong.append(_said(int(out.sum()), "of units told outside their days"))
    return wrong


def _said(count: int, what: str) -> str:
    return f"{count} {what}" if count else ""


def expected_exclusions(judge: Judge, played: Played, day: int) -> dict[str, np.ndarray]:
    """Flags of whom a round that is planned now leaves out, by reason, in their order; `audience` is the
    whole, `planned` who is left if everybody can be told."""
    people, model = judge.model.people, judge.model
    audience: np.ndarray = people.label(*played.wave.duties)
    left = audience.copy()
    found = {"audience": audience}
    reachable, willing = _reach(judge, played)
    recently = np.zeros(people.count + 1, dtype=bool)
    candidates = {
        "already_done": model.has_filed(),
        "disputed": model.disputed,
        "exempt": people.labels["iit.exempt"],
        "opted_out": recently if played.is_statutory else reachable & ~willing,
        "held_out": recently if played.is_statutory else judge.control,
        "contacted_recently": recently
        if played.is_statutory
        else day - judge.last_day[people.person] < QUOTA_DAYS,
    }
    for reason, flags in candidates.items():
        found[reason] = left & flags
        left &= ~flags
    return found


def _reach(judge: Judge, played: Played) -> tuple[np.ndarray, np.ndarray]:
    people = judge.model.people
    if played.wave.spoken:
        anybody = people.person > 0
        return anybody, anybody & ~people.opted_out
    phone = people.mobile | people.rcs
    other = people.openid | people.email
    return phone | other, (phone & ~judge.refused[people.person] | other) & ~people.opted_out


def arms(judge: Judge, excluded: Mapping[str, np.ndarray]) -> np.ndarray:
    """Whom a round had to tell, whether a message reached them or not: the treated side of an effect."""
    left = excluded["audience"].copy()
    for reason in ("already_done", "disputed", "exempt", "opted_out", "held_out"):
        left &= ~excluded[reason]
    return left


def alone(people: People) -> np.ndarray:
    """Households whose person looks after no other."""
    found: np.ndarray = np.bincount(people.person, minlength=people.count + 1)[people.person] == 1
    return found
