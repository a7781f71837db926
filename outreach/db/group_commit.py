"""Group commit: many small writers share one COPY and one commit.

A caller that awaits `put` returns after its items are durable, so a webhook may answer 200 with a good
conscience; a burst of requests costs one transaction every few milliseconds.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class GroupCommit(Generic[Item]):
    """Collects items for at most `delay` seconds or `limit` items, then calls `write` once."""

    def __init__(
        self, write: Callable[[Sequence[Item]], Awaitable[None]], *, delay: float = 0.01, limit: int = 5000
    ) -> None:
        self._write, self._delay, self._limit = write, delay, limit
        self._items: list[Item] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def put(self, items: Sequence[Item]) -> None:
        """Add items and wait until they are durable. Raises what `write` raised."""
        if not items:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._items.extend(items)
        self._waiters.append(waiter)
        self._wake.set()
        if len(self._items) >= self._limit:
            self._full.set()
        await waiter

    async def close(self) -> None:
        """Stop after the write under way; what is still waiting gets an error, so the sender repeats it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(ConnectionError("closed before the write"))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._delay)
            items, self._items = self._items, []
            waiters, self._waiters = self._waiters, []
            self._wake.clear()
            self._full.clear()
            await self._commit(items, waiters)

    async def _commit(self, items: list[Item], waiters: list[asyncio.Future[None]]) -> None:
        error: BaseException | None = None
        try:
            await self._write(items)
        except Exception as raised:
            error = raised
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
