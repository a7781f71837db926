"""Group commit: many small writers share one COPY and one commit.

A caller that awaits `put` returns after its items are durable, so a webhook may answer 200 with a good
conscience; a burst of requests costs one transaction every few milliseconds.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Generic, TypeVar

from psycopg import DataError

Item = TypeVar("Item")


class GroupCommit(Generic[Item]):
    """Collects items for at most `delay` seconds or `limit` items, then calls `write` once."""

    def __init__(
        self, write: Callable[[Sequence[Item]], Awaitable[None]], *, delay: float = 0.01, limit: int = 5000
    ) -> None:
        self._write, self._delay, self._limit = write, delay, limit
        self._waiting: list[tuple[Sequence[Item], asyncio.Future[None]]] = []
        self._count = 0
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def put(self, items: Sequence[Item]) -> None:
        """Add items and wait until they are durable. Raises what `write` raised for them."""
        if not items:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, waiter))
        self._count += len(items)
        self._wake.set()
        if self._count >= self._limit:
            self._full.set()
        await waiter

    async def close(self) -> None:
        """Stop after the write under way; what is still waiting gets an error, so the sender repeats it."""
        # A library below may swallow a cancellation, so it is repeated until the task has ended.
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.5)
        for _, waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(ConnectionError("closed before the write"))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._delay):
                    await self._full.wait()
            group, self._waiting, self._count = self._waiting, [], 0
            self._wake.clear()
            self._full.clear()
            await self._commit(group)

    async def _commit(self, group: Sequence[tuple[Sequence[Item], asyncio.Future[None]]]) -> None:
        try:
            await self._write(list(chain.from_iterable(items for items, _ in group)))
        except DataError as error:
            if len(group) == 1:
                _settle(group[0][1], error)
                return
            # One caller's bad item must not fail the others.
            for one in group:
                await self._commit([one])
        except asyncio.CancelledError:
            # Perhaps written, perhaps not: the sender repeats it, and repetition does no harm.
            for _, waiter in group:
                _settle(waiter, ConnectionError("closed during the write"))
            raise
        except Exception as error:
            for _, waiter in group:
                _settle(waiter, error)
        else:
            for _, waiter in group:
                _settle(waiter, None)


def _settle(waiter: asyncio.Future[None], error: Exception | None) -> None:
    if waiter.done():
        return
    if error is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(error)
