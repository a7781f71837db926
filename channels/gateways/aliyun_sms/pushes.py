"""HTTP batch pushes: JSON arrays, repeated until a numeric code comes back. Source: sheet, section 4."""

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson

from channels.http import Http, MaybeSent, NotSent

REPEAT_AFTER = (60.0, 300.0, 600.0)
PARALLEL = 4
GATHER_SECONDS = 0.02

Item = dict[str, Any]


class Pusher:
    """Posts arrays of at most `size` items. `scale` shortens the repeats after 1, 5 and 10 minutes."""

    def __init__(self, size: int = 500, scale: float = 1.0) -> None:
        self._size = size
        self._pauses = [pause * scale for pause in REPEAT_AFTER]
        self._http = Http(timeout=10.0, connections=PARALLEL)
        self._slots = asyncio.Semaphore(PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def push_later(self, url: str, items: Sequence[Item]) -> None:
        """Push in the background; without a URL nothing is pushed, as with a console left empty."""
        if not url:
            return
        for start in range(0, len(items), self._size):
            self.spawn(self._deliver(url, items[start : start + self._size]))

    async def push_now(self, url: str, items: Sequence[Item]) -> None:
        """Push and wait until it was answered or given up."""
        if not url:
            return
        for start in range(0, len(items), self._size):
            await self._deliver(url, items[start : start + self._size])

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background until `close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, url: str, items: Sequence[Item]) -> None:
        body = orjson.dumps(items)
        for pause in (*self._pauses, None):
            if await self._post(url, body) or pause is None or self._closed:
                return
            await asyncio.sleep(pause)

    async def _post(self, url: str, body: bytes) -> bool:
        headers = {"content-type": "application/json; charset=utf-8"}
        async with self._slots:
            try:
                response = await self._http.request("POST", url, headers=headers, body=body)
                answer = orjson.loads(response.body)
            except (NotSent, MaybeSent, orjson.JSONDecodeError):
                return False
        return response.status == 200 and isinstance(answer, dict) and isinstance(answer.get("code"), int)

    async def close(self) -> None:
        """Forget what is not pushed yet."""
        # A request that ends just when it is cancelled swallows the cancellation.
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.close()


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
