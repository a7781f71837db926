"""Everything that can happen to a batch of the model: what workers, reconcilers, gateway, staff and clock
can do now. Whoever searches, hypothesis or chance, picks among it.
"""

from collections.abc import Callable, Sequence

from outreach.ledger.states import State
from tests.unit.protocol_model import LEASE, QUIET, SENT, Holder, Mutant, N, Protocol, Reconciler

FATES = ("answered", "unanswered", "late", "dropped", "refused", "rejected")
RECEIPTS = (State.ACCEPTED, State.DELIVERED, State.FAILED, State.READ)
STEPS = (1, LEASE + 1, 2 * QUIET)

Action = Callable[[], object]


class World:
    """A batch and all who have to do with it, also those who have been overtaken and do not know it."""

    def __init__(self, delivery_class: str, mutant: Mutant = Mutant.NONE) -> None:
        self.protocol = Protocol(delivery_class, mutant)
        self.holders: list[Holder] = []
        self.seconds: list[Reconciler] = []
        self.highest = (0, 0)

    def claims(self) -> Sequence[Action]:
        """A worker takes the batch."""
        return [self._claim] if self.protocol.may_be_claimed else []

    def _claim(self) -> None:
        self.holders.append(self.protocol.claim())

    def turns(self) -> Sequence[Action]:
        """Some worker, the present one or a zombie, settles its window and opens the next."""
        return [lambda holder=holder: self._turn(holder) for holder in self.holders]

    def _turn(self, holder: Holder) -> None:
        self.protocol.stop(holder)
        if not self.protocol.turn(holder):
            self.holders.remove(holder)

    def sends(self) -> Sequence[Action]:
        """A request of a window that the checks before it let pass."""
        return [
            lambda holder=holder, position=position, fate=fate: self._send(holder, position, fate)
            for holder in self.holders
            for position in range(holder.start, holder.end)
            if self.protocol.may_send(holder, position)
            for fate in FATES
        ]

    def _send(self, holder: Holder, position: int, fate: str) -> None:
        assert position < self.protocol.watermark, "I2: on the wire beyond the watermark"
        self.protocol.send(holder, position, fate)

    def takes(self) -> Sequence[Action]:
        """A reconciler takes a message that has rested."""
        return [
            lambda position=position: self.seconds.append(self.protocol.take(position))
            for position in range(N)
            if self.protocol.may_be_taken(position)
        ]

    def looks(self) -> Sequence[Action]:
        """The next step of some reconciler, the present one or a zombie: ask, hold on, send."""
        return [
            lambda second=second, fate=fate: self.look(second, fate)
            for second in self.seconds
            if second.verdict is None
            for fate in (FATES if second.safe_until else FATES[:1])
        ]

    def look(self, second: Reconciler, fate: str) -> None:
        """One step towards a verdict."""
        protocol = self.protocol
        if second.was is State.UNKNOWN and not second.absent and protocol.kind == "B":
            protocol.ask(second)
        elif second.was is State.UNKNOWN and protocol.kind == "C":
            protocol.give_up(second)
        elif second.safe_until == 0:
            if not protocol.is_running or protocol.is_over or not protocol.hold_on(second):
                protocol.give_up(second)
        elif protocol.now >= second.safe_until:
            protocol.give_up(second)
        else:
            protocol.try_again(second, fate)

    def second_settles(self) -> Sequence[Action]:
        """A reconciler writes down what it learned."""
        decided = [second for second in self.seconds if second.verdict is not None]
        return [lambda second=second: self._settle_second(second) for second in decided]

    def _settle_second(self, second: Reconciler) -> None:
        self.protocol.settle_second(second)
        self.seconds.remove(second)

    def crashes(self) -> Sequence[Action]:
        """kill -9 of a worker or a reconciler."""
        workers: list[Action] = [lambda one=one: self.holders.remove(one) for one in self.holders]
        return workers + [lambda one=one: self.seconds.remove(one) for one in self.seconds]

    def fail_overs(self) -> Sequence[Action]:
        """The database moves, once, to a standby that lags by some transactions."""
        if self.protocol.has_failed_over:
            return []
        return [lambda lost=lost: self._fail_over(lost) for lost in range(1, len(self.protocol.commits) + 1)]

    def _fail_over(self, lost: int) -> None:
        self.holders, self.seconds = [], []
        self.protocol.fail_over(lost)
        self.highest = (0, 0)

    def arrivals(self) -> Sequence[Action]:
        """Something on the wire reaches the gateway, or does not."""
        return [
            lambda index=index, accepted=accepted: self.protocol.arrive(index, accepted)
            for index in range(len(self.protocol.gateway.wire))
            for accepted in (True, False)
        ]

    def receipts(self) -> Sequence[Action]:
        """A report about what was accepted: early, late, twice."""
        return [
            lambda position=position, state=state: self.protocol.receive(position, state)
            for position in self.protocol.gateway.accepted
            for state in RECEIPTS
        ]

    def clock(self) -> Sequence[Action]:
        """Somebody sleeps."""
        return [lambda amount=amount: self.protocol.pass_time(amount) for amount in STEPS]

    def staff(self) -> Sequence[Action]:
        """Pause, resume; and the end of the round's window, at each tick."""
        return [self.protocol.end] if self.protocol.is_over else [self._press]

    def _press(self) -> None:
        self.protocol.is_running = not self.protocol.is_running

    def check(self) -> None:
        """What must hold at every moment (docs/delivery.md, I2 to I6)."""
        protocol = self.protocol
        assert 0 <= protocol.settled <= protocol.watermark <= N
        assert protocol.fence >= self.highest[0], "I3"
        assert protocol.watermark >= self.highest[1], "I3"
        self.highest = (protocol.fence, protocol.watermark)
        assert max(protocol.gateway.accepted.values(), default=0) <= 1, "I5: sent twice"
        for position, row in enumerate(protocol.rows):
            is_quiet = row.state is State.PLANNED and row.not_before is None
            in_flight = is_quiet and protocol.settled <= position < protocol.watermark
            if position in protocol.gateway.accepted and not in_flight:
                assert row.state in SENT, f"I6: accepted, but {row.state.name}"
                is_told = position in protocol.gateway.reported
                assert row.state is not State.FAILED or is_told, "accepted, but called a failure"
            if row.state in (State.ACCEPTED, State.DELIVERED, State.READ):
                assert position in protocol.gateway.accepted, "lost"
            if is_quiet:
                assert position >= protocol.settled, "forgotten behind the settled position"

    def finish(self) -> None:
        """Everybody dies; time passes; whoever comes then brings it to an end over a faultless wire."""
        protocol = self.protocol
        self.holders, self.seconds, protocol.is_running = [], [], True
        for _ in range(4 * N):
            protocol.pass_time(QUIET + LEASE + 1)
            if protocol.is_over:
                protocol.end()
            self._work()
            self.check()
        for position, row in enumerate(protocol.rows):
            assert row.state is not State.PLANNED, "never sent"
            # A repetition that is rejected proves nothing about the first try: that stays unknown for good.
            is_resolved = protocol.kind == "B" or (protocol.kind == "A" and not protocol.is_over)
            if is_resolved and position not in protocol.gateway.rejected:
                assert row.state is not State.UNKNOWN, "never looked into"
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
        for position in range(N):
            if protocol.may_be_taken(position):
                second = protocol.take(position)
                while second.verdict is None:
                    self.look(second, "answered")
                protocol.settle_second(second)
