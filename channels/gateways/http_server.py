"""A lean HTTP/1.1 server (RFC 9112) for the simulators: an ASGI application on a loopback port, llhttp before
it, one write for each answer. A sink that is slower than what it measures would measure itself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import httptools
import orjson

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
Control = Callable[[str, str, dict[str, str], bytes], Any | None]
"""The control interface of a simulator (`Simulator.control`)."""

_IDLE_SECONDS = 5.0
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


async def cut_connection(receive: Any) -> None:
    """Reset the client's connection without an answer, from inside an application of `HttpServer`.

    The application returns right after it.
    """
    receive.__self__.transport.abort()
    await asyncio.sleep(0)


async def read_body(receive: Any) -> bytes:
    """The body of a request, inside an application of `HttpServer`: it comes whole."""
    body: bytes = (await receive())["body"]
    return body


async def answer(send: Any, status: int, content: bytes, kind: str = "application/json") -> None:
    """Answer with a document of a content type."""
    headers = [(b"content-type", kind.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def answer_json(send: Any, status: int, document: Any | None) -> None:
    """Answer with JSON; with an empty body for None."""
    content = b"" if document is None else orjson.dumps(document)
    await answer(send, status, content, "application/json; charset=utf-8")


async def serve_control(control: Control, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
    """Answer a request to the control interface; 404 where it knows no such thing."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    known = control(scope["method"], scope["path"], query, await read_body(receive))
    await answer_json(send, 200 if known is not None else 404, known)


class HttpServer:
    """An ASGI application on a loopback port inside the running event loop."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._server: asyncio.Server | None = None
        self._talks: set[_Talk] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> str:
        """Bind and serve; returns `http://host:port`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Talk(self._app, self._talks), host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        return f"http://{host}:{self.port}"

    async def stop(self) -> None:
        """Close the listener and every connection, whatever is under way on it."""
        if self._server is None:
            return
        self._server.close()
        tasks = [task for talk in list(self._talks) if (task := talk.end()) is not None]
        await asyncio.gather(*tasks, return_exceptions=True)


class _Exchange:
    """One request and its answer, as the application sees them."""

    def __init__(self, transport: asyncio.Transport, body: bytes, keep: bool) -> None:
        self.transport = transport
        self._body, self._keep = body, keep
        self._head = b""
        self._answer: list[bytes] = []
        self.is_answered = False

    async def receive(self) -> dict[str, Any]:
        """ASGI: the whole body at once."""
        body, self._body = self._body, b""
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """ASGI: the answer; it leaves when it is whole."""
        if message["type"] == "http.response.start":
            lines = [b"%s: %s\r\n" % (name, value) for name, value in message.get("headers", ())]
            status = message["status"]
            self._head = b"HTTP/1.1 %d %s\r\n" % (status, _REASONS.get(status, "").encode()) + b"".join(lines)
            return
        self._answer.append(message.get("body", b""))
        if not message.get("more_body"):
            self.answer(self._head, b"".join(self._answer))

    def answer(self, head: bytes, body: bytes) -> None:
        """Write head and body, with the length if the head does not tell it."""
        self.is_answered = True
        if b"content-length:" not in head.lower():
            head += b"content-length: %d\r\n" % len(body)
        if not self._keep:
            head += b"connection: close\r\n"
        if not self.transport.is_closing():
            self.transport.write(head + b"\r\n" + body)
            if not self._keep:
                self.transport.close()


class _Talk(asyncio.Protocol):
    """One connection: requests in, one after the other; llhttp calls the `on_` methods."""

    def __init__(self, app: App, talks: set["_Talk"]) -> None:
        self._app, self._talks = app, talks
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._queue: deque[tuple[dict[str, Any], bytes, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._active_at = 0.0

    def end(self) -> asyncio.Task[None] | None:
        """Cut it; the task under way, if any."""
        if self._transport is not None:
            self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: a client."""
        self._transport = cast(asyncio.Transport, transport)
        self._talks.add(self)
        self._watch()

    def _watch(self) -> None:
        # As servers do: a connection on which nothing happens is closed after five seconds.
        loop = asyncio.get_running_loop()
        if self._transport is None or self._transport.is_closing():
            return
        if self._task is None and self._active_at and loop.time() - self._active_at > _IDLE_SECONDS:
            self._transport.close()
        else:
            loop.call_later(_IDLE_SECONDS, self._watch)

    def data_received(self, data: bytes) -> None:
        """Asyncio: a piece of a request."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            assert self._transport is not None
            self._transport.write(
                b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the client has gone; what it asked for goes on."""
        self._talks.discard(self)

    def on_message_begin(self) -> None:
        """llhttp: a request."""
        self._url, self._headers, self._body = b"", [], []

    def on_url(self, url: bytes) -> None:
        """llhttp: a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp: a header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """llhttp: the body follows, which some clients send only when asked to."""
        if self._transport is not None and (b"expect", b"100-continue") in self._headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """llhttp: a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """llhttp: the request stands."""
        path, _, query = self._url.partition(b"?")
        scope = {
            "type": "http",
            "http_version": self._parser.get_http_version(),
            "method": self._parser.get_method().decode(),
            "scheme": "http",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "headers": self._headers,
            "client": ("127.0.0.1", 0),
        }
        self._queue.append((scope, b"".join(self._body), self._parser.should_keep_alive()))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        assert self._transport is not None
        try:
            while self._queue:
                scope, body, keep = self._queue.popleft()
                exchange = _Exchange(self._transport, body, keep)
                try:
                    await self._app(scope, exchange.receive, exchange.send)
                finally:
                    if not exchange.is_answered and not self._transport.is_closing():
                        exchange.answer(b"HTTP/1.1 500 Internal Server Error\r\n", b"")
        finally:
            self._active_at = asyncio.get_running_loop().time()
            self._task = None
