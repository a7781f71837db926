"""A machine searches the delivery protocol for a message that is sent twice, lost or forgotten.

Workers die, sleep through their leases and wake; requests are accepted late; receipts come early, twice and
never; rounds pause and end. A protocol that lacks a safeguard must be caught, otherwise the search is worth
nothing.
"""

import random
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.unit.protocol_model import Mutant
from tests.unit.protocol_world import World

PICKS = st.integers(0, 23)
WALKS, LENGTH = 60_000, 30


class Search(RuleBasedStateMachine):
    """Everything that can happen to one batch, in any order; hypothesis shortens what it finds."""

    delivery_class: ClassVar[str] = "B"

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.delivery_class)

    @precondition(lambda self: self.world.claims())
    @rule()
    def claim(self) -> None:
        """A worker takes the batch."""
        self.world.claims()[0]()

    @precondition(lambda self: self.world.turns())
    @rule(pick=PICKS)
    def turn(self, pick: int) -> None:
        """Settle and open, in one transaction; also by zombies."""
        self._one(self.world.turns(), pick)

    @precondition(lambda self: self.world.sends())
    @rule(pick=PICKS)
    def send(self, pick: int) -> None:
        """A request of a window."""
        self._one(self.world.sends(), pick)

    @precondition(lambda self: self.world.takes())
    @rule(pick=PICKS)
    def take(self, pick: int) -> None:
        """A message that has rested is taken up."""
        self._one(self.world.takes(), pick)

    @precondition(lambda self: self.world.looks())
    @rule(pick=PICKS)
    def query_or_retry(self, pick: int) -> None:
        """A step of a reconciler."""
        self._one(self.world.looks(), pick)

    @precondition(lambda self: self.world.second_settles())
    @rule(pick=PICKS)
    def settle_second(self, pick: int) -> None:
        """A reconciler writes down its verdict; also zombies."""
        self._one(self.world.second_settles(), pick)

    @precondition(lambda self: self.world.crashes())
    @rule(pick=PICKS)
    def crash(self, pick: int) -> None:
        """kill -9."""
        self._one(self.world.crashes(), pick)

    @precondition(lambda self: self.world.fail_overs())
    @rule(pick=PICKS)
    def fail_over(self, pick: int) -> None:
        """To a standby that has not got every commit; then the quarantine."""
        self._one(self.world.fail_overs(), pick)

    @precondition(lambda self: self.world.arrivals())
    @rule(pick=PICKS)
    def arrive(self, pick: int) -> None:
        """The wire delivers late, or loses."""
        self._one(self.world.arrivals(), pick)

    @precondition(lambda self: self.world.receipts())
    @rule(pick=PICKS)
    def receipt(self, pick: int) -> None:
        """The gateway reports."""
        self._one(self.world.receipts(), pick)

    @rule(pick=PICKS)
    def pass_time(self, pick: int) -> None:
        """Somebody sleeps."""
        self._one(self.world.clock(), pick)

    @rule(pick=PICKS)
    def pause_or_expire(self, pick: int) -> None:
        """Staff press the button; or the round's window closes."""
        if pick == 0:
            self.world.protocol.end()
        self._one(self.world.staff(), pick)

    def _one(self, actions: Any, pick: int) -> None:
        actions[pick % len(actions)]()

    @invariant()
    def what_must_hold_holds(self) -> None:
        """I2 to I6 at every moment."""
        self.world.check()

    def teardown(self) -> None:
        """And in the end everything is accounted for."""
        self.world.finish()


@pytest.mark.parametrize("delivery_class", ["A", "B", "C"])
def test_no_order_of_events_sends_twice_or_forgets(delivery_class: str) -> None:
    run_state_machine_as_test(
        type("Search", (Search,), {"delivery_class": delivery_class}),
        settings=settings(
            max_examples=150,
            stateful_step_count=50,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def walk(delivery_class: str, mutant: Mutant, chance: random.Random) -> None:
    """One life of a batch by chance: a kind of event first, then one of them."""
    world = World(delivery_class, mutant)
    kinds = [world.claims, world.turns, world.sends, world.takes, world.looks, world.second_settles]
    kinds += [world.looks, world.looks, world.clock, world.arrivals, world.crashes, world.fail_overs]
    for _ in range(LENGTH):
        actions = chance.choice(kinds)()
        while not actions:
            actions = chance.choice(kinds)()
        chance.choice(actions)()
        world.check()
    if chance.random() < 0.2:
        world.protocol.end()
    for action in chance.sample(world.receipts(), min(1, len(world.receipts()))):
        action()
    world.finish()


@pytest.mark.parametrize("delivery_class", ["A", "B", "C"])
def test_no_life_by_chance_sends_twice_or_forgets(delivery_class: str) -> None:
    chance = random.Random(7)
    for _ in range(5_000):
        walk(delivery_class, Mutant.NONE, chance)


CAUGHT_BY = {
    Mutant.NO_WATERMARK: "C",
    Mutant.NO_FENCE: "C",
    Mutant.SHORT_QUIET: "B",
    Mutant.NO_TOKEN: "B",
    Mutant.NO_HOLD_ON: "B",
    Mutant.ZOMBIES_WAKE: "B",
    Mutant.REFUSAL_IS_EVIDENCE: "B",
    Mutant.NO_QUARANTINE: "C",
}


@pytest.mark.parametrize("mutant", [mutant for mutant in Mutant if mutant is not Mutant.NONE])
def test_a_protocol_without_one_of_its_safeguards_is_caught(mutant: Mutant) -> None:
    # With this seed each is caught within six thousand lives; others take up to twenty thousand.
    chance = random.Random(9)
    with pytest.raises(AssertionError):
        for _ in range(WALKS):
            walk(CAUGHT_BY[mutant], mutant, chance)
