"""One connection of a service provider to the simulated gateway. Source: sheet, sections 1 to 7."""

import asyncio
from collections import Counter, deque
from enum import IntEnum
from typing import Any, Protocol, cast

from channels.gateways.cmpp import fields as wire
from channels.gateways.cmpp.account import VERSION_3, Account
from channels.gateways.cmpp.deliveries import Delivery
from channels.gateways.cmpp.rules import BUSY, REPEATED

ANSWER = 0x80000000
_TRIES = 3
_REMEMBERED = 1024


class Command(IntEnum):
    """What a message asks for, or answers."""

    CONNECT = 1
    TERMINATE = 2
    SUBMIT = 4
    DELIVER = 5
    QUERY = 6
    CANCEL = 7
    ACTIVE_TEST = 8
    TERMINATED = ANSWER | 2
    DELIVERED = ANSWER | 5
    ALIVE = ANSWER | 8


class Gateway(Protocol):
    """What a session needs of its gateway."""

    account: Account
    answer_timeout: float
    trickle: bool
    sessions: set["Session"]

    def connect(self, session: "Session", body: bytes) -> bytes:
        """The body of CONNECT_RESP; logs the session in."""

    async def submit(self, session: "Session", sequence: int, body: bytes) -> None:
        """Book and answer."""

    def totals_of(self, body: bytes) -> bytes:
        """The body of QUERY_RESP."""

    def send_later(self, delivery: Delivery) -> None:
        """Find another connection for a DELIVER."""


class Session(asyncio.Protocol):
    """`version` is 0 until CONNECT was accepted; `waiting` counts SUBMITs without an answer, `heard` what has
    come in by command."""

    def __init__(self, gateway: Gateway) -> None:
        self.version = 0
        self.waiting = 0
        self.heard: Counter[int] = Counter()
        self.is_leaving = False
        self.unanswered: dict[int, Delivery] = {}
        self._gateway = gateway
        self._buffer = bytearray()
        self._queue: deque[Delivery] = deque()
        self._sequence = 0
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport | None = None

    @property
    def width(self) -> int:
        """Octets of a status or result."""
        return 4 if self.version >= VERSION_3 else 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport calls it."""
        self._transport = cast(asyncio.Transport, transport)
        self._gateway.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport calls it."""
        self._gateway.sessions.discard(self)
        self.version = 0
        for task in self._tasks:
            task.cancel()
        for delivery in [*self.unanswered.values(), *self._queue]:
            self._gateway.send_later(delivery)
        self.unanswered.clear()
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        """The transport calls it."""
        self._buffer += data
        try:
            for command, sequence, body in wire.cut(self._buffer):
                self._obey(command, sequence, body)
        except wire.Malformed:
            self.abort()

    def _obey(self, command: int, sequence: int, body: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self.heard[command] += 1
        if not self.version:
            self._log_in(command, sequence, body)
            return
        match command:
            case Command.SUBMIT:
                self._submit(sequence, body)
            case Command.DELIVERED:
                self._delivered(sequence, body)
            case Command.QUERY if len(body) == wire.size_of(wire.QUERY):
                self.answer(Command.QUERY, sequence, self._gateway.totals_of(body))
            case Command.CANCEL if len(body) == 8:
                self.answer(Command.CANCEL, sequence, (1).to_bytes(self.width))
            case Command.ACTIVE_TEST if not body:
                self.answer(Command.ACTIVE_TEST, sequence, b"\0")
            case Command.TERMINATE if not body:
                self.answer(Command.TERMINATE, sequence, b"")
                self.close()
            case Command.TERMINATED:
                self.close()
            case Command.ALIVE if len(body) <= 1:
                pass
            case _:
                self.abort()

    def _log_in(self, command: int, sequence: int, body: bytes) -> None:
        if command != Command.CONNECT:
            return self.abort()
        self.answer(Command.CONNECT, sequence, self._gateway.connect(self, body))
        return None if self.version else self.close()

    def _submit(self, sequence: int, body: bytes) -> None:
        if sequence in self._seen:
            return self.answer(Command.SUBMIT, sequence, bytes(8) + REPEATED.to_bytes(self.width))
        self._seen.append(sequence)
        if self.waiting >= self._gateway.account.window:
            return self.answer(Command.SUBMIT, sequence, bytes(8) + BUSY.to_bytes(self.width))
        self.waiting += 1
        return self.run(self._gateway.submit(self, sequence, body))

    def run(self, work: Any) -> None:
        """Work that ends with the connection."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def answer(self, command: int, sequence: int, body: bytes) -> None:
        """Answer a request."""
        self.write(wire.write_message(ANSWER | command, sequence, body))

    def request(self, command: int, body: bytes = b"") -> int:
        """Ask something of the client; returns the sequence."""
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        self.write(wire.write_message(command, self._sequence, body))
        return self._sequence

    def deliver(self, delivery: Delivery) -> None:
        """Send a report or an uplink as soon as the window has room."""
        self._queue.append(delivery)
        self._pump()

    def _pump(self) -> None:
        while self._queue and len(self.unanswered) < self._gateway.account.window:
            delivery = self._queue.popleft()
            sequence = self.request(Command.DELIVER, self._encode(delivery))
            self.unanswered[sequence] = delivery
            self.run(self._repeat(sequence, delivery))

    def _encode(self, delivery: Delivery) -> bytes:
        third = self.version >= VERSION_3
        content = delivery.content(third)
        table = wire.DELIVER_3 if third else wire.DELIVER_2
        head = wire.write(table, {**delivery.fields, "length": len(content)})
        return head + content + bytes(20 if third else 8)

    async def _repeat(self, sequence: int, delivery: Delivery) -> None:
        for _ in range(_TRIES - 1):
            await asyncio.sleep(self._gateway.answer_timeout)
            if sequence not in self.unanswered:
                return
            self.write(wire.write_message(Command.DELIVER, sequence, self._encode(delivery)))
        await asyncio.sleep(self._gateway.answer_timeout)
        if sequence in self.unanswered:
            self.abort()

    def _delivered(self, sequence: int, body: bytes) -> None:
        delivery = self.unanswered.get(sequence)
        if delivery is None:
            return None
        if len(body) != 8 + self.width or int.from_bytes(body[:8]) != delivery.fields["msg_id"]:
            return self.abort()
        del self.unanswered[sequence]
        if int.from_bytes(body[8:]) == 0:
            delivery.done()
        return self._pump()

    def write(self, data: bytes) -> None:
        """Bytes to the client; in pieces of five octets where the gateway trickles."""
        size = 5 if self._gateway.trickle else len(data)
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
