"""Signed pushes to the customer: batched, later, perhaps shuffled, and repeated until they are taken."""

import asyncio
import contextlib
import hashlib
import heapq
import itertools
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import orjson

from channels.http import Http, MaybeSent, NotSent, Response

_TICK = 0.01
_CONCURRENCY = 8
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Callback:
    """Where pushes go and how they are signed. `encode`: the chatbotId in paths is percent-encoded."""

    url: str
    token: str
    chatbot_id: str
    app_id: str
    encode: bool = False

    def path(self, template: str) -> str:
        """A push path with the chatbotId put in."""
        bot = quote(self.chatbot_id, safe="") if self.encode else self.chatbot_id
        return template.format(bot=bot)

    def headers(self) -> dict[str, str]:
        """Signature, time stamp and nonce (protocol section 3), fresh for every request."""
        timestamp, nonce = str(int(time.time())), str(uuid.uuid4())
        joined = "".join(sorted([self.token, timestamp, nonce]))
        signature = hashlib.sha256(joined.encode()).hexdigest()
        return {"signature": signature, "timestamp": timestamp, "nonce": nonce}


class Status(Protocol):
    """Something that is to be reported of a message."""

    def fire(self) -> dict[str, Any] | None:
        """When its time has come: the entry of deliveryInfoList, or None if there is nothing to report."""
        ...

    def taken(self) -> None:
        """The customer has it."""
        ...


class Pusher:
    """Without a callback, statuses come to pass and nobody is told."""

    def __init__(self, callback: Callback | None, batch: int, shuffled: Callable[[], bool]) -> None:
        self._callback, self._batch, self._shuffled = callback, batch, shuffled
        self._due: list[tuple[float, int, Status]] = []
        self._order = itertools.count()
        self._random = random.Random(0)
        self._http: Http | None = None
        self._slots = asyncio.Semaphore(_CONCURRENCY)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.verified = asyncio.Event()
        self.given_up = 0

    def start(self) -> None:
        """Begin to push what is due."""
        self._http = Http(10.0, 2 * _CONCURRENCY)
        self._spawn(self._run())

    async def stop(self) -> None:
        """Drop what is not pushed yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def later(self, status: Status, delay: float) -> None:
        """Push a status after a while."""
        heapq.heappush(self._due, (_now() + delay, next(self._order), status))

    def post(self, template: str, document: Mapping[str, Any]) -> None:
        """Push a document of its own at once."""
        self._spawn(self._deliver(template, document))

    async def push(self, statuses: Iterable[Status]) -> None:
        """Push statuses and wait until they are taken."""
        fired = [(status, info) for status in statuses if (info := status.fire()) is not None]
        if not fired:
            return
        document = {"deliveryInfoList": [info for _, info in fired]}
        if await self._deliver("/deliveryNotification/{bot}/status", document):
            for status, _ in fired:
                status.taken()

    def verify_callback(self) -> None:
        """Check the callback's URL (protocol section 3), again and again until it answers rightly."""
        if self._callback is not None and not self.verified.is_set():
            self._spawn(self._verify(self._callback))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            ripe = self._ripe()
            if self._shuffled():
                self._random.shuffle(ripe)
            for start in range(0, len(ripe), self._batch):
                self._spawn(self.push(ripe[start : start + self._batch]))

    def _ripe(self) -> list[Status]:
        now, ripe = _now(), []
        while self._due and self._due[0][0] <= now:
            ripe.append(heapq.heappop(self._due)[2])
        return ripe

    async def _deliver(self, template: str, document: Mapping[str, Any]) -> bool:
        if self._callback is None:
            return True
        await self.verified.wait()
        url, body = self._callback.url + self._callback.path(template), orjson.dumps(document)
        for pause in _PAUSES:
            response = await self._request("POST", url, {"content-type": "application/json"}, body)
            if response is not None and response.status in {200, 204}:
                return True
            await asyncio.sleep(pause)
        self.given_up += 1
        return False

    async def _request(
        self, method: str, url: str, headers: dict[str, str], body: bytes = b""
    ) -> Response | None:
        if self._http is None or self._callback is None:
            return None
        async with self._slots:
            with contextlib.suppress(NotSent, MaybeSent):
                signed = {**self._callback.headers(), **headers}
                return await self._http.request(method, url, headers=signed, body=body)
        return None

    async def _verify(self, callback: Callback) -> None:
        echo = uuid.uuid4().hex
        for pause in itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1])):
            asked = {"echoStr": echo, "chatbotId": callback.chatbot_id}
            response = await self._request("GET", f"{callback.url}/notifyPath", asked)
            if self.verified.is_set() or (response is not None and _echoes(response, echo, callback.app_id)):
                self.verified.set()
                return
            await asyncio.sleep(pause)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _echoes(response: Response, echo: str, app_id: str) -> bool:
    told = response.headers
    return response.status == 200 and (told.get("echostr"), told.get("appid")) == (echo, app_id)
