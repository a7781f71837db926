"""The day's sends in the ledger against what the gateways booked: person by person, state by state."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests.season.books import STATES, Entries

_SENT = """
select m.round_id, s.channel, m.state, m.state = 1 or m.state = 4 and m.ref is null as doubtful,
       array_agg(m.person_id) as persons
from message m join round_step s on s.round_id = m.round_id and s.step = m.step
where m.period = any(%(periods)s) and m.sent_at >= %(first)s and m.sent_at < %(last)s
group by 1, 2, 3, 4
"""
_PERIODS = """
select distinct period from round
where period is not null and (finished_at is null or finished_at >= %(first)s)
"""
_ROUNDS = "select id, round_id from batch where id = any(%(ids)s)"

_BOOKED = {
    State.ACCEPTED: "accepted",
    State.DELIVERED: "delivered",
    State.FAILED: "failed",
    State.READ: "read",
}
_PERSONS = 2**32


@dataclass(frozen=True, slots=True)
class Compared:
    """Where ledger and books of a day differ, in words; `doubtful`: by round, the persons of whom the ledger
    cannot tell yet whether they were told, because no answer came to the request."""

    wrong: list[str]
    doubtful: Mapping[int, np.ndarray]


async def rounds_of(rt: Runtime, entries: Mapping[str, Entries]) -> dict[str, np.ndarray]:
    """The round of every entry, by its batch; 0 where the ledger knows none."""
    known = sorted({int(one) for held in entries.values() for one in np.unique(held.batch)})
    rows = await rt.db.fetch(_ROUNDS, {"ids": known})
    names = {row["id"]: row["round_id"] for row in rows}
    found = {}
    for channel, held in entries.items():
        batches, place = np.unique(held.batch, return_inverse=True)
        found[channel] = np.array([names.get(int(one), 0) for one in batches], dtype=np.int64)[place]
    return found


async def compare_day(
    rt: Runtime, day: datetime, entries: Mapping[str, Entries], rounds: Mapping[str, np.ndarray]
) -> Compared:
    """A day's sends, person by person. `day`: its midnight."""
    window = {"first": day, "last": day + timedelta(days=1)}
    periods = [row["period"] for row in await rt.db.fetch(_PERIODS, window)]
    rows = await rt.db.fetch(_SENT, {**window, "periods": periods})
    wrong, doubtful = [], defaultdict(list)
    for row in rows:
        if row["doubtful"]:
            doubtful[row["round_id"]] += row["persons"]
    for channel in sorted({*entries, *(row["channel"] for row in rows)}):
        own = [row for row in rows if row["channel"] == channel]
        held = _sorted(
            [
                _code(row["round_id"], STATES.index(_BOOKED[State(row["state"])]), row["persons"])
                for row in own
                if not row["doubtful"]
            ]
        )
        unsure = _sorted([_code(row["round_id"], 0, row["persons"]) for row in own if row["doubtful"]])
        booked = np.zeros(0, dtype=np.int64)
        if channel in entries:
            found = entries[channel]
            certain = ~np.isin(_code(rounds[channel], 0, found.person), unsure)
            booked = np.sort(_code(rounds[channel], found.state, found.person)[certain])
        if not np.array_equal(booked, held):
            more, less = np.setdiff1d(booked, held).size, np.setdiff1d(held, booked).size
            wrong.append(
                f"{channel}: {len(booked)} booked, {len(held)} in the ledger, {more} and {less} unlike"
            )
    return Compared(wrong, {round_id: np.unique(persons) for round_id, persons in doubtful.items()})


def _code(round_id: object, state: object, persons: object) -> np.ndarray:
    rounds, states = np.asarray(round_id, dtype=np.int64), np.asarray(state, dtype=np.int64)
    codes: np.ndarray = (rounds * len(STATES) + states) * _PERSONS + np.asarray(persons, dtype=np.int64)
    return codes


def _sorted(parts: list[np.ndarray]) -> np.ndarray:
    return np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
