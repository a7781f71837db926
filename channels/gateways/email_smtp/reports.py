"""The mails that a relay sends back: delivery status (RFC 3464), complaint (RFC 5965), absence notice."""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

_HOST = "mx.example.net"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Under what a mail came: `sender` and `recipient` of the envelope, the DSN parameters, its header."""

    sender: str
    recipient: str
    envid: str
    orcpt: str
    notify: frozenset[str]
    head: bytes
    unsubscribe: str = ""


def write_status(envelope: Envelope, *, failed: bool) -> bytes:
    """A delivery status notification to the envelope's sender."""
    action, status = ("failed", "5.1.1") if failed else ("delivered", "2.0.0")
    diagnosis = "550 5.1.1 no such user here" if failed else "250 2.0.0 Ok"
    message = [f"Reporting-MTA: dns; {_HOST}", f"Arrival-Date: {_now()}"]
    if envelope.envid:
        message.insert(0, f"Original-Envelope-Id: {envelope.envid}")
    recipient = [f"Final-Recipient: rfc822; {envelope.recipient}", f"Action: {action}", f"Status: {status}"]
    if envelope.orcpt:
        recipient.insert(0, "Original-Recipient: " + envelope.orcpt.replace(";", "; ", 1))
    recipient += [f"Remote-MTA: dns; {_HOST}", f"Diagnostic-Code: smtp; {diagnosis}"]
    blocks = "\r\n".join([*message, "", *recipient, ""])
    subject = "Undelivered Mail Returned to Sender" if failed else "Successful Mail Delivery Report"
    returned = b"text/rfc822-headers", envelope.head
    return _report(envelope.sender, subject, "delivery-status", f"The mail was {action}.", blocks, returned)


def write_complaint(envelope: Envelope) -> bytes:
    """An abuse report about a mail."""
    fields = [
        "Feedback-Type: abuse",
        "User-Agent: SomeGenerator/1.0",
        "Version: 1",
        f"Original-Mail-From: <{envelope.sender}>",
        f"Original-Rcpt-To: <{envelope.recipient}>",
        "Source-IP: 192.0.2.1",
        "",
    ]
    returned = b"message/rfc822", envelope.head + b"\r\n\r\n"
    told = "This is an email abuse report."
    return _report("fbl@example.net", "complaint", "feedback-report", told, "\r\n".join(fields), returned)


def write_absence(envelope: Envelope) -> bytes:
    """What an absent recipient's server answers (RFC 3834): no report."""
    lines = [
        f"From: <{envelope.recipient}>",
        f"To: <{envelope.sender}>",
        f"Date: {_now()}",
        "Subject: =?utf-8?b?" + base64.b64encode("自动回复".encode()).decode() + "?=",
        "Auto-Submitted: auto-replied",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "I am away. 550 5.1.1 is only mentioned here.",
        "",
    ]
    return "\r\n".join(lines).encode()


def _report(to: str, subject: str, kind: str, told: str, fields: str, returned: tuple[bytes, bytes]) -> bytes:
    edge = f"{kind}/{len(fields)}.{_HOST}"
    head = [
        f"From: MAILER-DAEMON@{_HOST} (Mail Delivery System)",
        f"To: {to}",
        f"Subject: {subject}",
        f"Date: {_now()}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={kind}; boundary="{edge}"',
        "",
        f"--{edge}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        told,
        "",
        f"--{edge}",
        f"Content-Type: message/{kind}",
        "",
        fields,
    ]
    parts = ["\r\n".join(head).encode(), f"--{edge}\r\nContent-Type: ".encode() + returned[0] + b"\r\n\r\n"]
    return b"\r\n".join([parts[0], parts[1] + returned[1], f"--{edge}--\r\n".encode()])


def _now() -> str:
    return format_datetime(datetime.now(UTC))


def decode_xtext(text: str) -> str:
    """RFC 3461 section 4: `+HH` back to characters."""
    return re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)
