"""Which of a household's people a campaign tells: of those in the roles that it has chosen, the first whom
its ladder reaches (requirement 002-18, decision 26).

A campaign that chooses none tells the contact of the register, and nothing here is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyroaring import BitMap

from campaigns.persons import LOW, bits_of, load_facts, ranges_of, rungs_of
from outreach.db.arrays import Ints, fetch_arrays
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.labels.bitmaps import from_array, to_array
from outreach.registry.fields import ROLES

SQL = load_queries(__file__)

REGISTERED = "登记的联系人"
"""Who is told where no role is chosen."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """The contact of each household that has one in a chosen role. `told`: her and the household in one
    number; `by_role`: the households by the role that decided, in the order of the choice; `refused`: those
    whose contact has closed every rung to us, so that nobody else is told in her place."""

    told: Ints
    by_role: Mapping[str, BitMap]
    refused: BitMap

    @property
    def households(self) -> BitMap:
        """All that have a contact."""
        return from_array(self.told & LOW)


def check_roles(roles: Sequence[str]) -> None:
    """Raises InvalidInput for a role that does not exist or is named twice."""
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise InvalidInput(f"没有身份 {'、'.join(unknown)}，可用：{'、'.join(ROLES)}", field="contact_roles")
    twice = [ROLES[role] for place, role in enumerate(roles) if role in roles[:place]]
    if twice:
        raise InvalidInput(f"{'、'.join(twice)}选了两次，每个身份选一次即可", field="contact_roles")


def role_words(roles: Sequence[str]) -> str:
    """A choice as staff read it."""
    if not roles:
        return REGISTERED
    return "，联系不上时再找".join(ROLES.get(role, role) for role in roles)


async def find_contacts(
    conn: Connection, households: BitMap, roles: Sequence[str], ladder: Mapping[str, Any]
) -> Contacts:
    """The contacts of some households. `ladder` holds `steps`, `channels`, `kinds` and `topic` as
    `find_persons` wants them.

    Whoever has a usable address for a rung goes before one for whom there is only a visit, then the role
    decides, then the lower id. Natural persons are told themselves, whatever was chosen.
    """
    holders, places = await _holders(conn, households, roles)
    people, own = np.unique(holders >> 32, return_inverse=True)
    facts = await load_facts(conn, people, ladder)
    able = rungs_of(len(people), ladder, {key: facts[key] for key in facts if key[0] != "closed"})
    is_reached = able[own] > 0
    has_address = (able & ~bits_of(ladder, ("visit",)))[own] > 0
    order = np.lexsort((holders >> 32, places, ~has_address, holders & LOW))
    order = order[is_reached[order]]
    chosen = order[np.flatnonzero(np.diff(holders[order] & LOW, prepend=-1))]
    is_closed = rungs_of(len(people), ladder, facts)[own[chosen]] == 0
    return Contacts(
        holders[chosen],
        _by_role(holders[chosen] & LOW, places[chosen], roles),
        from_array(holders[chosen[is_closed]] & LOW),
    )


async def _holders(conn: Connection, households: BitMap, roles: Sequence[str]) -> tuple[Ints, Ints]:
    """Whoever speaks for one of the households, and the place of her role: a natural person's own is the
    first, before those that were chosen."""
    ids = to_array(households).astype(np.int64)
    keys = {**ranges_of(ids), "roles": ["self", *roles]}
    rows = await fetch_arrays(conn, SQL["holders"], keys)
    held = {row["role"]: row["holders"][np.isin(row["holders"] & LOW, ids)] for row in rows}
    nobody = ids[:0]
    selves = held.get("self", nobody)
    (found,) = await fetch_arrays(conn, SQL["natural_persons"], ranges_of(np.unique(selves & LOW)))
    is_natural = np.isin(selves & LOW, found["ids"])
    held["self"] = selves[~is_natural]
    parts = [selves[is_natural], *(held.get(role, nobody) for role in roles)]
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def _by_role(households: Ints, places: Ints, roles: Sequence[str]) -> dict[str, BitMap]:
    found: dict[str, BitMap] = {}
    for place, role in enumerate(("self", *roles)):
        found[role] = found.get(role, BitMap()) | from_array(households[places == place])
    return found
