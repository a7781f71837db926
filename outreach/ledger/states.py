"""States of a message and the order in which evidence moves it (the SQL twin is `state_rank`)."""

from enum import IntEnum

from channels.base import DeliveryState


class State(IntEnum):
    """As stored in message.state."""

    PLANNED = 0
    UNKNOWN = 1
    ACCEPTED = 2
    DELIVERED = 3
    FAILED = 4
    READ = 5
    WITHHELD = 6
    EXPIRED = 7
    CANCELLED = 8


NAMES = {
    State.PLANNED: "待发送",
    State.UNKNOWN: "结果未知",
    State.ACCEPTED: "已受理",
    State.DELIVERED: "已送达",
    State.FAILED: "失败",
    State.READ: "已阅读",
    State.WITHHELD: "临发前停发",
    State.EXPIRED: "过期未发",
    State.CANCELLED: "已取消",
}
"""What staff read."""

SENT = (State.UNKNOWN, State.ACCEPTED, State.DELIVERED, State.FAILED, State.READ)

_RANKS = (0, 1, 2, 4, 3, 5, 9, 9, 9)

OF_DELIVERY = {
    DeliveryState.ACCEPTED: State.ACCEPTED,
    DeliveryState.DELIVERED: State.DELIVERED,
    DeliveryState.FAILED: State.FAILED,
    DeliveryState.READ: State.READ,
}


def rank(state: State) -> int:
    """A message moves to a higher rank only. Arrival outranks a report of failure; whatever left the
    ledger before sending (withheld, expired, cancelled) does not move."""
    return _RANKS[state]


def merge(old: State, new: State) -> State:
    """The state after new evidence: commutative, associative, idempotent among the states that were sent."""
    return new if rank(new) > rank(old) else old
