"""The arithmetic of effects: known values, strata that mislead, and intervals that hold what they say."""

import random

import pytest

from outreach.analytics.effect import Arm, compare


def test_a_known_difference() -> None:
    effect = compare([(Arm(9_000, 5_400), Arm(1_000, 500))])
    assert effect.difference == pytest.approx(0.10)
    # By hand: (5401/9002 - 501/1002) +- 1.95996 * sqrt(...)
    assert (effect.low, effect.high) == pytest.approx((0.06740, 0.13255), abs=1e-4)
    assert effect.is_certain
    assert effect.more == (900, 607, 1193)


def test_nobody_on_one_side_says_nothing() -> None:
    effect = compare([(Arm(10, 5), Arm(0, 0))])
    assert effect.difference is None
    assert effect.more is None
    assert not effect.is_certain


def test_unequal_shares_in_strata_pretend_no_effect() -> None:
    """Simpson: no effect in either stratum, and a difference of twenty points if they are thrown together."""
    diligent, slow = (Arm(900, 810), Arm(100, 90)), (Arm(500, 50), Arm(500, 50))
    together = compare([(Arm(1_400, 860), Arm(600, 140))])
    assert together.difference == pytest.approx(0.381, abs=1e-3)
    effect = compare([diligent, slow])
    assert effect.difference == pytest.approx(0.0)
    assert not effect.is_certain


def test_small_groups_get_a_wide_interval_and_never_a_certain_nonsense() -> None:
    effect = compare([(Arm(3, 3), Arm(3, 0))])
    assert effect.difference == 1.0
    assert effect.low is not None
    assert effect.low < 0.35
    nothing = compare([(Arm(5, 0), Arm(5, 0))])
    assert nothing.low is not None
    assert nothing.low < 0 < (nothing.high or 0)


@pytest.mark.parametrize(
    ("told", "kept", "rate", "lift"), [(700, 100, 0.3, 0.08), (60, 40, 0.1, 0.0), (400, 100, 0.9, 0.05)]
)
def test_the_interval_holds_the_truth_as_often_as_it_says(
    told: int, kept: int, rate: float, lift: float
) -> None:
    chance = random.Random(11)
    draws, held = 1_000, 0
    for _ in range(draws):
        one = sum(chance.random() < rate + lift for _ in range(told))
        other = sum(chance.random() < rate for _ in range(kept))
        effect = compare([(Arm(told, one), Arm(kept, other))])
        assert effect.low is not None and effect.high is not None
        held += effect.low <= lift <= effect.high
    assert held / draws > 0.93
