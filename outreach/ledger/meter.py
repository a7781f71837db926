"""What each gateway account answers, counted in memory: evidence for its breaker and its weight."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from channels.base import SendResult
from channels.errors import Fault, GatewayError
from outreach.ledger.breaker import ERRORS

_TRIP_SECONDS = 3.0
"""Until then the counts have been judged, and every process knows what came of it."""


@dataclass(slots=True)
class Count:
    """Tries since the last look. `errors` blame the gateway: the outcome is unknown, or its account is at
    fault; `throttled` came too fast; `refused` is why the account could not be opened."""

    tries: int = 0
    errors: int = 0
    throttled: int = 0
    refused: str = ""


class Meter:
    """The counts of one process. Losing them costs a late breaker, nothing else."""

    def __init__(self) -> None:
        self._counts: dict[int, Count] = {}
        self._trips: dict[int, float] = {}

    def note(self, gateway_id: int, results: Sequence[SendResult]) -> None:
        """Count the answers to one hand-over."""
        count = self._counts.setdefault(gateway_id, Count())
        count.tries += len(results)
        for result in results:
            if result.fault is None:
                continue
            if result.fault is Fault.THROTTLED:
                count.throttled += 1
            elif result.fault is Fault.OUTCOME_UNKNOWN or result.fault.touches == "gateway":
                count.errors += 1
        if count.errors >= ERRORS:
            self._trips[gateway_id] = time.monotonic() + _TRIP_SECONDS

    def has_tripped(self, gateway_id: int) -> bool:
        """Whether this process alone has just seen enough errors to open the account's breaker: it need not
        wait for the judgement, in which a quick gateway could spoil thousands of messages."""
        return time.monotonic() < self._trips.get(gateway_id, 0.0)

    def refuse(self, gateway_id: int, error: GatewayError) -> None:
        """The account could not be opened."""
        self._counts.setdefault(gateway_id, Count()).refused = f"{error.fault.value} {error.code}"[
            :80
        ].rstrip()

    def take(self) -> dict[int, Count]:
        """The counts by account; they begin anew."""
        taken, self._counts = self._counts, {}
        return taken
