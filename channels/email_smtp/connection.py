"""One SMTP connection: greeting, EHLO, TLS, log-in, and replies in the order of the commands."""

import asyncio
import base64
import math
import ssl
import time
from collections import deque
from dataclasses import dataclass, field
from typing import cast

from channels.email_smtp.replies import Reply
from channels.errors import Fault, GatewayError

_MAX_LINE = 8192
_MAX_LINES = 128


class Lost(Exception):
    """The connection is gone, silent for too long, or speaks something else."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect and as whom. `tls` is `none`, `starttls` or `implicit`, `timeout` in seconds;
    `pipelining`: use it if the server offers it."""

    host: str
    port: int
    tls: str
    hello: str
    timeout: float
    pipelining: bool = True
    username: str = ""
    password: str = field(default="", repr=False)
    context: ssl.SSLContext | None = None


class Connection(asyncio.Protocol):
    """Writes commands and hands out replies. `features` are the EHLO keywords with their parameters;
    `carried` counts the mails that went over it. No reply is awaited beyond `ends_at`, in the event loop's
    time."""

    def __init__(self, timeout: float) -> None:
        self.features: dict[str, str] = {}
        self.carried = 0
        self.ends_at = math.inf
        self._idle_since = 0.0
        self._timeout = timeout
        self._transport: asyncio.Transport | None = None
        self._replies: deque[Reply] = deque()
        self._lines: list[str] = []
        self._rest = b""
        self._lost = ""
        self._waiter: asyncio.Future[None] | None = None
        self._until = math.inf
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport calls it."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport calls it."""
        if self._clock is not None:
            self._clock.cancel()
        self._lose("connection closed")

    def data_received(self, data: bytes) -> None:
        """The transport calls it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._read_line(line)
        if len(self._rest) > _MAX_LINE or len(self._lines) > _MAX_LINES:
            self._lose("reply without end")
        if self._replies or self._lost:
            self._wake()

    def _read_line(self, line: bytes) -> None:
        text = line[4:].rstrip(b"\r").decode("utf-8", "replace")
        if not line[:3].isdigit() or line[3:4] not in (b" ", b"-", b"\r", b"") or line[:1] not in b"2345":
            return self._lose("not an SMTP reply")
        self._lines.append(text)
        if line[3:4] != b"-":
            self._replies.append(Reply(int(line[:3]), "\n".join(self._lines)))
            self._lines = []
        return None

    def _lose(self, reason: str) -> None:
        self._lost = self._lost or reason
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def write(self, data: bytes) -> None:
        """Send commands or content."""
        if self._transport is not None and not self._lost:
            self._transport.write(data)

    async def reply(self) -> Reply:
        """The next reply. Raises Lost."""
        loop = asyncio.get_running_loop()
        while not self._replies:
            if self._lost:
                raise Lost(self._lost)
            self._waiter = loop.create_future()
            self._until = min(loop.time() + self._timeout, self.ends_at)
            if self._clock is None or self._clock.when() > self._until:
                self._wind(loop)
            await self._waiter
        return self._replies.popleft()

    def _wind(self, loop: asyncio.AbstractEventLoop) -> None:
        # One timer for many replies: a new one for each would cost more than reading it.
        if self._clock is not None:
            self._clock.cancel()
        self._clock = loop.call_at(self._until, self._strike, loop)

    def _strike(self, loop: asyncio.AbstractEventLoop) -> None:
        self._clock = None
        if self._waiter is None or self._waiter.done():
            return
        if loop.time() >= self._until:
            self._lose("time-out")
        else:
            self._wind(loop)

    async def ask(self, command: bytes) -> Reply:
        """Send one command line and wait for its reply. Raises Lost."""
        self.write(command + b"\r\n")
        return await self.reply()

    def is_usable(self, idle: float) -> bool:
        """Whether it is open, has said nothing unasked, and was used within `idle` seconds."""
        quiet = not self._lost and not self._replies and not self._rest
        return quiet and time.monotonic() - self._idle_since <= idle

    def rest(self) -> None:
        """Note that it is idle from now on."""
        self._idle_since = time.monotonic()

    def abort(self) -> None:
        """Drop it at once."""
        self._lose("dropped")

    def quit(self) -> None:
        """Take leave and close."""
        self.write(b"QUIT\r\n")
        if self._transport is not None:
            self._transport.close()
        self._lost = self._lost or "closed"

    async def start_tls(self, server: Server) -> None:
        """Turn TLS on after the server has agreed. Raises OSError, Lost."""
        if self._rest or self._replies:
            # Whatever arrives before the handshake was slipped in by somebody on the way.
            raise Lost("data before the TLS handshake")
        assert self._transport is not None and server.context is not None
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(
            self._transport, self, server.context, server_hostname=server.host
        )
        if self._transport is None:
            raise Lost("closed during the TLS handshake")


async def connect(server: Server) -> Connection:
    """Open a connection up to the point where mails can be sent, within the server's time-out as a whole.
    Raises GatewayError."""
    connection = Connection(server.timeout)
    connection.ends_at = asyncio.get_running_loop().time() + server.timeout
    try:
        async with asyncio.timeout_at(connection.ends_at):
            await _open(connection, server)
            await _greet(connection, server)
    except TimeoutError as error:
        connection.abort()
        raise _unreachable(server) from error
    except BaseException:
        connection.abort()
        raise
    return connection


async def _open(connection: Connection, server: Server) -> None:
    context = server.context if server.tls == "implicit" else None
    loop = asyncio.get_running_loop()
    try:
        await loop.create_connection(lambda: connection, server.host, server.port, ssl=context)
    except ssl.SSLError as error:
        raise _no_tls(error) from error
    except (OSError, UnicodeError) as error:
        raise _unreachable(server) from error


def _unreachable(server: Server) -> GatewayError:
    return GatewayError(Fault.UNREACHABLE, f"无法连接邮件服务器 {server.host}:{server.port}")


async def _greet(connection: Connection, server: Server) -> None:
    try:
        _expect(await connection.reply(), "邮件服务器拒绝连接")
        await _hello(connection, server)
        if server.tls == "starttls":
            await _secure(connection, server)
        if server.username:
            await _log_in(connection, server)
    except Lost as error:
        raise GatewayError(Fault.UNREACHABLE, f"邮件服务器中断了连接（{error}）") from error


async def _hello(connection: Connection, server: Server) -> None:
    reply = await connection.ask(b"EHLO " + server.hello.encode())
    if reply.code in (500, 502):
        reply = await connection.ask(b"HELO " + server.hello.encode())
    _expect(reply, "邮件服务器不接受 EHLO")
    connection.features = _read_features(reply)
    if not server.pipelining:
        connection.features.pop("PIPELINING", None)


def _read_features(reply: Reply) -> dict[str, str]:
    pairs = (line.upper().partition(" ") for line in reply.text.split("\n")[1:])
    return {name: parameters for name, _, parameters in pairs}


async def _secure(connection: Connection, server: Server) -> None:
    if "STARTTLS" not in connection.features:
        raise GatewayError(Fault.MISCONFIGURED, "邮件服务器不支持 STARTTLS，请检查端口或加密方式")
    _expect(await connection.ask(b"STARTTLS"), "邮件服务器拒绝 STARTTLS")
    try:
        await connection.start_tls(server)
    except OSError as error:
        raise _no_tls(error) from error
    await _hello(connection, server)


def _no_tls(error: Exception) -> GatewayError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return GatewayError(Fault.MISCONFIGURED, f"邮件服务器的证书不可信：{error.verify_message}")
    return GatewayError(Fault.MISCONFIGURED, "与邮件服务器的加密握手失败，请检查端口或加密方式")


async def _log_in(connection: Connection, server: Server) -> None:
    methods = connection.features.get("AUTH", "").split()
    user, password = server.username.encode(), server.password.encode()
    if "PLAIN" in methods:
        secret = base64.b64encode(b"\0" + user + b"\0" + password)
        reply = await connection.ask(b"AUTH PLAIN " + secret)
    elif "LOGIN" in methods:
        reply = await connection.ask(b"AUTH LOGIN")
        for part in (user, password):
            if reply.code == 334:
                reply = await connection.ask(base64.b64encode(part))
    else:
        raise GatewayError(Fault.MISCONFIGURED, "邮件服务器不提供 PLAIN 或 LOGIN 登录")
    _expect(reply, "邮件服务器拒绝登录，请检查用户名和密码", Fault.UNAUTHORIZED)


def _expect(reply: Reply, message: str, fault: Fault = Fault.MISCONFIGURED) -> None:
    if 200 <= reply.code < 300:
        return
    if reply.code == 421:
        fault = Fault.THROTTLED
    elif reply.code < 500:
        fault = Fault.UNREACHABLE
    elif reply.code in (530, 535):
        fault = Fault.UNAUTHORIZED
    raise GatewayError(fault, f"{message}（{reply.name}）", reply.name)
