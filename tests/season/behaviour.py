"""What taxpayers do by themselves, and what a message changes: two worlds from the same draws.

Twice a day everybody who has not filed draws a number. Below her base rate she files whatever happened;
between the base rate and what a message of the last days has added she files because of it. The second
world, in which nobody is told, takes the same numbers without that addition. What the campaign has changed
in this very population is therefore known exactly, household by household.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from tests.season.people import People
from tests.season.plan import DEADLINE, FIRST_DAY

MORNING, EVENING = 0, 1
_SHARES = (0.3, 0.7)
_OPENS = (date(2026, 3, 1) - FIRST_DAY).days
_RUSH = (date(2026, 6, 20) - FIRST_DAY).days
_CLOSES = (DEADLINE - FIRST_DAY).days
_BY_ITSELF = {"iit.must_file": 0.004, "iit.refund_expected": 0.005}
"""Files by herself, a day; everybody else hardly ever."""
_ELSE = 0.001
_LIFT, _FADES, _MEMORY = 0.020, 0.7, 7
"""What a message adds a day, how much less the next one adds, for how many days."""
_DISPUTES, _DISPUTE_DAYS = 0.003, 20
_REFUSES = 0.004
_NEVER = 30_000


@dataclass(slots=True)
class Model:
    """`filed` and `filed_untold`: half-days (2 x day + half) at which a household files in this world and
    in the one without a campaign, `_NEVER` until then. `told_on`, `told`: the day of the last message that
    arrived, and how many did. `dispute_from`: the day on which she says that somebody misused her
    identity."""

    people: People
    seed: int
    rate: np.ndarray
    filed: np.ndarray
    filed_untold: np.ndarray
    told_on: np.ndarray
    told: np.ndarray
    dispute_from: np.ndarray
    disputed: np.ndarray

    def has_filed(self) -> np.ndarray:
        """Who has filed in this world."""
        found: np.ndarray = self.filed < _NEVER
        return found


def make_model(people: People, seed: int) -> Model:
    """The day before the season: nobody has filed."""
    size = people.count + 1
    rate = np.full(size, _ELSE)
    for code, chance in _BY_ITSELF.items():
        rate[people.labels[code]] = chance
    draws = np.random.default_rng([seed, 2])
    disputes = draws.random(size) < _DISPUTES
    dispute_from = np.where(disputes, draws.integers(_OPENS, _CLOSES, size), _NEVER)
    never = np.full(size, _NEVER, dtype=np.int16)
    return Model(
        people,
        seed,
        rate,
        never,
        never.copy(),
        np.full(size, -_NEVER, dtype=np.int32),
        np.zeros(size, dtype=np.int32),
        dispute_from,
        np.zeros(size, dtype=bool),
    )


def file_today(model: Model, day: int, half: int) -> np.ndarray:
    """The households that file in this half of a day; the other world goes on beside it."""
    base = model.rate * _rush(day) * _SHARES[half]
    fresh = day - model.told_on < _MEMORY
    added = (
        np.where(fresh, _LIFT * _FADES ** np.maximum(model.told - 1, 0), 0.0)
        * (day >= _OPENS)
        * _SHARES[half]
    )
    draw = np.random.default_rng([model.seed, 3, day, half]).random(len(base))
    draw[0] = 1.0
    free = ~((model.dispute_from <= day) & (day < model.dispute_from + _DISPUTE_DAYS))
    filing = free & ~model.has_filed() & (draw < base + added)
    model.filed[filing] = 2 * day + half
    model.filed_untold[free & (model.filed_untold == _NEVER) & (draw < base)] = 2 * day + half
    return np.flatnonzero(filing)


def _rush(day: int) -> float:
    if day < _OPENS:
        return 0.0
    return 0.5 if day > _CLOSES else 2.5 if day >= _RUSH else 1.0


def dispute_today(model: Model, day: int) -> tuple[np.ndarray, np.ndarray]:
    """Who disputes today, and whose dispute is closed."""
    begin = np.flatnonzero((model.dispute_from == day) & ~model.has_filed())
    end = np.flatnonzero(model.disputed & (model.dispute_from + _DISPUTE_DAYS == day))
    model.disputed[begin] = True
    model.disputed[end] = False
    return begin, end


def tell(model: Model, households: np.ndarray, day: int) -> None:
    """A message, a call or a visit has reached them."""
    model.told_on[households] = day
    model.told[households] += 1


def refuse_today(model: Model, persons: np.ndarray, day: int) -> np.ndarray:
    """Which of the persons whom a text message has reached today answer R."""
    draw = np.random.default_rng([model.seed, 4, day]).random(model.people.count + 1)
    refusing: np.ndarray = persons[draw[persons] < _REFUSES]
    return refusing


def true_effect(model: Model, households: np.ndarray) -> float:
    """What the campaign has changed for them: the share that has filed less the share that would have."""
    here, there = model.filed[households] < _NEVER, model.filed_untold[households] < _NEVER
    return float(here.mean() - there.mean())
