"""The connections of one account: opened again with growing pauses, handed out by room in their windows."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from channels.errors import Fault, GatewayError
from channels.lines.line import Dialect, Frame, Line, Peer, connect

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LOOK_SECONDS = 1.0


class NoTurn(Exception):
    """Nothing can leave in time; nothing has left."""

    def __init__(self, fault: Fault, code: str = "") -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.code = code


class Pool:
    """At most `size` connections. Until `keep` they are opened when something is to be sent, and closed when
    they idle; from then on they are kept open, because reports come down on them."""

    def __init__(
        self,
        peer: Peer,
        dialect: Dialect,
        size: int,
        deliver: Callable[[Line, Frame], None],
        seconds: float,
    ) -> None:
        self._peer, self._dialect, self._size, self._seconds = peer, dialect, size, seconds
        self._deliver = deliver
        self._lines: list[Line] = []
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._opening: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._failure: GatewayError | None = None
        self._pause = _FIRST_PAUSE
        self._retry_at = 0.0
        self._is_closed = False

    @property
    def is_wanted(self) -> bool:
        """Whether connections are kept although nothing is sent."""
        return self._keeper is not None

    def take(self, line: Line, frame: Frame) -> None:
        """See line.Owner."""
        self._deliver(line, frame)

    def wake(self) -> None:
        """See line.Owner: those who wait look again, as many as there is room for."""
        self._lines = [line for line in self._lines if line.is_open]
        room = sum(max(0, line.room) for line in self._lines) if self._lines else len(self._waiters)
        while self._waiters and room > 0:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                room -= 1

    async def open(self) -> None:
        """Have one connection at least. Raises GatewayError."""
        if not self._lines:
            self._add(await self._connect())
        self._grow()

    async def fresh(self) -> Line:
        """A connection beside the others, for a trial. Raises GatewayError."""
        return await self._connect()

    async def _connect(self) -> Line:
        until = asyncio.get_running_loop().time() + self._seconds
        return await connect(self._peer, self._dialect, self, until)

    def _add(self, line: Line) -> None:
        self._lines.append(line)
        self._failure, self._pause = None, _FIRST_PAUSE
        self.wake()

    def keep(self) -> None:
        """Keep all connections open from now on."""
        if self._keeper is None and not self._is_closed:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            self._grow()
            await asyncio.sleep(_LOOK_SECONDS)

    def _grow(self) -> None:
        due = asyncio.get_running_loop().time() >= self._retry_at
        if len(self._lines) < self._size and self._opening is None and due and not self._is_closed:
            self._opening = asyncio.get_running_loop().create_task(self._open_missing())

    async def _open_missing(self) -> None:
        try:
            while len(self._lines) < self._size and not self._is_closed:
                self._add(await self._connect())
        except GatewayError as error:
            self._failure = error
            self._retry_at = asyncio.get_running_loop().time() + self._pause
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        finally:
            self._opening = None
            self.wake()

    async def turn(self, until: float) -> Line:
        """A connection with room for one request, which is to be sent before anything else is awaited. Raises
        NoTurn if there is none by `until`, in the event loop's time."""
        while True:
            self._grow()
            free = max(self._lines, key=lambda line: line.room, default=None)
            if free is not None and free.room > 0:
                return free
            if not self._lines and self._opening is None and self._failure is not None:
                raise NoTurn(self._failure.fault, self._failure.code)
            await self._wait(until)

    async def _wait(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(until):
                await waiter
        except TimeoutError as error:
            raise self._no_turn() from error
        finally:
            if not waiter.done() or waiter.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiters.remove(waiter)

    def _no_turn(self) -> NoTurn:
        now = asyncio.get_running_loop().time()
        if not self._lines:
            return NoTurn(Fault.UNREACHABLE)
        if all(line.rests_until > now for line in self._lines):
            return NoTurn(Fault.THROTTLED)
        return NoTurn(Fault.DEFERRED)

    async def close(self) -> None:
        """Take leave on all connections."""
        self._is_closed = True
        for task in (self._keeper, self._opening):
            if task is not None:
                task.cancel()
        lines, self._lines = self._lines, []
        await asyncio.gather(*(line.leave() for line in lines))
