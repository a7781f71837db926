"""Readers of pages over HTTP/1.1 with connections kept open: as many as can be had, or so many a second.

At an offered rate the time of a page runs from the moment at which it was due, whether or not a connection or
the reader was free then: a server that falls behind cannot make its readers ask less.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HOST = "127.0.0.1"
_MOST_IDLE = 64


@dataclass(frozen=True, slots=True)
class Ask:
    """One page of one visitor; `cookie` as in the header, empty without."""

    path: str
    cookie: str = ""

    def text(self) -> bytes:
        """The request."""
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        return f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n".encode()


@dataclass(slots=True)
class _Lines:
    """Connections to one server that nobody uses at the moment."""

    port: int
    idle: deque[Stream] = field(default_factory=deque)

    async def read(self, ask: Ask) -> bytes:
        # The one that has been idle longest, and not too many of them: the server hangs up on the forgotten.
        stream = self.idle.popleft() if self.idle else await asyncio.open_connection(HOST, self.port)
        body = await _read(stream, ask)
        if len(self.idle) < _MOST_IDLE:
            self.idle.append(stream)
        else:
            stream[1].close()
        return body

    def close(self) -> None:
        for _, writer in self.idle:
            writer.close()


async def read_page(port: int, ask: Ask) -> bytes:
    """The body of one page, which must be there (200)."""
    lines = _Lines(port)
    body = await lines.read(ask)
    lines.close()
    return body


async def read_all(port: int, asks: Sequence[Ask], count: int, readers: int) -> float:
    """So many pages by readers who ask again as soon as they are answered; the seconds that it took."""
    turns = cycle(asks)

    async def one() -> None:
        stream = await asyncio.open_connection(HOST, port)
        for _ in range(count // readers):
            await _read(stream, next(turns))
        stream[1].close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(readers)))
    return time.perf_counter() - began


async def read_at(port: int, asks: Sequence[Ask], rate: float, seconds: float) -> list[float]:
    """Milliseconds of every page at an offered rate (pages/s), in order."""
    lines, turns, taken = _Lines(port), cycle(asks), [0.0] * int(rate * seconds)
    began = time.perf_counter() + 0.1

    async def one(number: int) -> None:
        due = began + number / rate
        await asyncio.sleep(due - time.perf_counter())
        await lines.read(next(turns))
        taken[number] = (time.perf_counter() - due) * 1000

    await asyncio.gather(*(one(number) for number in range(len(taken))))
    lines.close()
    return taken


async def _read(stream: Stream, ask: Ask) -> bytes:
    reader, writer = stream
    writer.write(ask.text())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head[:40]
    return await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
