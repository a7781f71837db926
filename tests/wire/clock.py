"""Time in the hands of a test: it passes when the test says so, and nobody waits for it.

A time-out of half a second that must not be reached is reached by a machine that stands still for as long. So
whatever must succeed gets `TIMEOUT`, and a test about a time-out lets the event loop's clock run ahead. That
clock is the one of all deadlines in `channels`, those of the adapters and those of the simulated gateways, so
their order stays what it is; and real time that passes meanwhile only adds to it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")

TIMEOUT = 30.0
"""The time-out of every adapter: no test comes near it by itself. It is also the longest that all take."""

SLOW = 4 * TIMEOUT
"""How late a slow gateway answers: when nobody waits any more."""

LONGEST = 60.0
"""Seconds of real time in which what must happen has happened, however slow the machine is."""

_TURNS = 50
_GRACE = TIMEOUT / 4


class _Clock:
    """What stands in for a loop's `time`."""

    def __init__(self, real: Callable[[], float]) -> None:
        self._real, self._ahead = real, 0.0
        self._still: float | None = None

    def __call__(self) -> float:
        return self._real() + self._ahead if self._still is None else self._still

    def leap(self, seconds: float) -> None:
        """Run ahead."""
        if self._still is None:
            self._ahead += seconds
        else:
            self._still += seconds

    def stop(self) -> None:
        """Stand still, but for leaps."""
        self._still = self()

    def go_on(self) -> None:
        """From where it stood: a clock of a loop never goes back."""
        now, self._still = self(), None
        self._ahead = now - self._real()


def _clock() -> _Clock:
    loop = asyncio.get_running_loop()
    found = vars(loop).get("time")
    if not isinstance(found, _Clock):
        # It stays there for later tests as well: what began by it must not see it go back.
        found = vars(loop)["time"] = _Clock(loop.time)
    return found


async def settle() -> None:
    """Let the loop do all that can be done at once, in turns and not in seconds."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def leap(seconds: float) -> None:
    """So many seconds pass at once."""
    await settle()
    _clock().leap(seconds)
    await settle()


@contextmanager
def standing_still() -> Iterator[None]:
    """No time passes but by `leap`. Nothing may sleep meanwhile."""
    clock = _clock()
    clock.stop()
    try:
        yield
    finally:
        clock.go_on()


async def pass_until(ready: Callable[[], object], most: float, step: float = 1.0) -> None:
    """Let time pass until `ready()` holds, in steps of so many seconds. Raises TimeoutError if `most` seconds
    are not enough."""
    passed = 0.0
    while not ready() and passed < most:
        await leap(step)
        passed += step
    await until(ready, _GRACE)


async def hasten(work: "asyncio.Task[Result]", most: float, step: float = 1.0) -> Result:
    """The result of what needs time and not more than `most` seconds. Raises TimeoutError if it does. Begin
    only when it waits for nothing but time: a connection that is being made would miss its deadline."""
    try:
        await pass_until(work.done, most, step)
    except TimeoutError:
        work.cancel()
        raise
    return work.result()


async def until(ready: Callable[[], object], seconds: float = LONGEST) -> None:
    """Wait for something that no event tells. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not ready():
            await asyncio.sleep(0.005)
