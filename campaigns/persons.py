"""Whom a set of households is told through, and which rungs of a ladder reach her.

The database is asked by ranges of ids and answers with plain columns; joining, grouping and sorting a million
of them here costs a fraction of what it costs there. A test compares the rule with its statement in SQL.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from outreach.db.arrays import Ints, fetch_arrays
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.bitmaps import from_array

SQL = load_queries(__file__)

IN_CARE, READS_MONGOLIAN = 1, 2
_SPOKEN = ("call", "visit")
_GAP = 16
"""Reading on over so few rows costs less than finding the next one in the index."""
LOW = 0xFFFFFFFF
"""Where a person and a household stand in one number, the household's part."""
SPOTS = 2**32
"""Spots are below this number."""


@dataclass(frozen=True, slots=True)
class Persons:
    """Columns with a place for each person that some rung reaches, or would if she were not apart.

    `org_ids`: the unit of her first household, `ranks`: where it stands in the order of the organisation. Bit
    n of `reach` is set if rung n reaches her: an address that works and that she has not closed to us, her
    telephone for a call, her door for a visit. `apart` says why rungs were left out: `IN_CARE` (no written
    rung, where the ladder has a call or a visit and the campaign wants it so), `READS_MONGOLIAN` (no SMS).
    Whoever has only such rungs has a reach of 0. `counts`: how many households she has; `households`: of one
    person after the other, ascending.
    """

    ids: Ints
    org_ids: Ints
    ranks: Ints
    reach: Ints
    apart: Ints
    counts: Ints
    households: Ints

    def households_of(self, which: NDArray[np.bool_]) -> BitMap:
        """The households of some of the persons."""
        return from_array(self.households[np.repeat(which, self.counts)])

    def first_rungs(self) -> Ints:
        """The rung at which each begins; all of them must have one."""
        rungs: Ints = np.log2(self.reach & -self.reach).astype(np.int64)
        return rungs

    def take(self, places: Ints) -> "Persons":
        """The persons at these places, in that order."""
        counts = self.counts[places]
        shifts = np.cumsum(self.counts)[places] - np.cumsum(counts)
        own = np.repeat(shifts, counts) + np.arange(int(counts.sum()))
        return Persons(
            self.ids[places],
            self.org_ids[places],
            self.ranks[places],
            self.reach[places],
            self.apart[places],
            counts,
            self.households[own],
        )


async def find_persons(conn: Connection, reach: Mapping[str, Any]) -> Persons:
    """The persons of some households, by ascending id. `reach` is what `selection.reach_parameters` says; its
    `contacts` are who is told for each household (`roles.Contacts.told`), None where the register says it.

    Enterprises are not old or disabled: of their people only the person's own note counts.
    """
    planned = reach["planned"].astype(np.int64)
    some = ranges_of(np.union1d(reach["care"], reach["mongolian"]))
    chosen = reach["contacts"]
    keys: dict[str, Any] = {**ranges_of(planned), **{f"apart_{name}": ids for name, ids in some.items()}}
    (found,) = await fetch_arrays(conn, SQL["households"], {**keys, "as_registered": chosen is None})
    told = found["told"] if chosen is None else chosen
    everybody = _grouped(planned, told, found["seats"], found["units"])
    facts = await load_facts(conn, everybody.ids, reach)
    whole = rungs_of(len(everybody.ids), reach, facts)
    apart = _apart(everybody, reach, found["private"], facts)
    left = np.where(apart & IN_CARE, whole & bits_of(reach, _SPOKEN), whole)
    left = np.where(apart & READS_MONGOLIAN, left & ~bits_of(reach, ("sms",)), left)
    return replace(everybody, reach=left, apart=apart).take(np.flatnonzero(whole))


async def load_facts(conn: Connection, ids: Ints, reach: Mapping[str, Any]) -> dict[tuple[str, str], Ints]:
    """What is known of some persons, as their places among the ascending ids: a fact and what it is about
    (persons.sql). `reach` holds the ladder's `channels` and `kinds`, and the `topic`."""
    keys = {**ranges_of(ids), "kinds": sorted({*reach["kinds"]})}
    keys |= {name: reach[name] for name in ("channels", "topic")}
    return {
        (row["fact"], row["about"]): _those(ids, row["persons"])
        for row in await fetch_arrays(conn, SQL["facts"], keys)
    }


def rungs_of(count: int, reach: Mapping[str, Any], facts: Mapping[tuple[str, str], Ints]) -> Ints:
    """The rungs that reach each of so many persons, whoever she is, by `load_facts`; bits as in `Persons`."""
    whole = np.zeros(count, np.int64)
    nobody = whole[:0]
    for step, channel, kind in zip(reach["steps"], reach["channels"], reach["kinds"], strict=True):
        able = np.full(count, channel == "visit")
        able[facts["usable", kind]] = True
        if channel == "rcs":
            able[facts["no_rcs", ""]] = False
        for refused in ("all", channel, reach["topic"]):
            able[facts.get(("closed", refused), nobody)] = False
        whole[able] |= 1 << step
    return whole


def bits_of(reach: Mapping[str, Any], channels: Collection[str]) -> int:
    """The bits of the rungs of some channels."""
    return sum(
        1 << step
        for step, channel in zip(reach["steps"], reach["channels"], strict=True)
        if channel in channels
    )


def ranges_of(ids: Ints) -> dict[str, Ints]:
    """The first and the last of each stretch of ascending ids without a wide gap."""
    if not len(ids):
        return {"firsts": ids, "lasts": ids}
    ends = np.flatnonzero(np.diff(ids) > _GAP)
    return {"firsts": ids[np.append(0, ends + 1)], "lasts": ids[np.append(ends, len(ids) - 1)]}


def spots_of(ids: Ints) -> Ints:
    """A fixed spot for each id, spread evenly: neighbours fall far from each other (Knuth's multiplier)."""
    spots: Ints = ids * 2_654_435_761 % SPOTS
    return spots


def _standing(ids: Ints, wanted: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Where each of the wanted stands, or would stand, among ascending ids, and whether it does."""
    places = np.searchsorted(ids, wanted)
    inside = places < len(ids)
    inside[inside] = ids[places[inside]] == wanted[inside]
    return places, inside


def _those(ids: Ints, wanted: Ints) -> Ints:
    """The places among ascending ids of those that stand there."""
    places, inside = _standing(ids, wanted)
    return places[inside]


def _grouped(planned: Ints, told: Ints, seats: Ints, units: Ints) -> Persons:
    """Everybody who is told for a household, before it is known by which rungs."""
    told, seats = np.sort(told), np.sort(seats)
    told = told[_standing(planned, told & LOW)[1]]
    places, seated = _standing(seats >> 32, told & LOW)
    told, places = told[seated], places[seated]
    persons, households = told >> 32, told & LOW
    starts = np.flatnonzero(np.diff(persons, prepend=-1))
    org_ids = seats[places[starts]] & LOW
    by_id = np.argsort(units)
    ranks = by_id[np.searchsorted(units[by_id], org_ids)]
    nothing = np.zeros(len(starts), np.int64)
    counts = np.diff(starts, append=len(persons))
    return Persons(persons[starts], org_ids, ranks, nothing, nothing, counts, households)


def _apart(
    persons: Persons, reach: Mapping[str, Any], private: Ints, facts: Mapping[tuple[str, str], Ints]
) -> Ints:
    """Who takes another way; `private`: households that are no enterprises."""
    apart = np.zeros(len(persons.ids), np.int64)
    if reach["call_first"] and bits_of(reach, _SPOKEN):
        apart[_owners(persons, reach["care"], private)] |= IN_CARE
        apart[facts["special_care", ""]] |= IN_CARE
    apart[_owners(persons, reach["mongolian"], private)] |= READS_MONGOLIAN
    apart[facts["mongolian", ""]] |= READS_MONGOLIAN
    return apart


def _owners(persons: Persons, members: Ints, private: Ints) -> Ints:
    """The places of those who have one of these households that are no enterprises."""
    _, own = _standing(np.intersect1d(members, private, assume_unique=True), persons.households)
    return np.repeat(np.arange(len(persons.ids)), persons.counts)[own]
