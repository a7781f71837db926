"""A host whose wall clock is wrong. No deadline of the protocol may look at it: leases and rests are the
database's, what may still be sent is the monotonic clock's.
"""

import sys
import time
from datetime import datetime, timedelta, tzinfo

_OURS = ("outreach", "channels", "campaigns", "arq")


def shift_clock(seconds: float) -> None:
    """Let this process read a wall clock that is so far off, wherever our code or the bell's reads it."""
    true_time, step = time.time, timedelta(seconds=seconds)

    def shifted_time() -> float:
        return true_time() + seconds

    class Shifted(datetime):
        """Only what asks for the present is wrong."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + step

    changed = 0
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _OURS:
            for held, value in list(vars(module).items()):
                if value is true_time or value is datetime:
                    setattr(module, held, shifted_time if value is true_time else Shifted)
                    changed += 1
    if not changed:
        raise LookupError("nobody reads the clock: the shift would prove nothing")
    time.time = shifted_time
