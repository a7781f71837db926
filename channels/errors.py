"""What can go wrong at a gateway, told by what it touches.

    Fault                     the vocabulary, on one page
      gateway   misconfigured, unauthorized, unreachable, throttled
      message   rejected, deferred, unsupported, outcome_unknown
      address   invalid_address, opted_out

    ChannelError              raised only outside the send path
      GatewayError            `open` and `check`: the account itself does not work
      WebhookRejected         `verify`: a push that is not from the provider

`Adapter.send` and `Adapter.query` return faults as values: one bad message never spoils its batch.
"""

from enum import StrEnum


class Fault(StrEnum):
    """Why a message was not accepted. `outcome_unknown` is the default of everything unmapped."""

    MISCONFIGURED = "misconfigured"
    UNAUTHORIZED = "unauthorized"
    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    REJECTED = "rejected"
    DEFERRED = "deferred"
    UNSUPPORTED = "unsupported"
    OUTCOME_UNKNOWN = "outcome_unknown"
    INVALID_ADDRESS = "invalid_address"
    OPTED_OUT = "opted_out"

    @property
    def touches(self) -> str:
        """`gateway`, `message` or `address`."""
        return _TOUCHES[self]

    @property
    def retryable(self) -> bool:
        """Certainly not accepted, and the same message may be tried again later."""
        return self in _RETRYABLE


_TOUCHES = {
    Fault.MISCONFIGURED: "gateway",
    Fault.UNAUTHORIZED: "gateway",
    Fault.UNREACHABLE: "gateway",
    Fault.THROTTLED: "gateway",
    Fault.REJECTED: "message",
    Fault.DEFERRED: "message",
    Fault.UNSUPPORTED: "message",
    Fault.OUTCOME_UNKNOWN: "message",
    Fault.INVALID_ADDRESS: "address",
    Fault.OPTED_OUT: "address",
}

_RETRYABLE = frozenset(
    {Fault.MISCONFIGURED, Fault.UNAUTHORIZED, Fault.UNREACHABLE, Fault.THROTTLED, Fault.DEFERRED}
)


class ChannelError(Exception):
    """Base of the exceptions that an adapter may raise."""

    def __init__(self, fault: Fault, message: str, code: str = "") -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.code = code


class GatewayError(ChannelError):
    """The gateway account does not work: wrong settings, refused credentials, no connection."""


class WebhookRejected(Exception):
    """A push whose signature, time stamp, source or shape is not the provider's."""
