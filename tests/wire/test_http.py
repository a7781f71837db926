"""The HTTP client's three ends, against servers that misbehave on purpose."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from channels.gateways.http_server import HttpServer, cut_connection
from channels.http import Http, MaybeSent, NotSent

from .clock import TIMEOUT, hasten, leap, settle, standing_still

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: a\r\n\r\nok"


@asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that talks so; yields its address."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """A request with its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    return head + await reader.readexactly(length)


def answering(*answers: bytes, seen: list[bytes] | None = None) -> Talk:
    """Answers the n-th request of a connection with the n-th answer, then hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            request = await read_request(reader)
            if seen is not None:
                seen.append(request)
            writer.write(answer)
            await writer.drain()

    return talk


class Silence:
    """Reads a request and never answers. `begun`: it has read one."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        self.begun.set()
        await reader.read()


@asynccontextmanager
async def client(timeout: float = TIMEOUT, connections: int = 4) -> AsyncIterator[Http]:
    """A client that is closed afterwards."""
    http = Http(timeout, connections)
    try:
        yield http
    finally:
        await http.close()


async def test_a_request_arrives_and_its_answer_is_read() -> None:
    seen: list[bytes] = []
    async with client() as http, serving(answering(OK, seen=seen)) as url:
        response = await http.request("POST", f"{url}/a/b?c=d", headers={"X-Key": "k"}, body="税".encode())
    assert (response.status, response.body, response.headers["x-kind"]) == (200, b"ok", "a")
    host = url.removeprefix("http://")
    assert seen == [
        f"POST /a/b?c=d HTTP/1.1\r\nhost: {host}\r\nX-Key: k\r\ncontent-length: 3\r\n\r\n税".encode()
    ]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", b"old"),
    ],
)
async def test_every_framing_of_a_body_is_read(answer: bytes, body: bytes) -> None:
    async with client() as http, serving(answering(answer)) as url:
        assert (await http.request("GET", url)).body == body


async def test_connections_are_kept_and_given_up_before_the_server_does() -> None:
    opened = answered = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, answered
        opened += 1
        await answering(OK, OK, OK)(reader, writer)
        answered += 3
        writer.close()

    async with client() as http, serving(talk) as url:
        # A connection that is idle while the machine stands still would be given up as well.
        with standing_still():
            for _ in range(3):
                await http.request("GET", url)
            assert opened == 1
            while not answered:
                await settle()
            await settle()
            await http.request("GET", url)
            assert opened == 2
            await leap(2.9)
            await http.request("GET", url)
            assert opened == 2
            await leap(3.1)
            await http.request("GET", url)
    assert opened == 3


async def test_no_more_connections_than_allowed_and_everybody_gets_a_turn() -> None:
    open_now = most = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        try:
            while True:
                await read_request(reader)
                await asyncio.sleep(0.002)
                writer.write(OK)
        finally:
            open_now -= 1

    async with client(connections=3) as http, serving(talk) as url:
        responses = await asyncio.gather(*(http.request("GET", url) for _ in range(60)))
    assert [response.status for response in responses] == [200] * 60
    assert most == 3


async def test_whoever_gets_no_connection_has_sent_nothing() -> None:
    silence = Silence()
    async with client(connections=1) as http, serving(silence) as url:
        both = [asyncio.create_task(http.request("GET", url)) for _ in range(2)]
        asked = asyncio.create_task(asyncio.wait(both))
        await silence.begun.wait()
        done, _ = await hasten(asked, TIMEOUT)
    ends = [task.exception() for task in done]
    assert sorted(type(end).__name__ for end in ends) == ["MaybeSent", "NotSent"]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "ftp://localhost/", "http:///x", "nonsense"],
)
async def test_what_cannot_be_reached_was_not_sent(url: str) -> None:
    async with client() as http:
        with pytest.raises(NotSent):
            await http.request("POST", url, body=b"x")


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("/税", {}),
        ("/", {"X": "a\r\nY: b"}),
        ("/", {"X y": "a"}),
        ("/", {"X": "税"}),
    ],
)
async def test_nothing_can_be_smuggled_into_a_request(target: str, headers: dict[str, str]) -> None:
    seen: list[bytes] = []
    async with client() as http, serving(answering(OK, seen=seen)) as url:
        with pytest.raises(NotSent):
            await http.request("POST", f"{url}{target}", headers=headers)
    assert not seen


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads the request, then resets the connection."""
    await read_request(reader)
    writer.transport.abort()


@pytest.mark.parametrize(
    "talk",
    [
        hang_up,
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        answering(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
        answering(b""),
    ],
)
async def test_what_may_have_been_read_is_in_doubt(talk: Talk) -> None:
    async with client() as http, serving(talk) as url:
        with pytest.raises(MaybeSent):
            await http.request("POST", url, body=b"x")


async def test_what_is_not_answered_in_time_is_in_doubt() -> None:
    silence = Silence()
    async with client() as http, serving(silence) as url:
        asked = asyncio.create_task(http.request("POST", url, body=b"x"))
        await silence.begun.wait()
        with pytest.raises(MaybeSent, match="time-out"):
            await hasten(asked, TIMEOUT)


async def test_a_cancelled_request_stays_cancelled_and_its_connection_is_not_used_again() -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate", OK]
    read, cancelled = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        answer = answers.pop(0)
        read.set()
        await cancelled.wait()
        writer.write(answer)
        await writer.drain()

    async with client(connections=1) as http, serving(talk) as url:
        task = asyncio.create_task(http.request("GET", url))
        await read.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()
        assert (await http.request("GET", url)).body == b"ok"


async def test_closing_ends_what_is_under_way_in_doubt() -> None:
    silence = Silence()
    async with client() as http, serving(silence) as url:
        task = asyncio.create_task(http.request("GET", url))
        await silence.begun.wait()
        await http.close()
        with pytest.raises(MaybeSent, match="closed"):
            await task
        with pytest.raises(NotSent):
            await http.request("GET", url)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost that nobody vouches for, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, form, plain) + signed.public_bytes(pem))
    return path


async def test_a_server_that_cannot_prove_itself_gets_nothing(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    seen: list[bytes] = []
    async with serving(answering(OK, OK, seen=seen), tls) as url:
        async with client() as http:
            with pytest.raises(NotSent):
                await http.request("POST", url, body=b"secret")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with client() as http:
            assert (await http.request("POST", url, body=b"x")).status == 200
    assert len(seen) == 1


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application of the simulators' server: cuts the connection, or says what it got."""
    if scope["path"] == "/cut":
        await cut_connection(receive)
        return
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
    await send({"type": "http.response.body", "body": body})


async def talk_with_ourselves() -> None:
    """The client and the simulators' server, one request after the other and many at once."""
    server = HttpServer(echo)
    url = await server.start("127.0.0.1", 0)
    async with client() as http:
        big = b"x" * 3_000_000
        answer = await http.request("POST", f"{url}/%E7%A8%8E?a", body=big)
        assert (answer.body, answer.headers["x-path"]) == (big, "/%E7%A8%8E")
        bodies = [str(number).encode() for number in range(100)]
        answers = await asyncio.gather(*(http.request("POST", url, body=body) for body in bodies))
        assert [answer.body for answer in answers] == bodies
        with pytest.raises(MaybeSent):
            await http.request("POST", f"{url}/cut")
    await server.stop()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_both_loops_carry_it(run: Callable[[Any], None]) -> None:
    run(talk_with_ourselves())
