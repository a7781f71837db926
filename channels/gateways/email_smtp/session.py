"""One client on the simulated relay: commands in their order, content up to the final dot."""

import asyncio
import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from channels.gateways.email_smtp.reports import Envelope, decode_xtext
from channels.gateways.email_smtp.rules import Improper, Mail, read_mail, skim_mail

_MAX_COMMAND = 1000
_MAX_RECIPIENTS = 100
_PATH = r"<([^<>\s]{0,320})>"
_MAIL = re.compile(rf"MAIL FROM:{_PATH}((?: [!-~]+)*)", re.IGNORECASE)
_RCPT = re.compile(rf"RCPT TO:{_PATH}((?: [!-~]+)*)", re.IGNORECASE)
_MAILBOX = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9.-]{1,253}")
_END = b"\r\n.\r\n"


class Relay(Protocol):
    """What a session needs of its relay."""

    hello: list[str]
    size: int
    login: tuple[str, str] | None
    sessions: set["Session"]

    def greylisted(self, recipient: str) -> bool:
        """Whether this recipient must be tried again later."""

    def fate(self, address: str, *names: str) -> str:
        """Which fault strikes."""

    def slow_seconds(self) -> float:
        """How late a slow answer comes."""

    def accept(self, envelope: Envelope, mail: Mail) -> str:
        """Book a mail for one recipient; returns its queue id."""

    def early(self) -> bool:
        """Whether reports go out before the answer."""

    async def report_now(self) -> None:
        """Send what is to be reported before the answer."""


@dataclass(slots=True)
class _Transaction:
    sender: str
    parameters: dict[str, str]
    recipients: list[tuple[str, dict[str, str]]] = field(default_factory=list)


class Refusal(Exception):
    """A reply that ends a command without effect."""


class Session(asyncio.Protocol):
    """A connection to the relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._buffer = bytearray()
        self._replies: list[bytes] = []
        self._seen = 0
        self._in_data = False
        self._paused = False
        self._greeted = False
        self._asked_user: bytes | None = None
        self._log_in_step = ""
        self._trusted = relay.login is None
        self._transaction: _Transaction | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport calls it."""
        self._transport = cast(asyncio.Transport, transport)
        self._relay.sessions.add(self)
        self._reply("220 relay.example.net ESMTP")
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport calls it."""
        self._relay.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        """The transport calls it."""
        self._buffer += data
        self._work()

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _reply(self, line: str) -> None:
        self._replies.append(line.encode() + b"\r\n")

    def _flush(self) -> None:
        if self._replies and self._transport is not None:
            self._transport.write(b"".join(self._replies))
        self._replies.clear()

    def _close(self, line: str) -> None:
        self._reply(line)
        self._flush()
        self._paused = True
        if self._transport is not None:
            self._transport.close()

    def _work(self) -> None:
        while self._buffer and not self._paused:
            if not (self._read_content() if self._in_data else self._read_command()):
                break
        self._flush()

    def _read_command(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _MAX_COMMAND:
                self._close("500 5.5.2 line too long")
            return False
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n") or len(line) > _MAX_COMMAND:
            self._reply("500 5.5.2 command lines end with CRLF")
            return True
        try:
            self._obey(line[:-2].decode())
        except Refusal as refusal:
            self._reply(str(refusal))
        except UnicodeDecodeError:
            self._reply("500 5.5.2 not text")
        return True

    def _obey(self, line: str) -> None:
        if self._log_in_step:
            return self._log_in(line)
        verb = line[:4].upper()
        match verb:
            case "MAIL":
                return self._mail(line)
            case "RCPT":
                return self._rcpt(line)
            case "DATA":
                return self._data(line)
            case "EHLO":
                return self._ehlo(line)
            case "AUTH":
                return self._auth(line)
            case "RSET":
                self._transaction = None
                return self._reply("250 2.0.0 Ok")
            case "NOOP":
                return self._reply("250 2.0.0 Ok")
            case "QUIT":
                return self._close("221 2.0.0 Bye")
        raise Refusal("500 5.5.2 command not recognised")

    def _ehlo(self, line: str) -> None:
        if len(line) < 6 or self._buffer:
            raise Refusal("501 5.5.4 EHLO needs a name and ends its group")
        self._greeted, self._transaction = True, None
        lines = ["relay.example.net", *self._relay.hello]
        marks = ["-"] * (len(lines) - 1) + [" "]
        self._reply("\r\n".join(f"250{mark}{text}" for mark, text in zip(marks, lines, strict=True)))

    def _auth(self, line: str) -> None:
        _, method, *initial = line.split(" ")
        if self._relay.login is None or method.upper() not in ("PLAIN", "LOGIN"):
            raise Refusal("504 5.5.4 unknown mechanism")
        self._log_in_step = method.upper()
        if initial:
            return self._log_in(initial[0])
        return self._reply("334 " if method.upper() == "PLAIN" else "334 VXNlcm5hbWU6")

    def _log_in(self, line: str) -> None:
        try:
            given = base64.b64decode(line, validate=True)
        except binascii.Error as error:
            self._log_in_step = ""
            raise Refusal("501 5.5.2 not base64") from error
        if self._log_in_step == "LOGIN" and self._asked_user is None:
            self._asked_user = given
            return self._reply("334 UGFzc3dvcmQ6")
        pair = [self._asked_user, given] if self._asked_user is not None else given.split(b"\0")[1:]
        self._log_in_step, self._asked_user = "", None
        self._trusted = pair == [part.encode() for part in self._relay.login or ()]
        return self._reply("235 2.7.0 Authenticated" if self._trusted else "535 5.7.8 wrong credentials")

    def _mail(self, line: str) -> None:
        found = _MAIL.fullmatch(line)
        if not self._greeted or self._transaction is not None:
            raise Refusal("503 5.5.1 bad sequence of commands")
        if not self._trusted:
            raise Refusal("530 5.7.0 authentication required")
        if found is None or (found[1] and not _MAILBOX.fullmatch(found[1])):
            raise Refusal("501 5.1.7 malformed sender")
        parameters = _parameters(found[2], {"RET", "ENVID", "SIZE", "BODY", "SMTPUTF8"})
        if parameters.get("SIZE", "0").isdigit() and int(parameters.get("SIZE", "0")) > self._relay.size:
            raise Refusal("552 5.3.4 too big")
        self._transaction = _Transaction(found[1], parameters)
        self._reply("250 2.1.0 Ok")

    def _rcpt(self, line: str) -> None:
        found = _RCPT.fullmatch(line)
        if self._transaction is None:
            raise Refusal("503 5.5.1 MAIL first")
        if found is None or not _MAILBOX.fullmatch(found[1]):
            raise Refusal("501 5.1.3 malformed recipient")
        recipient, parameters = found[1], _parameters(found[2], {"NOTIFY", "ORCPT"})
        if not recipient.isascii() and "SMTPUTF8" not in self._transaction.parameters:
            raise Refusal("553 5.6.7 SMTPUTF8 required")
        if len(self._transaction.recipients) >= _MAX_RECIPIENTS:
            raise Refusal("452 4.5.3 too many recipients")
        self._suffer(recipient)
        self._transaction.recipients.append((recipient, parameters))
        self._reply("250 2.1.5 Ok")

    def _suffer(self, recipient: str) -> None:
        fate = self._relay.fate(lot(recipient), "reject", "throttle")
        if fate == "throttle":
            return self._close("421 4.7.0 too many messages, slow down")
        if fate:
            raise Refusal("550 5.1.1 no such user here")
        if self._relay.greylisted(recipient):
            raise Refusal("450 4.2.0 greylisted, try again later")
        return None

    def _data(self, line: str) -> None:
        if line.upper() != "DATA":
            raise Refusal("501 5.5.4 DATA takes no parameters")
        if self._transaction is None or not self._transaction.recipients:
            raise Refusal("503 5.5.1 no valid recipients")
        if self._buffer:
            return self._close("503 5.5.0 content before it was asked for")
        self._in_data, self._seen = True, 0
        return self._reply("354 End data with <CR><LF>.<CR><LF>")

    def _read_content(self) -> bool:
        if self._buffer.startswith(b".\r\n"):
            content, rest = b"", 3
        else:
            end = self._buffer.find(_END, max(0, self._seen - len(_END)))
            self._seen = len(self._buffer)
            if end < 0:
                if self._seen > 2 * self._relay.size:
                    self._close("552 5.3.4 too big")
                return False
            content, rest = bytes(self._buffer[: end + 2]), end + len(_END)
        del self._buffer[:rest]
        self._in_data = False
        transaction, self._transaction = cast(_Transaction, self._transaction), None
        self._finish(content, transaction)
        return True

    def _finish(self, content: bytes, transaction: _Transaction) -> None:
        names = [lot(recipient) for recipient, _ in transaction.recipients]
        try:
            unread = self._relay.fate(names[0], "unread")
            mail = skim_mail(content) if unread else self._check(content, transaction)
        except Improper as error:
            return self._reply(f"554 5.6.0 {error}")
        if any(self._relay.fate(name, "drop_before") for name in names):
            return self.abort()
        envelopes = [_envelope(transaction, *to, mail) for to in transaction.recipients]
        queued = [self._relay.accept(envelope, mail) for envelope in envelopes]
        reply = f"250 2.0.0 Ok: queued as {queued[0]}"
        fate = next((f for n in names if (f := self._relay.fate(n, "drop_after", "error_after", "slow"))), "")
        match fate:
            case "drop_after":
                return self.abort()
            case "error_after":
                reply = "\x15 garbled"
        return self._answer(reply, self._relay.slow_seconds() if fate == "slow" else 0.0)

    def _answer(self, reply: str, delay: float) -> None:
        if not delay and not self._relay.early():
            return self._reply(reply)
        self._paused = True
        self._later = asyncio.get_running_loop().create_task(self._answer_later(reply, delay))
        return None

    async def _answer_later(self, reply: str, delay: float) -> None:
        await self._relay.report_now()
        await asyncio.sleep(delay)
        self._reply(reply)
        self._paused = False
        self._work()

    def _check(self, content: bytes, transaction: _Transaction) -> Mail:
        if len(content) > self._relay.size:
            raise Improper("too big")
        if not content.isascii() and transaction.parameters.get("BODY") != "8BITMIME":
            raise Improper("8-bit content without BODY=8BITMIME")
        if content.startswith(b".") or b"\r\n." in content:
            lines = content.split(b"\r\n")
            if any(line.startswith(b".") and not line.startswith(b"..") for line in lines):
                raise Improper("line with a dot that is not doubled")
            content = b"\r\n".join(line.removeprefix(b".") for line in lines)
        return read_mail(content, utf8="SMTPUTF8" in transaction.parameters)


def lot(recipient: str) -> str:
    """The recipient with the local part last, where the magic digits stand."""
    local, _, domain = recipient.rpartition("@")
    return f"{domain}/{local}"


def _parameters(text: str, known: set[str]) -> dict[str, str]:
    pairs = dict(word.partition("=")[::2] for word in text.split())
    parameters: dict[str, Any] = {name.upper(): value for name, value in pairs.items()}
    if set(parameters) - known:
        raise Refusal("555 5.5.4 unknown parameter")
    return parameters


def _envelope(transaction: _Transaction, recipient: str, parameters: dict[str, str], mail: Mail) -> Envelope:
    return Envelope(
        transaction.sender,
        recipient,
        decode_xtext(transaction.parameters.get("ENVID", "")),
        decode_xtext(parameters.get("ORCPT", "")),
        frozenset(parameters.get("NOTIFY", "FAILURE").upper().split(",")),
        mail.head,
        mail.unsubscribe,
    )
