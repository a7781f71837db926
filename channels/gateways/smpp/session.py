"""One connection to the simulated centre. Source: sheet `smpp`, session rules."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from channels.gateways.smpp import wire
from channels.gateways.smpp.wire import RESPONSE, Account, Command, Status

_TRIES = 3
_BINDS = {Command.BIND_RECEIVER: "r", Command.BIND_TRANSMITTER: "t", Command.BIND_TRANSCEIVER: "rt"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A deliver_sm that waits; `done` is called when it was taken."""

    body: bytes
    done: Callable[[], None]


class Centre(Protocol):
    """What a session needs of its centre."""

    account: Account
    answer_timeout: float
    trickle: bool
    sessions: set["Session"]

    def bind(self, session: "Session", body: bytes) -> Status:
        """Judge a bind."""

    async def submit(self, session: "Session", sequence: int, body: bytes) -> None:
        """Book and answer."""

    def bound(self) -> None:
        """Somebody can receive now."""

    def send_later(self, delivery: Delivery) -> None:
        """Find a connection for a deliver_sm."""


class Session(asyncio.Protocol):
    """`mode` is empty until a bind was accepted, then of `r` and `t`; `waiting` counts requests without an
    answer, `heard` what has come in by command."""

    def __init__(self, centre: Centre) -> None:
        self.mode = ""
        self.waiting = 0
        self.heard: Counter[int] = Counter()
        self.unanswered: dict[int, Delivery] = {}
        self._centre = centre
        self._buffer = bytearray()
        self._queue: deque[Delivery] = deque()
        self._sequence = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport calls it."""
        self._transport = cast(asyncio.Transport, transport)
        self._centre.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport calls it."""
        self._centre.sessions.discard(self)
        self.mode = ""
        for task in self._tasks:
            task.cancel()
        for delivery in [*self.unanswered.values(), *self._queue]:
            self._centre.send_later(delivery)
        self.unanswered.clear()
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        """The transport calls it."""
        self._buffer += data
        try:
            for command, status, sequence, body in wire.cut(self._buffer):
                self._obey(command, status, sequence, body)
        except wire.Malformed:
            self.write(wire.write_message(Command.NACK, Status.COMMAND_LENGTH, 0))
            self.close()

    def _obey(self, command: int, status: int, sequence: int, body: bytes) -> None:
        self.heard[command] += 1
        match command:
            case Command.BIND_RECEIVER | Command.BIND_TRANSMITTER | Command.BIND_TRANSCEIVER:
                self._bind(Command(command), sequence, body)
            case Command.SUBMIT:
                self._submit(sequence, body)
            case Command.ENQUIRE:
                self.answer(command, Status.OK, sequence)
            case Command.UNBIND:
                self.answer(command, Status.OK, sequence)
                self.close()
            case Command.DELIVERED:
                self._delivered(status, sequence, body)
            case Command.UNBOUND:
                self.close()
            case Command.ALIVE | Command.NACK:
                pass
            case _:
                self.write(wire.write_message(Command.NACK, Status.COMMAND, sequence))

    def _submit(self, sequence: int, body: bytes) -> None:
        if "t" not in self.mode:
            return self.answer(Command.SUBMIT, Status.BIND_STATE, sequence)
        if self.waiting >= self._centre.account.window:
            return self.answer(Command.SUBMIT, Status.QUEUE_FULL, sequence)
        self.waiting += 1
        return self.run(self._centre.submit(self, sequence, body))

    def _bind(self, command: Command, sequence: int, body: bytes) -> None:
        status = Status.ALREADY_BOUND if self.mode else self._centre.bind(self, body)
        if status:
            self.answer(command, status, sequence)
            return None if self.mode else self.close()
        self.mode = _BINDS[command]
        told = wire.write_text("centre") + wire.write_options({wire.VERSION: b"\x34"})
        self.answer(command, status, sequence, told)
        return self._centre.bound()

    def run(self, work: Any) -> None:
        """Work that ends with the connection."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def answer(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        """Answer a request."""
        self.write(wire.write_message(RESPONSE | command, status, sequence, body))

    def request(self, command: int, body: bytes = b"") -> int:
        """Ask something of the client; returns the sequence."""
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        self.write(wire.write_message(command, 0, self._sequence, body))
        return self._sequence

    def deliver(self, delivery: Delivery) -> None:
        """Send a report or an uplink as soon as the window has room."""
        self._queue.append(delivery)
        self._pump()

    def _pump(self) -> None:
        while self._queue and len(self.unanswered) < self._centre.account.window:
            delivery = self._queue.popleft()
            sequence = self.request(Command.DELIVER, delivery.body)
            self.unanswered[sequence] = delivery
            self.run(self._repeat(sequence, delivery))

    async def _repeat(self, sequence: int, delivery: Delivery) -> None:
        for _ in range(_TRIES - 1):
            await asyncio.sleep(self._centre.answer_timeout)
            if sequence not in self.unanswered:
                return
            self.write(wire.write_message(Command.DELIVER, 0, sequence, delivery.body))
        await asyncio.sleep(self._centre.answer_timeout)
        if sequence in self.unanswered:
            self.abort()

    def _delivered(self, status: int, sequence: int, body: bytes) -> None:
        delivery = self.unanswered.get(sequence)
        if delivery is None:
            return
        if status == Status.OK and body != b"\0":
            self.abort()
            return
        # Whatever is not taken stays unanswered, so that it is sent again after a while.
        if status == Status.OK:
            del self.unanswered[sequence]
            delivery.done()
        self._pump()

    def write(self, data: bytes) -> None:
        """Octets to the client; in pieces of five where the centre trickles."""
        size = 5 if self._centre.trickle else len(data)
        for place in range(0, len(data), size):
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(data[place : place + size])

    def close(self) -> None:
        """Close once everything is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()
