"""HTTP batch pushes: JSON arrays, repeated until a numeric code comes back. Source: sheet, section 4."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import orjson

from channels.http import Http, MaybeSent, NotSent

REPEAT_AFTER = (60.0, 300.0, 600.0)
PARALLEL = 4

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
