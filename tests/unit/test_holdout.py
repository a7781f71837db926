"""The hold-out group: the right share, the same persons every time, nobody moved by newcomers."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from campaigns.holdout import held_out
from outreach.labels.draw import drawn

IDS = st.sets(st.integers(1, 2**32 - 1), max_size=300)
SEEDS = st.integers(0, 2**31 - 1)


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31 - 1])
@pytest.mark.parametrize("permille", [1, 50, 100, 500])
def test_the_share_is_right_also_for_dense_ids(permille: int, seed: int) -> None:
    count, share = 200_000, permille / 1000
    deviation = math.sqrt(count * share * (1 - share))
    held = len(held_out(BitMap(range(1, count + 1)), permille, seed))
    assert abs(held - count * share) < 4.5 * deviation


@given(IDS, IDS, st.integers(0, 1000), SEEDS)
def test_who_is_held_out_does_not_depend_on_who_else_is_there(
    some: set[int], others: set[int], permille: int, seed: int
) -> None:
    alone = held_out(BitMap(some), permille, seed)
    together = held_out(BitMap(some | others), permille, seed)
    assert together & BitMap(some) == alone
    assert alone <= BitMap(some)


@given(IDS, SEEDS, st.integers(0, 500), st.integers(0, 500))
def test_a_larger_share_holds_out_the_same_and_more(some: set[int], seed: int, share: int, more: int) -> None:
    assert held_out(BitMap(some), share, seed) <= held_out(BitMap(some), share + more, seed)


@given(IDS, SEEDS)
def test_nobody_at_nothing_and_everybody_at_all(some: set[int], seed: int) -> None:
    assert not held_out(BitMap(some), 0, seed)
    assert held_out(BitMap(some), 1000, seed) == BitMap(some)


@settings(max_examples=30)
@given(SEEDS, SEEDS)
def test_two_seeds_choose_independently(one: int, other: int) -> None:
    count = 100_000
    everyone = BitMap(range(1, count + 1))
    both = len(held_out(everyone, 100, one) & held_out(everyone, 100, other))
    expected = count * (0.1 if one == other else 0.01)
    assert abs(both - expected) < 6 * math.sqrt(expected)


def test_the_choice_stands_in_stone() -> None:
    # Campaigns that run across an upgrade must keep their groups.
    assert list(held_out(BitMap(range(1, 60)), 100, 42)) == [21, 38]


@given(IDS, SEEDS, st.integers(0, 1000))
def test_parts_have_nobody_in_common_and_together_are_everybody(some: set[int], seed: int, cut: int) -> None:
    first, second = drawn(BitMap(some), 0, cut, seed), drawn(BitMap(some), cut, 1000, seed)
    assert not first & second
    assert first | second == BitMap(some)
