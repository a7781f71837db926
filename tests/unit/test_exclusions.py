"""Who is left out of a round: each with one reason, the first that holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from campaigns.exclusions import exclude, move
from outreach.ledger.reasons import REASONS

IDS = st.sets(st.integers(1, 200), max_size=120)
CANDIDATES = st.dictionaries(st.sampled_from(list(REASONS)), IDS, max_size=len(REASONS))


def bitmaps(candidates: dict[str, set[int]]) -> dict[str, BitMap]:
    """Candidates as the planner has them."""
    return {reason: BitMap(members) for reason, members in candidates.items()}


@given(IDS, CANDIDATES)
def test_the_audience_is_who_is_planned_and_who_is_left_out(
    audience: set[int], candidates: dict[str, set[int]]
) -> None:
    planned, exclusions = exclude(BitMap(audience), bitmaps(candidates))
    assert len(audience) == len(planned) + sum(len(item.members) for item in exclusions)
    assert set(planned).union(*(item.members for item in exclusions)) == audience
    assert [item.reason for item in exclusions] == list(REASONS)


@given(IDS, CANDIDATES)
def test_everybody_falls_out_at_the_first_reason_that_holds(
    audience: set[int], candidates: dict[str, set[int]]
) -> None:
    planned, exclusions = exclude(BitMap(audience), bitmaps(candidates))
    found = {taxpayer: item.reason for item in exclusions for taxpayer in item.members}
    for taxpayer in audience:
        reasons = [reason for reason in REASONS if taxpayer in candidates.get(reason, ())]
        assert found.get(taxpayer) == (reasons[0] if reasons else None)
        assert (taxpayer in planned) == (not reasons)


@given(IDS, CANDIDATES)
def test_the_given_sets_are_not_touched(audience: set[int], candidates: dict[str, set[int]]) -> None:
    given_audience, given_candidates = BitMap(audience), bitmaps(candidates)
    exclude(given_audience, given_candidates)
    assert set(given_audience) == audience
    assert {reason: set(members) for reason, members in given_candidates.items()} == candidates


@given(IDS, CANDIDATES, st.data())
def test_moving_somebody_out_of_the_plan_keeps_the_sum(
    audience: set[int], candidates: dict[str, set[int]], data: st.DataObject
) -> None:
    planned, exclusions = exclude(BitMap(audience), bitmaps(candidates))
    unreached = BitMap(data.draw(st.sets(st.sampled_from(sorted(planned)))) if planned else ())
    moved = move(exclusions, "no_address", unreached)
    left = planned - unreached
    assert len(audience) == len(left) + sum(len(item.members) for item in moved)
    assert [item.reason for item in moved] == list(REASONS)
    assert {item.reason for item, old in zip(moved, exclusions, strict=True) if item != old} <= {"no_address"}


def test_a_reason_without_a_place_in_the_order_is_refused() -> None:
    with pytest.raises(KeyError, match="mood"):
        exclude(BitMap([1]), {"mood": BitMap([1])})
