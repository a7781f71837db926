"""The HTTP client of the hot send path. It tells three ends apart: a response, `NotSent` (certainly nothing
accepted) and `MaybeSent` (bytes may have reached the gateway).

HTTP/1.1 (RFC 9112) over kept connections; llhttp reads the answers. Why our own: docs/decisions, 6.
"""

import asyncio
import re
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

_IDLE_SECONDS = 3.0
# Servers close idle connections after 5 seconds and more. A request that meets the closing is lost in doubt,
# so a connection is dropped here before the server can.
_CONNECT_SECONDS = 5.0
_LONGEST_BODY = 32 << 20
_TARGET = re.compile(r"[!-~]+")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t -~]*")
_PORTS = {"http": 80, "https": 443}


class NotSent(Exception):
    """The request did not leave: refused connection, no route, no connection free, unusable URL."""


class MaybeSent(Exception):
    """The request may have been read: time-out, reset after bytes, unreadable answer."""


@dataclass(frozen=True, slots=True)
class Response:
    """Status, lower-case headers and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Connections to gateways, at most `connections` to each. `timeout` (seconds) is for the wait for a free
    one, and again for the exchange itself."""

    def __init__(self, timeout: float = 10.0, connections: int = 64) -> None:
        self._timeout, self._connections = timeout, connections
        self._pools: dict[str, _Pool] = {}

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Send one request. Raises NotSent or MaybeSent."""
        try:
            pool, target = self._place(url)
            head = _head(method, target, pool.host, headers or {}, len(body))
        except ValueError as error:
            raise NotSent(str(error)) from error
        link = await pool.take()
        try:
            return await link.exchange(head + body, pool.deadline())
        finally:
            pool.give_back(link)

    def _place(self, url: str) -> tuple["_Pool", str]:
        scheme, mark, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        origin = f"{scheme}{mark}{authority}"
        if origin not in self._pools:
            self._pools[origin] = _Pool(origin, self._timeout, self._connections)
        return self._pools[origin], slash + path or "/"

    async def close(self) -> None:
        """Drop the connections; exchanges under way end in doubt."""
        for pool in self._pools.values():
            pool.close()


def _head(method: str, target: str, host: str, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    given = {name.lower() for name in headers}
    if "host" not in given:
        lines.insert(0, f"host: {host}")
    if length or method != "GET":
        lines.append(f"content-length: {length}")
    # A line break inside a header or a target would be a request of somebody else's making.
    if not _TARGET.fullmatch(target) or not all(map(_HEADER.fullmatch, lines)) or not method.isalpha():
        raise ValueError("the target or a header holds what cannot stand there")
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode("ascii")


class _Pool:
    """The connections to one origin. Whoever finds none free waits in line."""

    def __init__(self, origin: str, timeout: float, limit: int) -> None:
        parts = urlsplit(origin)
        if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
            raise ValueError("not the address of an HTTP server")
        self.host = parts.netloc
        self._address = parts.hostname, parts.port or _PORTS[parts.scheme]
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._timeout, self._limit = timeout, limit
        self._links: set[_Link] = set()
        self._idle: list[_Link] = []
        self._line: deque[asyncio.Future[_Link | None]] = deque()
        self._count = 0
        self._closed = False

    def deadline(self) -> float:
        """When an exchange that begins now must have ended, in the loop's time."""
        return asyncio.get_running_loop().time() + self._timeout

    async def take(self) -> "_Link":
        """A connection for one exchange. Raises NotSent."""
        while True:
            if self._closed:
                raise NotSent("closed")
            while self._idle:
                link = self._idle.pop()
                if link.is_fresh():
                    return link
                self._drop(link)
            if self._count < self._limit:
                return await self._connect()
            found = await self._wait()
            if found is not None:
                return found

    def give_back(self, link: "_Link") -> None:
        """Keep the connection for the next in line, unless it has ended or must."""
        if self._closed or not link.is_reusable():
            self._drop(link)
            self._call_next(None)
        elif not self._call_next(link):
            self._idle.append(link)

    def close(self) -> None:
        """End everything; those in line are told that nothing was sent."""
        self._closed = True
        for link in list(self._links):
            link.abort()
        self._idle.clear()
        while self._call_next(None):
            continue

    async def _connect(self) -> "_Link":
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._count += 1
        try:
            async with asyncio.timeout(min(self._timeout, _CONNECT_SECONDS)):
                transport, link = await loop.create_connection(_Link, host, port, ssl=self._tls)
                _forget_after(transport, self._timeout)
        except BaseException as error:
            self._count -= 1
            self._call_next(None)
            # A host name that cannot be written down is a ValueError.
            if isinstance(error, OSError | TimeoutError | ValueError):
                raise NotSent(type(error).__name__) from error
            raise
        self._links.add(link)
        return link

    async def _wait(self) -> "_Link | None":
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[_Link | None] = loop.create_future()
        self._line.append(turn)
        timer = loop.call_later(self._timeout, _expire, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # Handed over in the moment in which nobody wanted it any more.
                link = turn.result()
                self.give_back(link) if link is not None else self._call_next(None)
            raise
        finally:
            timer.cancel()

    def _call_next(self, link: "_Link | None") -> bool:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(link)
                return True
        return False

    def _drop(self, link: "_Link") -> None:
        link.abort()
        self._links.discard(link)
        self._count -= 1


def _forget_after(transport: asyncio.BaseTransport, seconds: float) -> None:
    # What a cut line has not let through, the kernel would go on sending for minutes after we have given up:
    # the gateway would accept it when it has long been asked for, not been found, and been sent again. This
    # ends it within a second or two, also for a process that has died (Linux, tcp(7)).
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))


def _expire(turn: "asyncio.Future[_Link | None]") -> None:
    if not turn.done():
        turn.set_exception(NotSent("no connection became free"))


class _Link(asyncio.Protocol):
    """One connection, with at most one exchange under way; llhttp calls the `on_` methods."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._length = 0
        self._idle_since = 0.0
        self._ended = False
        self._until_end = False

    async def exchange(self, request: bytes, deadline: float) -> Response:
        """Send a request and wait for its answer. Raises NotSent, MaybeSent."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise NotSent("the connection had ended")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Response] = loop.create_future()
        self._answer = answer
        self._headers, self._body, self._length, self._until_end = {}, [], 0, False
        timer = loop.call_at(deadline, self._fail, "time-out")
        transport.write(request)
        try:
            return await answer
        finally:
            timer.cancel()
            if not answer.done() or answer.cancelled() or answer.exception() is not None:
                self.abort()
            self._answer = None
            self._idle_since = loop.time()

    def is_reusable(self) -> bool:
        """Whether another exchange may follow."""
        return not self._ended and self._transport is not None and not self._transport.is_closing()

    def is_fresh(self) -> bool:
        """Whether the server will certainly not have given it up by now."""
        idle = asyncio.get_running_loop().time() - self._idle_since
        return self.is_reusable() and idle < _IDLE_SECONDS

    def abort(self) -> None:
        """End it at once."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()
        self._fail("closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: it stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._idle_since = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        """Asyncio: a piece of the answer, or what nobody has asked for."""
        if self._answer is None or self._answer.done():
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("unreadable answer")
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: it ended, which completes an answer of no stated length."""
        self._ended = True
        if exc is None and self._until_end:
            self._complete()
        self._fail("the connection was lost")

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp: a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """llhttp: the body follows, if there is one."""
        status = self._parser.get_status_code()
        has_length = "content-length" in self._headers or "transfer-encoding" in self._headers
        self._until_end = not has_length and status >= 200 and status not in (204, 304)

    def on_body(self, body: bytes) -> None:
        """llhttp: a piece of the body."""
        self._body.append(body)
        self._length += len(body)
        if self._length > _LONGEST_BODY:
            self._fail("the answer is too long")
            self.abort()

    def on_message_complete(self) -> None:
        """llhttp: the answer stands; an interim one (1xx) does not count."""
        if self._parser.get_status_code() < 200:
            self._headers = {}
            return
        self._ended = self._ended or not self._parser.should_keep_alive()
        self._complete()

    def _complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            status = self._parser.get_status_code()
            self._answer.set_result(Response(status, self._headers, b"".join(self._body)))

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(MaybeSent(why))
