"""Pushes of a provider by HTTP: JSON, repeated until the receiver says what the provider wants to hear; and
when, how often and in which order delivery reports go that way."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson

from channels.gateways.base import BookEntry, Simulator
from channels.gateways.report_queue import ReportQueue
from channels.http import Http, MaybeSent, NotSent

REPEAT_AFTER = (60.0, 300.0, 600.0)
PARALLEL = 4


class Pusher:
    """Posts documents, and arrays of at most `size` items. `is_taken` judges the receiver's answer, a JSON
    object; `scale` shortens the repeats after 1, 5 and 10 minutes."""

    def __init__(self, size: int, scale: float, is_taken: Callable[[dict[str, Any]], bool]) -> None:
        self._size = size
        self._is_taken = is_taken
        self._pauses = [pause * scale for pause in REPEAT_AFTER]
        self._http = Http(timeout=10.0, connections=PARALLEL)
        self._slots = asyncio.Semaphore(PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def push_later(self, url: str, document: Any) -> None:
        """Push in the background; without a URL nothing is pushed, as with a console left empty."""
        if url:
            self.spawn(self._deliver(url, document))

    def push_arrays(self, url: str, items: Sequence[Any]) -> None:
        """Push items in arrays in the background."""
        for start in range(0, len(items), self._size):
            self.push_later(url, items[start : start + self._size])

    async def push_now(self, url: str, items: Sequence[Any]) -> None:
        """Push items in arrays and wait until they were answered or given up."""
        for start in range(0, len(items) if url else 0, self._size):
            await self._deliver(url, items[start : start + self._size])

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background until `close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, url: str, document: Any) -> None:
        body = orjson.dumps(document)
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
        return response.status == 200 and isinstance(answer, dict) and self._is_taken(answer)

    async def close(self) -> None:
        """Forget what is not pushed yet."""
        # A request that ends just when it is cancelled swallows the cancellation.
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.close()


class Reporter:
    """Reports accepted entries. `url` tells where they go now; `item` writes one, by the entry's number."""

    def __init__(
        self,
        simulator: Simulator,
        pusher: Pusher,
        url: Callable[[], str],
        item: Callable[[int], dict[str, Any]],
    ) -> None:
        self._simulator, self._pusher, self._url, self._item = simulator, pusher, url, item
        self._queue = ReportQueue(
            self._push,
            lambda: simulator.faults.receipt_delay,
            lambda: simulator.faults.seed if simulator.faults.shuffle else None,
        )

    def start(self) -> None:
        """Begin to hand out what is due; ends with the pusher."""
        self._pusher.spawn(self._queue.run())

    async def schedule(self, entries: Sequence[BookEntry]) -> None:
        """Report them later, or before the sender is answered, as the faults have it."""
        told = [entry for entry in entries if not self._simulator.fate(entry.address, "silent")]
        if self._simulator.faults.receipts_before_answer:
            await self._pusher.push_now(self._url(), [self._item(entry.number) for entry in told])
            return
        for entry in told:
            self._queue.add(entry.number, 2 if self._simulator.fate(entry.address, "twice") else 1)

    def _push(self, numbers: Sequence[int]) -> None:
        self._pusher.push_arrays(self._url(), [self._item(number) for number in numbers])
