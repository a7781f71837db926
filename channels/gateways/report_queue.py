"""Reports of a simulated gateway until they are due."""

import asyncio
import heapq
import random
from collections.abc import Callable

GATHER_SECONDS = 0.02


class ReportQueue:
    """Collects reports until they are due and hands them out in arrays, in order or shuffled.

    `delay` is asked each time (seconds); `shuffle` returns a seed or None; `emit` takes what is due.
    """

    def __init__(
        self,
        emit: Callable[[list[int]], None],
        delay: Callable[[], float],
        shuffle: Callable[[], int | None],
    ) -> None:
        self._emit = emit
        self._delay = delay
        self._shuffle = shuffle
        self._due: list[tuple[float, int]] = []
        self._wake = asyncio.Event()

    def add(self, number: int, times: int = 1) -> None:
        """Report an entry of the books after the delay, and again after as much more."""
        now, delay = asyncio.get_running_loop().time(), self._delay()
        for nth in range(1, times + 1):
            heapq.heappush(self._due, (now + nth * delay, number))
        self._wake.set()

    async def run(self) -> None:
        """Hand out what is due, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                await asyncio.sleep(max(self._due[0][0] - loop.time(), GATHER_SECONDS))
                self._hand_out(loop.time())

    def _hand_out(self, now: float) -> None:
        ready = []
        while self._due and self._due[0][0] <= now:
            ready.append(heapq.heappop(self._due)[1])
        seed = self._shuffle()
        if seed is not None:
            random.Random(seed).shuffle(ready)
        if ready:
            self._emit(ready)
