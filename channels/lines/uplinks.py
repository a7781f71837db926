"""From the connections to whoever listens: nothing is acknowledged before it is durable.

Without a listener, or when it cannot keep a push, the push is not acknowledged, and the gateway sends it
again. The parts of a long uplink wait for each other, on whichever connection they come, but not for longer
than the gateway waits for its answer.
"""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from channels.base import Push, WebhookReply, WebhookRequest
from channels.errors import WebhookRejected
from channels.lines.line import BadMessage, Frame, Line

METHOD = "CONNECTION"
"""How a push over a connection differs from one over HTTP, which knows no such method."""

_AT_ONCE = 200
_MOST_WAITING = 4096

Item = tuple[Line, Frame]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a long uplink: `talk` is what all its parts have in common."""

    talk: Hashable
    number: int
    total: int


class Pushes(Protocol):
    """The bytes of what comes down."""

    def write_push(self, frame: Frame) -> bytes:
        """The whole message, as it came."""

    def piece_of(self, frame: Frame) -> Piece | None:
        """Which part of a long uplink it is; None for what stands alone. Raises BadMessage."""

    def refuse(self, frame: Frame) -> bytes:
        """The answer to what cannot be read: it would be no better the next time."""

    def defer(self, frame: Frame) -> bytes:
        """The answer that makes the gateway send it again; nothing where silence does."""


class Uplinks:
    """Takes the pushes of all connections of an account and hands them on in groups. `part_seconds`: how long
    the parts of a long uplink wait for each other."""

    def __init__(self, pushes: Pushes, part_seconds: float) -> None:
        self._pushes, self._part_seconds = pushes, part_seconds
        self._push: Push | None = None
        self._queue: list[Item] = []
        self._waiting: dict[Hashable, dict[int, Item]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def listen(self, push: Push) -> None:
        """Hand on from now on."""
        self._push = push
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def take(self, line: Line, frame: Frame) -> None:
        """A push has come in. Those that come before anybody listens wait, as many as windows may hold."""
        if len(self._queue) >= _MOST_WAITING:
            return
        try:
            piece = self._pushes.piece_of(frame)
        except BadMessage:
            line.write(self._pushes.refuse(frame))
            return
        if piece is None:
            self._add([(line, frame)])
        else:
            self._join(piece, (line, frame))

    def _join(self, piece: Piece, item: Item) -> None:
        if piece.talk not in self._waiting:
            self._waiting[piece.talk] = {}
            asyncio.get_running_loop().call_later(self._part_seconds, self._release, piece.talk)
        parts = self._waiting[piece.talk]
        parts[piece.number] = item
        if len(parts) == piece.total:
            self._release(piece.talk)

    def _release(self, talk: Hashable) -> None:
        parts = self._waiting.pop(talk, {})
        self._add([parts[number] for number in sorted(parts)])

    def _add(self, items: Sequence[Item]) -> None:
        self._queue += items
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                group, self._queue = self._queue[:_AT_ONCE], self._queue[_AT_ONCE:]
                await self._hand_on(group)

    async def _hand_on(self, group: Sequence[Item]) -> None:
        reply = await self._ask(group)
        if reply is None and len(group) > 1:
            for item in group:
                await self._hand_on([item])
        elif reply is None:
            line, frame = group[0]
            line.write(self._pushes.refuse(frame))
        elif reply.status == 200:
            _answer(group, reply.body)
        else:
            for line, frame in group:
                line.write(self._pushes.defer(frame))

    async def _ask(self, group: Sequence[Item]) -> WebhookReply | None:
        """The reply, or None if one of the group cannot be read."""
        assert self._push is not None
        body = b"".join(self._pushes.write_push(frame) for _, frame in group)
        try:
            return await self._push(WebhookRequest(METHOD, "", {}, {}, body))
        except WebhookRejected:
            return None
        except Exception:
            # Whatever kept it from being durable: the gateway has it still and sends it again.
            return WebhookReply(503)

    def close(self) -> None:
        """Hand on nothing more; the gateway keeps what was not answered."""
        self._push = None
        if self._task is not None:
            self._task.cancel()


def _answer(group: Sequence[Item], body: bytes) -> None:
    # The answers of a protocol to one kind of push are all of one length.
    size = len(body) // len(group)
    for place, (line, _) in enumerate(group):
        line.write(body[place * size : (place + 1) * size])
