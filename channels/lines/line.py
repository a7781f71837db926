"""One long connection: log-in, window, heart-beat, and answers to whom they belong.

A request that gets no answer in its time is never repeated, whatever a standard allows: a gateway that has
forgotten the sequence with the connection would send the text twice.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, cast

from channels.errors import Fault, GatewayError

_TRIES = 3
_FAREWELL_SECONDS = 2.0
_FIRST_REST, _LONGEST_REST = 1.0, 16.0


class Lost(Exception):
    """The connection ended before the answer came."""


class BadMessage(ValueError):
    """Bytes that are no message of the protocol."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message without its length. `status`: of an answer, where the protocol's header has one."""

    command: int
    sequence: int
    body: bytes
    status: int = 0


class Role(Enum):
    """What a message that comes in is for. `REQUEST`: the dialect answers it at once; `FAREWELL` as well, and
    then the connection ends."""

    ANSWER = auto()
    PUSH = auto()
    REQUEST = auto()
    FAREWELL = auto()


class Dialect(Protocol):
    """The bytes of a protocol, as far as a connection needs them."""

    @property
    def largest_sequence(self) -> int:
        """Sequences run from 1 to it."""

    def cut_frames(self, buffer: bytearray) -> list[Frame]:
        """Take the whole messages off a buffer. Raises BadMessage."""

    def role_of(self, frame: Frame) -> Role:
        """What a message is for."""

    def write_reply(self, frame: Frame) -> bytes:
        """The answer to a request or a farewell."""

    def write_probe(self, sequence: int) -> bytes:
        """Are you there?"""

    def write_farewell(self, sequence: int) -> bytes:
        """A polite end."""

    async def log_in(self, line: "Line", until: float) -> None:
        """Prove who we are. Raises GatewayError, Lost, TimeoutError, BadMessage."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect and how. `patience`: seconds after which a request without an answer counts as dead,
    `heartbeat`: seconds of silence before a probe, `idle`: seconds without use after which a connection is
    left that is not kept for what comes down on it."""

    host: str
    port: int
    window: int
    heartbeat: float
    patience: float
    idle: float = 20.0


class Owner(Protocol):
    """Who holds the connections."""

    @property
    def is_wanted(self) -> bool:
        """Whether connections are kept although nothing is sent."""

    def take(self, line: "Line", frame: Frame) -> None:
        """A push has come in; it waits for its answer."""

    def wake(self) -> None:
        """A connection has room, has rested, or is gone."""


class Line(asyncio.Protocol):
    """`rests_until`, in the event loop's time: the gateway asked for less. It is doubtful from a missed
    answer until it says anything again."""

    def __init__(self, peer: Peer, dialect: Dialect, owner: Owner) -> None:
        self.is_open = False
        self.rests_until = 0.0
        self._peer, self._dialect, self._owner = peer, dialect, owner
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._pending: dict[int, tuple[float, asyncio.Future[Frame]]] = {}
        self._probes = 0
        self._sequence = 0
        self._rest = _FIRST_REST
        self._is_doubtful = False
        self._heard_at = self._used_at = self._loop.time()
        self._transport: asyncio.Transport | None = None
        self._beat: asyncio.Task[None] | None = None

    @property
    def room(self) -> int:
        """How many requests may leave now."""
        is_closing = self._transport is None or self._transport.is_closing()
        if not self.is_open or is_closing or self._is_doubtful or self.rests_until > self._loop.time():
            return 0
        return self._peer.window - len(self._pending)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport calls it."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport calls it."""
        self._end()

    def data_received(self, data: bytes) -> None:
        """The transport calls it."""
        self._heard_at, self._probes = self._loop.time(), 0
        if self._is_doubtful:
            self._is_doubtful = False
            self._owner.wake()
        self._buffer += data
        try:
            for frame in self._dialect.cut_frames(self._buffer):
                self._obey(frame)
        except BadMessage:
            self.abort()

    def _obey(self, frame: Frame) -> None:
        match self._dialect.role_of(frame):
            case Role.PUSH:
                self._used_at = self._loop.time()
                self._owner.take(self, frame)
            case Role.REQUEST:
                self.write(self._dialect.write_reply(frame))
            case Role.FAREWELL:
                self.write(self._dialect.write_reply(frame))
                self._close()
            case Role.ANSWER if frame.sequence in self._pending:
                _, answer = self._pending.pop(frame.sequence)
                if not answer.done():
                    answer.set_result(frame)
                self._owner.wake()

    def write(self, data: bytes) -> None:
        """Send a whole message."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def ask(self, request: Callable[[int], bytes], until: float) -> Frame:
        """Send the request that `request` makes for a sequence, and wait for its answer. It leaves before
        anything is awaited. Raises Lost, and TimeoutError after `until` in the event loop's time."""
        sequence = self._next()
        answer: asyncio.Future[Frame] = self._loop.create_future()
        self._used_at = self._loop.time()
        self._pending[sequence] = (self._used_at, answer)
        self.write(request(sequence))
        try:
            async with asyncio.timeout_at(until):
                return await answer
        except TimeoutError:
            self._is_doubtful = True
            self._probe()
            raise

    def _next(self) -> int:
        largest = self._dialect.largest_sequence
        self._sequence = self._sequence % largest + 1
        while self._sequence in self._pending:
            self._sequence = self._sequence % largest + 1
        return self._sequence

    def slow_down(self) -> float:
        """The gateway asked for less: rest, longer each time in a row. Returns the seconds."""
        if self.rests_until <= self._loop.time():
            self.rests_until = self._loop.time() + self._rest
            self._loop.call_at(self.rests_until, self._owner.wake)
            self._rest = min(self._rest * 2, _LONGEST_REST)
        return self.rests_until - self._loop.time()

    def speed_up(self) -> None:
        """The gateway takes requests again."""
        if self.rests_until <= self._loop.time():
            self._rest = _FIRST_REST

    async def log_in(self, until: float) -> None:
        """Prove who we are, and keep the connection alive from then on. Raises what the dialect raises."""
        await self._dialect.log_in(self, until)
        self.is_open = True
        self._beat = self._loop.create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        step = min(self._peer.heartbeat, self._peer.patience) / 4
        probed_at = 0.0
        while True:
            await asyncio.sleep(step)
            now = self._loop.time()
            oldest = min((since for since, _ in self._pending.values()), default=now)
            if now - oldest > self._peer.patience or self._probes >= _TRIES:
                self.abort()
            elif not self._owner.is_wanted and now - self._used_at > self._peer.idle:
                self.is_open = False
                await self.leave()
            elif now - max(self._heard_at, probed_at) >= self._pause():
                probed_at = now
                self._probes += 1
                self._probe()

    def _pause(self) -> float:
        return self._peer.patience if self._probes else self._peer.heartbeat

    def _probe(self) -> None:
        # Outside the window: the connection must be tried also when it is full.
        self.write(self._dialect.write_probe(self._next()))

    async def leave(self) -> None:
        """Take leave, wait a moment for the answer, close."""
        was_connected, self.is_open = self._transport is not None, False
        if was_connected:
            with contextlib.suppress(Lost, TimeoutError):
                farewell = self._loop.time() + _FAREWELL_SECONDS
                await self.ask(self._dialect.write_farewell, farewell)
        self._close()

    def _close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self.is_open, self._transport = False, None
        if self._beat is not None:
            self._beat.cancel()
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_exception(Lost())
                # Whoever waited may have given up in the same moment.
                answer.exception()
        self._pending.clear()
        self._owner.wake()


async def connect(peer: Peer, dialect: Dialect, owner: Owner, until: float) -> Line:
    """Open a connection and log in. Raises GatewayError."""
    line = Line(peer, dialect, owner)
    try:
        async with asyncio.timeout_at(until):
            await asyncio.get_running_loop().create_connection(lambda: line, peer.host, peer.port)
            await line.log_in(until)
    except (TimeoutError, OSError, UnicodeError, Lost) as error:
        line.abort()
        advice = f"无法连接网关 {peer.host}:{peer.port}，请核对地址、端口和防火墙"
        raise GatewayError(Fault.UNREACHABLE, advice) from error
    except BadMessage as error:
        line.abort()
        advice = f"{peer.host}:{peer.port} 的应答不是这种协议，请核对地址、端口和协议版本"
        raise GatewayError(Fault.MISCONFIGURED, advice) from error
    except BaseException:
        line.abort()
        raise
    return line
