"""The delivery protocol without database, network or clock: what docs/delivery.md proves, small enough to be
searched by machine. The merge of states is the product's own; everything else follows the SQL step by step.

Time is a number that only grows. A request is on the wire from the moment it begins until the gateway has
accepted or dropped it, at most `LATE` later; who sent it may have stopped waiting long before.
"""

from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from outreach.ledger.states import State, merge, rank

N, WINDOW = 2, 1
LEASE, LATE = 10, 4
LOST = 4
"""Transactions that a fail-over loses at most."""
QUIET = LEASE + LATE + 1
SENT = (State.UNKNOWN, State.ACCEPTED, State.DELIVERED, State.FAILED, State.READ)


class Mutant(Enum):
    """Safeguards that can be taken away. The search must notice each of them."""

    NONE = "none"
    NO_WATERMARK = "who takes a batch over sends the open window again"
    NO_FENCE = "who has lost the batch may still open windows"
    SHORT_QUIET = "the unknown is looked into before a late acceptance can be seen"
    NO_TOKEN = "who has lost a message may still call it unsent"
    NO_HOLD_ON = "who has lost a message may still send it"
    ZOMBIES_WAKE = "a late settle of a window wakes what rests"
    REFUSAL_IS_EVIDENCE = "a refused try outranks another's acceptance"
    NO_QUARANTINE = "after a fail-over that lost commits, workers simply go on"


@dataclass
class Row:
    """A message. `not_before`: None if it does not rest."""

    state: State = State.PLANNED
    not_before: int | None = None


@dataclass
class Verdict:
    """As the product's: `untaken` speaks of one try only."""

    position: int
    state: State
    rest: int | None = None
    untaken: bool = False


@dataclass
class Holder:
    """A worker with a window, as it sees the world. It may be dead, asleep, or far behind."""

    fence: int
    start: int = 0
    end: int = 0
    safe_until: int = 0
    sent: set[int] = field(default_factory=set)
    verdicts: list[Verdict] = field(default_factory=list)


@dataclass
class Reconciler:
    """A second try at one message: its token, and what has become of it."""

    position: int
    held: int
    was: State
    absent: bool = False
    safe_until: int = 0
    verdict: Verdict | None = None


@dataclass
class Gateway:
    """What a provider of one class has accepted, and what is on the wire."""

    remembers: bool
    accepted: dict[int, int] = field(default_factory=dict)
    rejected: set[int] = field(default_factory=set)
    reported: set[int] = field(default_factory=set)
    wire: list[tuple[int, int]] = field(default_factory=list)

    def accept(self, position: int) -> None:
        """Once more, unless it knows the key."""
        if not (self.remembers and position in self.accepted):
            self.accepted[position] = self.accepted.get(position, 0) + 1


class Protocol:
    """One batch of `N` messages at a gateway of class A, B or C."""

    def __init__(self, delivery_class: str, mutant: Mutant = Mutant.NONE) -> None:
        self.kind, self.mutant = delivery_class, mutant
        self.now = 0
        self.rows = [Row() for _ in range(N)]
        self.settled = self.watermark = self.fence = 0
        self.lease_until: int | None = None
        self.is_open, self.is_running, self.is_over = True, True, False
        self.gateway = Gateway(remembers=delivery_class == "A")
        self.quiet = 1 if mutant is Mutant.SHORT_QUIET else QUIET
        self.commits: deque[dict[str, Any]] = deque(maxlen=LOST)
        self.has_failed_over = False

    def commit(self) -> None:
        """What a standby that lags behind has still got, when the next transaction begins."""
        names = ("rows", "settled", "watermark", "fence", "lease_until", "is_open")
        self.commits.append({name: deepcopy(getattr(self, name)) for name in names})

    def fail_over(self, lost: int) -> None:
        """The last transactions are gone. All workers have been stopped; the quarantine comes before others
        start: whatever the ledger would have allowed to leave meanwhile may have left."""
        for name, value in self.commits[-lost].items():
            setattr(self, name, value)
        self.commits.clear()
        self.has_failed_over = True
        if self.mutant is Mutant.NO_QUARANTINE:
            return
        self.fence += LOST + 1
        for position, row in enumerate(self.rows):
            is_open = self.is_open and position >= self.settled and row.not_before is None
            if row.state is State.PLANNED and (is_open or row.not_before is not None):
                row.state, row.not_before = State.UNKNOWN, self.rest_of_unknown
            elif row.state is State.UNKNOWN and row.not_before is not None:
                row.not_before = self.now + self.quiet
        if self.is_open:
            self.settled = self.watermark = N
            self.is_open, self.lease_until = False, None

    @property
    def may_ask(self) -> bool:
        """Classes A and B can look into the unknown."""
        return self.kind in "AB"

    @property
    def rest_of_unknown(self) -> int | None:
        """How long an unknown outcome rests."""
        return self.now + (0 if self.kind == "A" else self.quiet) if self.may_ask else None

    @property
    def may_be_claimed(self) -> bool:
        """Open, and nobody's lease lasts."""
        return self.is_open and (self.lease_until is None or self.lease_until < self.now)

    def claim(self) -> Holder:
        """`claim` and `recover`."""
        self.commit()
        self.fence += 1
        self.lease_until = self.now + LEASE
        if self.mutant is Mutant.NO_WATERMARK:
            self.watermark = self.settled
        for row in self.rows[self.settled : self.watermark]:
            if row.state is State.PLANNED and row.not_before is None:
                row.state, row.not_before = State.UNKNOWN, self.rest_of_unknown
        return Holder(self.fence, self.watermark, self.watermark)

    def turn(self, holder: Holder) -> bool:
        """Settle what the last window brought and open the next one, in one transaction; false: give up."""
        self.commit()
        self._settle_window(holder)
        is_mine = holder.fence == self.fence or self.mutant is Mutant.NO_FENCE
        if not is_mine or not self.is_open:
            return False
        self.settled = max(self.settled, holder.end)
        if holder.end == N or not self.is_running or self.is_over:
            self.lease_until = None
            self.is_open = holder.end < N
            return False
        holder.start, holder.end = holder.end, min(N, holder.end + WINDOW)
        self.watermark = max(self.watermark, holder.end)
        self.lease_until = self.now + LEASE
        holder.safe_until = self.now + LEASE - LATE
        return True

    def _settle_window(self, holder: Holder) -> None:
        for verdict in holder.verdicts:
            row = self.rows[verdict.position]
            self._merge(row, verdict, row.state is State.PLANNED and row.not_before is None)
        holder.verdicts, holder.sent = [], set()

    def _merge(self, row: Row, verdict: Verdict, is_mine: bool) -> None:
        """`settle`: evidence by rank; what speaks of one try only for who still holds the message."""
        before = row.state
        if verdict.untaken and self.mutant is not Mutant.REFUSAL_IS_EVIDENCE:
            goal = verdict.state if is_mine else before
        else:
            goal = verdict.state if is_mine and verdict.untaken else merge(before, verdict.state)
        row.state = goal
        if goal not in (State.PLANNED, State.UNKNOWN):
            row.not_before = None
        elif is_mine or goal is not before or self.mutant is Mutant.ZOMBIES_WAKE:
            row.not_before = None if verdict.rest is None else self.now + verdict.rest

    def may_send(self, holder: Holder, position: int) -> bool:
        """The checks before each request of a window."""
        return (
            holder.start <= position < holder.end
            and position not in holder.sent
            and self.now < holder.safe_until
            and self.is_running
            and not self.is_over
        )

    def send(self, holder: Holder, position: int, fate: str) -> None:
        """One request of a window."""
        holder.sent.add(position)
        holder.verdicts.append(self._request(position, fate))

    def stop(self, holder: Holder) -> None:
        """What was not sent of the window certainly did not leave."""
        for position in range(holder.start, holder.end):
            if position not in holder.sent:
                holder.sent.add(position)
                holder.verdicts.append(Verdict(position, State.PLANNED, 0, untaken=True))

    def _request(self, position: int, fate: str) -> Verdict:
        """`answered` and `unanswered` are accepted, `late` after a while; `refused` may be tried again,
        `rejected` may not; `dropped` is lost on the way."""
        rest = self.rest_of_unknown
        unknown = Verdict(position, State.UNKNOWN, None if rest is None else rest - self.now)
        if fate == "rejected" and position in self.gateway.accepted:
            fate = "refused"
        if fate in ("answered", "unanswered"):
            self.gateway.accept(position)
        elif fate == "late":
            self.gateway.wire.append((position, self.now + LATE))
        if fate == "answered":
            return Verdict(position, State.ACCEPTED)
        if fate == "refused":
            return Verdict(position, State.PLANNED, 1, untaken=True)
        if fate == "rejected":
            self.gateway.rejected.add(position)
            return Verdict(position, State.FAILED, untaken=True)
        return unknown

    def arrive(self, index: int, accepted: bool) -> None:
        """A request on the wire is accepted or dropped."""
        position, _ = self.gateway.wire.pop(index)
        if accepted:
            self.gateway.accept(position)

    def pass_time(self, amount: int) -> None:
        """The clock goes on; nothing stays on the wire for longer than `LATE`."""
        self.now += amount
        for position, until in list(self.gateway.wire):
            if until <= self.now:
                self.gateway.wire.remove((position, until))
                self.gateway.accept(position)

    def may_be_taken(self, position: int) -> bool:
        """Rested, and there is something to be done about it now."""
        row = self.rows[position]
        if row.not_before is None or row.not_before > self.now:
            return False
        sends_now = self.is_running and not self.is_over
        return sends_now or (row.state is State.UNKNOWN and self.kind != "A")

    def take(self, position: int) -> Reconciler:
        """`take_resting` and `begin_try` for one message."""
        self.commit()
        row = self.rows[position]
        was, row.state = row.state, State.UNKNOWN
        row.not_before = self.now + max(LEASE, self.quiet)
        return Reconciler(position, row.not_before, was)

    def ask(self, second: Reconciler) -> None:
        """Class B: the provider's records, which show what has been accepted until now."""
        if second.position in self.gateway.accepted:
            second.verdict = Verdict(second.position, State.ACCEPTED)
        else:
            second.absent = True

    def hold_on(self, second: Reconciler) -> bool:
        """The last look before a second try leaves."""
        self.commit()
        row = self.rows[second.position]
        is_mine = row.state is State.UNKNOWN and row.not_before == second.held and second.held > self.now
        if not is_mine and self.mutant is not Mutant.NO_HOLD_ON:
            return False
        if is_mine:
            row.not_before = second.held = self.now + max(LEASE, self.quiet)
        second.safe_until = self.now + LEASE - LATE
        return True

    def try_again(self, second: Reconciler, fate: str) -> None:
        """The second request. Of a repetition under the same key a refusal proves nothing."""
        verdict = self._request(second.position, fate)
        if verdict.untaken and second.was is State.UNKNOWN and not second.absent:
            verdict = Verdict(second.position, State.UNKNOWN, verdict.rest)
        second.verdict = verdict

    def give_up(self, second: Reconciler) -> None:
        """No turn, no token, no open round: what was unsent is unsent still, what was unknown unknown."""
        if second.was is State.PLANNED or second.absent:
            second.verdict = Verdict(second.position, State.PLANNED, 0, untaken=True)
        else:
            second.verdict = Verdict(second.position, State.UNKNOWN, 1 if self.may_ask else None)

    def settle_second(self, second: Reconciler) -> None:
        """`settle` with the token."""
        self.commit()
        row = self.rows[second.position]
        assert second.verdict is not None
        is_mine = row.not_before == second.held or self.mutant is Mutant.NO_TOKEN
        is_mine = is_mine and row.state in (State.PLANNED, State.UNKNOWN)
        self._merge(row, second.verdict, is_mine)

    def receive(self, position: int, state: State) -> None:
        """A receipt, whenever and as often as the provider likes."""
        self.commit()
        row = self.rows[position]
        self.gateway.reported.add(position)
        if rank(state) > rank(row.state):
            row.state, row.not_before = state, None

    def end(self) -> None:
        """The round's window closes: `expire`."""
        self.is_over = True
        is_held = self.lease_until is not None and self.lease_until >= self.now
        for position, row in enumerate(self.rows):
            is_beyond = self.is_open and not is_held and position >= self.watermark
            if row.state is State.PLANNED and (row.not_before is not None or is_beyond):
                row.state, row.not_before = State.EXPIRED, None
        if not is_held and self.settled == self.watermark:
            self.is_open = False
