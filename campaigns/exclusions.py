"""Who is left out of a round, each with exactly one reason: the first that holds.

The order follows the domain's gate (requirements, section 5): what makes the message pointless comes before
what makes it unwelcome, and what makes it impossible comes last. `audience = planned + sum of exclusions`
holds by construction: each step takes its set out of what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyroaring import BitMap

REASONS = {
    "already_done": "已办结",
    "disputed": "异议处理中",
    "exempt": "按规定免办",
    "opted_out": "已退订",
    "held_out": "对照组",
    "contacted_recently": "近期已提醒",
    "no_address": "无可用联系方式",
}
"""Reason codes in their order, and what staff read."""


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
        Exclusion(item.reason, item.members | members) if item.reason == reason else item for item in exclusions
    ]
