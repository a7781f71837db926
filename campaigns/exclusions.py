"""Who is left out of a round, each with exactly one reason: the first that holds.

`audience = planned + sum of exclusions` holds by construction: each reason takes its set out of what is left,
in the order of `outreach.ledger.reasons`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyroaring import BitMap

from outreach.ledger.reasons import REASONS


@dataclass(frozen=True, slots=True)
class Exclusion:
    """The members of an audience that fall out for one reason."""

    reason: str
    members: BitMap


def exclude(audience: BitMap, candidates: dict[str, BitMap]) -> tuple[BitMap, list[Exclusion]]:
    """Take the candidates out in the order of `REASONS`; returns who is left and every exclusion, also the
    empty ones, so that a report shows each reason. Raises KeyError for a reason that is not listed."""
    unknown = set(candidates) - set(REASONS)
    if unknown:
        raise KeyError(f"reasons without a place in the order: {sorted(unknown)}")
    left = BitMap(audience)
    exclusions = []
    for reason in REASONS:
        members = left & candidates.get(reason, BitMap())
        left -= members
        exclusions.append(Exclusion(reason, members))
    return left, exclusions


def move(exclusions: Sequence[Exclusion], reason: str, members: BitMap) -> list[Exclusion]:
    """Add members, who were planned a moment ago, to a reason."""
    return [
        Exclusion(item.reason, item.members | members) if item.reason == reason else item
        for item in exclusions
    ]
