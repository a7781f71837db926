"""Evidence about a message, in any order and as often as it likes, ends in the same state."""

import random
from functools import reduce
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import DeliveryState
from outreach.ledger.states import NAMES, OF_DELIVERY, SENT, State, merge, rank

STATES = st.sampled_from(list(State))
EVIDENCE = st.lists(st.sampled_from(SENT), min_size=1, max_size=12)


@given(EVIDENCE, st.randoms(use_true_random=False))
def test_order_and_repetition_make_no_difference(evidence: list[State], chance: random.Random) -> None:
    shuffled = evidence + chance.choices(evidence, k=len(evidence))
    chance.shuffle(shuffled)
    assert reduce(merge, shuffled, State.PLANNED) == reduce(merge, evidence, State.PLANNED)


@pytest.mark.parametrize(("one", "other", "third"), list(product(SENT, repeat=3)))
def test_merging_is_a_semilattice(one: State, other: State, third: State) -> None:
    assert merge(one, one) is one
    assert merge(one, other) is merge(other, one)
    assert merge(merge(one, other), third) is merge(one, merge(other, third))


@given(STATES, STATES)
def test_a_state_only_climbs(old: State, new: State) -> None:
    assert rank(merge(old, new)) >= rank(old)


@given(st.sampled_from([State.WITHHELD, State.EXPIRED, State.CANCELLED]), STATES)
def test_what_left_before_sending_does_not_move(gone: State, new: State) -> None:
    assert merge(gone, new) is gone


@pytest.mark.parametrize("order", list(permutations([State.ACCEPTED, State.FAILED, State.DELIVERED])))
def test_an_arrival_outranks_a_report_of_failure(order: tuple[State, ...]) -> None:
    assert reduce(merge, order, State.UNKNOWN) is State.DELIVERED


def test_every_state_has_a_name_and_every_report_a_state() -> None:
    assert set(NAMES) == set(State)
    assert set(OF_DELIVERY) == set(DeliveryState)
    assert len(set(NAMES.values())) == len(State)


def test_what_was_sent_lies_between_planned_and_gone() -> None:
    ranks = [rank(state) for state in SENT]
    assert len(set(ranks)) == len(ranks)
    assert rank(State.PLANNED) < min(ranks)
    assert max(ranks) < min(rank(state) for state in State if state not in (*SENT, State.PLANNED))
