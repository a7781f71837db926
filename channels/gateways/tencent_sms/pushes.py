"""Callbacks: JSON by POST, repeated until `{"result": 0}` comes back. Source: sheet, status and reply push.

The sheet says that a push is repeated several times and not when; a minute, five and ten are assumed.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import orjson

from channels.http import Http, MaybeSent, NotSent

REPEAT_AFTER = (60.0, 300.0, 600.0)
PARALLEL = 4


class Pusher:
    """Posts documents in the background. `scale` shortens the pauses before the repeats."""

    def __init__(self, size: int, scale: float) -> None:
        self._size = size
        self._pauses = [pause * scale for pause in REPEAT_AFTER]
        self._http = Http(timeout=10.0, connections=PARALLEL)
        self._slots = asyncio.Semaphore(PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def push_later(self, url: str, document: Any) -> None:
        """Push without waiting; without a URL nothing is pushed, as with a console left empty."""
        if url:
            self.spawn(self._deliver(url, document))

    def push_reports(self, url: str, items: Sequence[Any]) -> None:
        """Push status reports in arrays without waiting."""
        for start in range(0, len(items), self._size):
            self.push_later(url, items[start : start + self._size])

    async def push_now(self, url: str, items: Sequence[Any]) -> None:
        """Push status reports and wait until they were answered or given up."""
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
        return response.status == 200 and isinstance(answer, dict) and answer.get("result") == 0

    async def close(self) -> None:
        """Forget what is not pushed yet."""
        # A request that ends just when it is cancelled swallows the cancellation.
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.close()
