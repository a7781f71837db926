"""A machine searches the delivery protocol for a message that is sent twice, lost or forgotten.

Workers die, sleep through their leases and wake; requests are accepted late; receipts come early, twice and
never; rounds pause and end. The invariants are those of docs/delivery.md. A protocol that lacks a safeguard
must be caught, otherwise the search is worth nothing.
"""

from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from outreach.ledger.states import State
from tests.unit.protocol_model import LEASE, QUIET, SENT, Holder, Mutant, N, Protocol, Reconciler

FATES = st.sampled_from(["answered", "unanswered", "late", "dropped", "refused", "rejected"])
PICKS = st.integers(0, 7)


class Search(RuleBasedStateMachine):
    """Everything that can happen to one batch, in any order."""

    delivery_class: ClassVar[str] = "B"
    mutant: ClassVar[Mutant] = Mutant.NONE

    def __init__(self) -> None:
        super().__init__()
        self.protocol = Protocol(self.delivery_class, self.mutant)
        self.holders: list[Holder] = []
        self.seconds: list[Reconciler] = []
        self.highest = (0, 0)

    @precondition(lambda self: self.protocol.may_be_claimed)
    @rule()
    def claim(self) -> None:
        """A worker takes the batch."""
        self.holders.append(self.protocol.claim())

    @precondition(lambda self: self.holders)
    @rule(pick=PICKS)
    def turn(self, pick: int) -> None:
        """Some worker, the present one or a zombie, settles and goes on."""
        holder = self.holders[pick % len(self.holders)]
        self.protocol.stop(holder)
        if not self.protocol.turn(holder):
            self.holders.remove(holder)

    def sendable(self) -> list[tuple[Holder, int]]:
        """Requests of windows that the checks before them let pass."""
        pairs = ((holder, position) for holder in self.holders for position in range(N))
        return [pair for pair in pairs if self.protocol.may_send(*pair)]

    @precondition(lambda self: self.sendable())
    @rule(pick=PICKS, fate=FATES)
    def send(self, pick: int, fate: str) -> None:
        """A request of a window."""
        pairs = self.sendable()
        holder, position = pairs[pick % len(pairs)]
        assert position < self.protocol.watermark, "I2: on the wire beyond the watermark"
        self.protocol.send(holder, position, fate)

    @precondition(lambda self: self.holders)
    @rule(pick=PICKS)
    def crash(self, pick: int) -> None:
        """kill -9."""
        self.holders.pop(pick % len(self.holders))

    def rested(self) -> list[int]:
        """Messages that a reconciler would take."""
        return [position for position in range(N) if self.protocol.may_be_taken(position)]

    @precondition(lambda self: self.rested())
    @rule(pick=PICKS)
    def take(self, pick: int) -> None:
        """A reconciler takes a message that has rested."""
        rested = self.rested()
        self.seconds.append(self.protocol.take(rested[pick % len(rested)]))

    def looking(self) -> list[Reconciler]:
        """Reconcilers that have not come to a verdict yet."""
        return [second for second in self.seconds if second.verdict is None]

    @precondition(lambda self: self.looking())
    @rule(pick=PICKS, fate=FATES)
    def look_into(self, pick: int, fate: str) -> None:
        """One step of some reconciler, the present one or a zombie: ask, hold on, send."""
        looking = self.looking()
        self._step(looking[pick % len(looking)], fate)

    def _step(self, second: Reconciler, fate: str) -> None:
        protocol = self.protocol
        if second.was is State.UNKNOWN and not second.absent and protocol.kind != "A":
            if protocol.kind == "B":
                protocol.ask(second)
            else:
                protocol.give_up(second)
        elif second.safe_until == 0:
            if not protocol.is_running or protocol.is_over or not protocol.hold_on(second):
                protocol.give_up(second)
        elif protocol.now >= second.safe_until:
            protocol.give_up(second)
        else:
            protocol.try_again(second, fate)

    def decided(self) -> list[Reconciler]:
        """Reconcilers that have something to write down."""
        return [second for second in self.seconds if second.verdict is not None]

    @precondition(lambda self: self.decided())
    @rule(pick=PICKS)
    def settle_second(self, pick: int) -> None:
        """Some reconciler writes down what it learned."""
        decided = self.decided()
        second = decided[pick % len(decided)]
        self.protocol.settle_second(second)
        self.seconds.remove(second)

    @precondition(lambda self: self.seconds)
    @rule(pick=PICKS)
    def crash_second(self, pick: int) -> None:
        """kill -9."""
        self.seconds.pop(pick % len(self.seconds))

    @precondition(lambda self: self.protocol.gateway.wire)
    @rule(pick=PICKS, accepted=st.booleans())
    def arrive(self, pick: int, accepted: bool) -> None:
        """Something on the wire reaches the gateway, or does not."""
        self.protocol.arrive(pick % len(self.protocol.gateway.wire), accepted)

    @precondition(lambda self: self.protocol.gateway.accepted)
    @rule(pick=PICKS, state=st.sampled_from([State.ACCEPTED, State.DELIVERED, State.FAILED, State.READ]))
    def receive(self, pick: int, state: State) -> None:
        """A receipt of something that was accepted; early, late, twice."""
        accepted = sorted(self.protocol.gateway.accepted)
        self.protocol.receive(accepted[pick % len(accepted)], state)

    @rule(amount=st.sampled_from([1, LEASE + 1, 2 * QUIET]))
    def pass_time(self, amount: int) -> None:
        """Somebody sleeps."""
        self.protocol.pass_time(amount)

    @precondition(lambda self: not self.protocol.is_over)
    @rule()
    def pause_or_resume(self) -> None:
        """Staff press the button."""
        self.protocol.is_running = not self.protocol.is_running

    @rule(really=st.sampled_from([False] * 9 + [True]))
    def end(self, really: bool) -> None:
        """The round's window closes, and closes again at each tick."""
        if really or self.protocol.is_over:
            self.protocol.end()

    @invariant()
    def nothing_goes_back(self) -> None:
        """I3: watermark and fence only grow."""
        protocol = self.protocol
        assert 0 <= protocol.settled <= protocol.watermark <= N
        present = (protocol.fence, protocol.watermark)
        assert present >= self.highest
        assert present[1] >= self.highest[1]
        self.highest = present

    @invariant()
    def nobody_is_told_twice(self) -> None:
        """I5: at most one acceptance a message."""
        assert max(self.protocol.gateway.accepted.values(), default=0) <= 1, "sent twice"

    @invariant()
    def what_was_sent_is_known_to_be(self) -> None:
        """I4 and I6: every message has one state, and what was accepted counts as sent or is in an open
        window; what counts as accepted was."""
        protocol = self.protocol
        for position, row in enumerate(protocol.rows):
            in_window = protocol.settled <= position < protocol.watermark
            if position in protocol.gateway.accepted and not in_window:
                assert row.state in SENT, f"accepted, but {row.state.name}"
                assert row.state is not State.FAILED or position not in protocol.gateway.refused
            if row.state in (State.ACCEPTED, State.DELIVERED, State.READ):
                assert position in protocol.gateway.accepted, "lost"

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """No loss: beyond the watermark, in a window, resting, or with a state that says what became of
        it."""
        protocol = self.protocol
        for position, row in enumerate(protocol.rows):
            if row.state is State.PLANNED and row.not_before is None:
                assert position >= protocol.settled, "behind the settled position and nobody looks after it"

    def teardown(self) -> None:
        """Everybody dies; time passes; whoever comes then brings it to an end, over a wire without faults."""
        protocol = self.protocol
        self.holders, self.seconds, protocol.is_running = [], [], True
        for _ in range(4 * N):
            protocol.pass_time(QUIET + LEASE + 1)
            if protocol.is_over:
                protocol.end()
            self._work()
            self.nobody_is_told_twice()
            self.what_was_sent_is_known_to_be()
        for position, row in enumerate(protocol.rows):
            assert row.state is not State.PLANNED
            if self.delivery_class == "B" or (self.delivery_class == "A" and not protocol.is_over):
                assert row.state is not State.UNKNOWN
            if row.state is State.EXPIRED:
                assert position not in protocol.gateway.accepted

    def _work(self) -> None:
        protocol = self.protocol
        holder = protocol.claim() if protocol.may_be_claimed else None
        while holder is not None and protocol.turn(holder):
            for position in range(holder.start, holder.end):
                if protocol.may_send(holder, position):
                    protocol.send(holder, position, "answered")
            protocol.stop(holder)
        for position in self.rested():
            second = protocol.take(position)
            while second.verdict is None:
                self._step(second, "answered")
            protocol.settle_second(second)


def search(delivery_class: str, mutant: Mutant, examples: int) -> None:
    """Run the search; raises AssertionError when it finds something."""
    members: dict[str, Any] = {"delivery_class": delivery_class, "mutant": mutant}
    run_state_machine_as_test(
        type("Search", (Search,), members),
        settings=settings(
            max_examples=examples,
            stateful_step_count=60,
            deadline=None,
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
            phases=[Phase.generate],
        ),
    )


@pytest.mark.parametrize("delivery_class", ["A", "B", "C"])
def test_no_order_of_events_sends_twice_or_forgets(delivery_class: str) -> None:
    search(delivery_class, Mutant.NONE, 400)


CAUGHT_BY = {
    Mutant.NO_WATERMARK: "C",
    Mutant.NO_FENCE: "C",
    Mutant.SHORT_QUIET: "B",
    Mutant.NO_TOKEN: "B",
    Mutant.NO_HOLD_ON: "B",
    Mutant.ZOMBIES_WAKE: "B",
    Mutant.REFUSAL_IS_EVIDENCE: "B",
}


@pytest.mark.parametrize("mutant", [mutant for mutant in Mutant if mutant is not Mutant.NONE])
def test_a_protocol_without_one_of_its_safeguards_is_caught(mutant: Mutant) -> None:
    with pytest.raises(AssertionError):
        search(CAUGHT_BY[mutant], mutant, 4000)
