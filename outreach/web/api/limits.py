"""How often a key may call: a token bucket per key in each web process.

It guards the database against a loop that has run away in somebody's program, not against attackers: keys
cannot be guessed, and what one key may cost is what it may do.
"""

import math
import time
from collections.abc import Callable

from outreach.errors import TooMany

PER_SECOND, BURST = 100.0, 200


class CallLimit:
    """Tokens per caller; `clock` is in seconds and monotonic."""

    def __init__(
        self,
        per_second: float = PER_SECOND,
        burst: int = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval, self._burst, self._clock = 1 / per_second, burst, clock
        self._due: dict[str, float] = {}

    def take(self, caller: str) -> None:
        """One call. Raises TooMany with the `seconds` to wait."""
        now = self._clock()
        due = max(self._due.get(caller, now), now) + self._interval
        wait = due - now - self._burst * self._interval
        if wait > 1e-9:
            seconds = math.ceil(wait)
            raise TooMany(f"调用太快，请 {seconds} 秒后再试；大批数据请合并成一次提交。", seconds=seconds)
        self._due[caller] = due
