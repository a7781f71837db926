"""The strikes of a run come from its seed alone."""

from tests.chaos.kinds import B, C
from tests.chaos.plan import BLOWS, make_plan, soak_plan


def test_a_seed_gives_the_same_strikes_and_another_one_others() -> None:
    assert make_plan(B, 7, 30_000, 4.0) == make_plan(B, 7, 30_000, 4.0)
    assert make_plan(B, 7, 30_000, 4.0) != make_plan(B, 8, 30_000, 4.0)
    assert soak_plan(B, 7, 400, 4.0) == soak_plan(B, 7, 400, 4.0)
    assert soak_plan(B, 7, 400, 4.0) != soak_plan(C, 7, 400, 4.0)


def test_the_strikes_of_a_soak_are_of_every_kind_and_spread_over_all_of_it() -> None:
    plan = soak_plan(B, 1, 400, 4.0)
    assert len(plan) == 400
    assert {one.blow for one in plan} == {*BLOWS}
    shares = sorted(one.share for one in plan if one.share is not None)
    assert len(shares) == len(plan)
    parts = [sum(part / 10 <= share < (part + 1) / 10 for share in shares) for part in range(10)]
    assert min(parts) > len(plan) / 20
