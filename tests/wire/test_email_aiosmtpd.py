"""E-mail against aiosmtpd, a server by other people: what it received is parsed back and compared."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.base import Outbound, Outcome
from channels.email_smtp import EmailSmtp
from channels.errors import Fault, GatewayError

from .conformance import TEXTS, message_key
from .email_smtp import make_config, make_message

HOST = "127.0.0.1"


@dataclass
class Mailbox:
    """aiosmtpd's handler: keeps what comes in, refuses recipients that are called nobody."""

    pipelining: bool = False
    envelopes: list[Envelope] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]] if self.pipelining else responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        self.secured.append(session.ssl is not None)
        return f"250 2.0.0 queued as Q{len(self.envelopes)}"

    def mails(self) -> dict[str, EmailMessage]:
        """What came in, parsed, by recipient."""
        parsed = {}
        for envelope in self.envelopes:
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content, policy=policy.SMTP)
            assert isinstance(mail, EmailMessage)
            assert not mail.defects
            parsed[envelope.rcpt_tos[0]] = mail
        return parsed


@asynccontextmanager
async def serving(
    handler: Mailbox, context: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="peer.example", enable_SMTPUTF8=True, **options), HOST, 0, ssl=context
    )
    yield f"{HOST}:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a key and a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test relay")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def authenticator() -> Any:
    def judge(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data == LoginPassword(b"sender", "密码".encode()), handled=False)

    return judge


def texts(mail: EmailMessage) -> dict[str, str]:
    parts = (part for part in mail.walk() if not part.is_multipart())
    return {part.get_content_type(): part.get_content().replace("\r\n", "\n").rstrip("\n") for part in parts}


@pytest.mark.parametrize("pipelining", [True, False])
async def test_mails_arrive_as_they_were_meant(pipelining: bool) -> None:
    handler = Mailbox(pipelining)
    async with serving(handler) as where:
        adapter = EmailSmtp(make_config(where))
        batch = [
            Outbound(
                message_key(n),
                f"taxpayer{n}@example.com",
                f"{text}\n.\n..两点\n" * 3,
                subject=text * 4,
                html=f"<p>{text}</p>\r\n.\r\n",
                unsubscribe_url=f"https://tax.example.cn/u/{n}",
            )
            for n, text in enumerate(TEXTS.values())
        ]
        results = await adapter.send(batch)
        await adapter.close()
    assert [r.outcome for r in results] == [Outcome.ACCEPTED] * len(batch)
    assert all(r.ref.startswith("Q") for r in results)
    mails = handler.mails()
    for message in batch:
        mail = mails[message.address]
        assert mail["Subject"] == message.subject
        assert mail["Message-ID"] == f"<{message.key}@tax.example.cn>"
        assert mail["From"].addresses[0].display_name == "示例市税务局"
        assert mail["To"].addresses[0].addr_spec == message.address
        assert mail["List-Unsubscribe"] == f"<{message.unsubscribe_url}>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert abs(mail["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)
        assert texts(mail)["text/plain"] == message.text.rstrip("\n")
        assert texts(mail)["text/html"] == message.html.replace("\r\n", "\n").rstrip("\n")
    assert all(e.mail_from.startswith("bounce+") for e in handler.envelopes if e.mail_from)


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_refused_recipient_spoils_nothing(pipelining: bool) -> None:
    handler = Mailbox(pipelining)
    async with serving(handler) as where:
        adapter = EmailSmtp(make_config(where, connections=1))
        addresses = ["a@example.com", "nobody@example.com", "nobody@example.com", "b@example.com"]
        batch = [make_message(message_key(n), address, "正文") for n, address in enumerate(addresses)]
        results = await adapter.send(batch)
        await adapter.close()
    assert [(r.fault, r.code) for r in results] == [
        (None, ""),
        (Fault.INVALID_ADDRESS, "550 5.1.1"),
        (Fault.INVALID_ADDRESS, "550 5.1.1"),
        (None, ""),
    ]
    assert set(handler.mails()) == {"a@example.com", "b@example.com"}


async def test_international_local_part() -> None:
    handler = Mailbox()
    async with serving(handler) as where:
        adapter = EmailSmtp(make_config(where))
        [result] = await adapter.send([make_message(message_key(0), "张三@example.com", "正文")])
        await adapter.close()
    assert result.outcome is Outcome.ACCEPTED
    assert handler.envelopes[0].rcpt_tos == ["张三@example.com"]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("mode", ["starttls", "implicit"])
async def test_encrypted_and_logged_in(
    mode: str, certificate: Path, server_context: ssl.SSLContext, authenticator: Any
) -> None:
    handler = Mailbox(pipelining=True)
    options: dict[str, Any] = {"authenticator": authenticator, "auth_required": True}
    options |= {"tls_context": server_context} if mode == "starttls" else {"auth_require_tls": False}
    async with serving(handler, server_context if mode == "implicit" else None, **options) as where:
        account = {"tls": mode, "ca_file": str(certificate), "username": "sender"}
        adapter = EmailSmtp(make_config(where, password="密码", **account))
        await adapter.check()
        batch = [make_message(message_key(n), f"a{n}@example.com", "正文") for n in range(30)]
        results = await adapter.send(batch)
        await adapter.close()
        stranger = EmailSmtp(make_config(where, password="wrong", **account))
        with pytest.raises(GatewayError, match="用户名和密码") as caught:
            await stranger.check()
        assert caught.value.fault is Fault.UNAUTHORIZED
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    assert len(handler.envelopes) == 30
    assert handler.secured == [mode == "starttls"] * 30


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
async def test_a_certificate_that_nobody_vouches_for(mode: str, server_context: ssl.SSLContext) -> None:
    options = {"tls_context": server_context} if mode == "starttls" else {}
    handler = Mailbox()
    async with serving(handler, server_context if mode == "implicit" else None, **options) as where:
        adapter = EmailSmtp(make_config(where, tls=mode))
        with pytest.raises(GatewayError, match="证书不可信") as caught:
            await adapter.check()
        assert caught.value.fault is Fault.MISCONFIGURED
        results = await adapter.send([make_message(message_key(0), "a@example.com", "正文")])
        assert (results[0].outcome, results[0].fault) == (Outcome.REFUSED, Fault.MISCONFIGURED)
    assert not handler.envelopes


async def test_its_size_limit_is_kept() -> None:
    handler = Mailbox()
    async with serving(handler, data_size_limit=4000) as where:
        adapter = EmailSmtp(make_config(where))
        big = make_message(message_key(0), "a@example.com", "长" * 3000)
        small = make_message(message_key(1), "b@example.com", "短")
        results = await adapter.send([big, small])
        await adapter.close()
    assert [(r.fault, r.code) for r in results] == [(Fault.REJECTED, "size"), (None, "")]
