"""Bounces (RFC 3464), complaints (RFC 5965) and bounces in free words, as the mail server hands them over.

Only what carries a token of ours is believed: the return path that the bounce was sent to, the envelope id,
the original sender of a complaint, or our own header in the returned mail. Everything else is acknowledged
and dropped: a return path receives much that is no report (answers, holiday notices, spam).
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, message_from_string
from email.errors import MessageError
from email.message import Message
from email.utils import parsedate_to_datetime

from channels.base import DeliveryState, Inbound, InboundKind, Parsed, Receipt
from channels.email_smtp.addresses import ReturnPath
from channels.errors import WebhookRejected

MAX_MAIL = 256 * 1024
"""A report says what matters in its first parts; the returned mail behind it is not read to its end."""

_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_BARE = re.compile(r"\b([45]\d\d)[ -](?:#?([45]\.\d{1,3}\.\d{1,3}))?")
_FAILS = re.compile(
    r"delivery (?:has |to .{1,80} )?failed|undeliver|could not be delivered|user not found|no such user"
    r"|mailbox unavailable|退信|无法投递|不存在|投递失败",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"mailer-daemon|postmaster|mail delivery|退信", re.IGNORECASE)
_TOKEN_HEADER = "X-Message-Token"
_ACTIONS = {
    "failed": DeliveryState.FAILED,
    "delayed": DeliveryState.ACCEPTED,
    "relayed": DeliveryState.ACCEPTED,
    "expanded": DeliveryState.ACCEPTED,
    "delivered": DeliveryState.DELIVERED,
}
_COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other"})
_HEAD_LINES = 200
_MAX_EDGES = 300


def read_report(body: bytes, return_path: ReturnPath) -> Parsed:
    """What a handed-over mail reports. Raises WebhookRejected if it is no mail at all."""
    try:
        mail = message_from_bytes(_front(body))
        if not mail.keys():
            raise WebhookRejected("not a mail")
        return _read(mail, return_path)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # The library promises to parse anything; on hostile mails its accessors raise all of these.
        raise WebhookRejected(f"mail cannot be read: {type(error).__name__}") from error


def _front(body: bytes) -> bytes:
    # Anybody may write to a return path: thousands of parts would keep the parser busy for a second.
    return b"\n--".join(body[:MAX_MAIL].split(b"\n--", _MAX_EDGES)[:_MAX_EDGES])


def _read(mail: Message, return_path: ReturnPath) -> Parsed:
    kind = mail.get_content_type()
    if kind == "multipart/report":
        if (complaint := _part(mail, "message/feedback-report")) is not None:
            return _read_complaint(mail, complaint, return_path)
        if (status := _part(mail, "message/delivery-status", "message/global-delivery-status")) is not None:
            return _read_bounce(mail, status, return_path)
    if _text(mail, "Auto-Submitted").lower().startswith("auto-replied") or _text(mail, "X-Autoreply"):
        return Parsed()
    return _guess(mail, return_path)


def _part(mail: Message, *kinds: str) -> Message | None:
    return next((part for part in mail.walk() if part.get_content_type() in kinds), None)


def _text(mail: Message, name: str) -> str:
    # The library gives up on raw UTF-8, which RFC 6533 allows, and would hand out question marks.
    lower = name.lower()
    raw = next((str(value) for known, value in mail.raw_items() if known.lower() == lower), "")
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    blocks = payload if isinstance(payload, list) else [part]
    inner = [block for block in blocks if isinstance(block, Message)]
    if len(inner) != 1:
        return inner
    # The international kind is not taken apart by the library: its first block looks like a mail's header.
    rest = _words(inner[0]).replace("\r\n", "\n")
    return [*inner, *(message_from_string(block) for block in rest.split("\n\n") if block.strip())]


def _addressed_to(mail: Message) -> str:
    names = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
    return "\n".join(str(value) for name in names for value in mail.get_all(name, []))


def _read_bounce(mail: Message, status: Message, return_path: ReturnPath) -> Parsed:
    blocks = _blocks(status) or [Message()]
    key = (
        return_path.find(_addressed_to(mail))
        or return_path.read_token(_text(blocks[0], "Original-Envelope-Id"))
        or _returned(mail, status, return_path)[0]
    )
    if not key:
        return Parsed()
    when = _time(mail)
    receipts = (_read_recipient(block, key, when) for block in blocks)
    return Parsed(receipts=tuple(receipt for receipt in receipts if receipt))


def _read_recipient(block: Message, key: str, when: datetime | None) -> Receipt | None:
    state = _ACTIONS.get(_text(block, "Action").split(";")[0].strip().lower())
    if state is None:
        return None
    who = _text(block, "Original-Recipient") or _text(block, "Final-Recipient")
    address = who.partition(";")[2].strip().strip("<>")
    return Receipt(state, key=key, address=address, code=_status(block, state), at=_time(block) or when)


def _status(block: Message, state: DeliveryState) -> str:
    if state is DeliveryState.DELIVERED:
        return ""
    told = _STATUS.search(_text(block, "Status"))
    diagnosis = _text(block, "Diagnostic-Code")
    if told and told[0][1:] != ".0.0":
        return told[0]
    # "Other" says nothing; what the remote server said may.
    better = _STATUS.search(diagnosis) or _BARE.search(diagnosis)
    return better[0].strip(" -") if better else told[0] if told else "5.0.0"


def _returned(mail: Message, after: Message, return_path: ReturnPath) -> tuple[str, Message | None]:
    """The key in our own header of the returned mail, and that mail's head."""
    for head in _heads(mail, after):
        if key := return_path.read_token(_text(head, _TOKEN_HEADER)):
            return key, head
    return "", None


def _heads(mail: Message, after: Message) -> Iterator[Message]:
    for part in mail.walk():
        if part is after:
            continue
        if part.get_content_type() == "message/rfc822" and isinstance(part.get_payload(), list):
            yield from (inner for inner in part.get_payload() if isinstance(inner, Message))
        elif part.get_content_type().startswith("text/"):
            yield message_from_string("\n".join(str(part.get_payload()).splitlines()[:_HEAD_LINES]))


def _read_complaint(mail: Message, report: Message, return_path: ReturnPath) -> Parsed:
    payload = report.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    fields = inner if isinstance(inner, Message) else message_from_string(str(payload).lstrip())
    kind = _text(fields, "Feedback-Type").strip().lower()
    if kind not in _COMPLAINTS:
        return Parsed()
    key, original = _returned(mail, report, return_path)
    key = return_path.find(_text(fields, "Original-Mail-From")) or key
    if not key:
        return Parsed()
    address = _text(fields, "Original-Rcpt-To") or (_text(original, "To") if original is not None else "")
    complaint = Inbound(
        InboundKind.COMPLAINT, address.strip().strip("<>"), kind, key, _time(mail), _identify(key, kind, mail)
    )
    return Parsed(inbound=(complaint,))


def _guess(mail: Message, return_path: ReturnPath) -> Parsed:
    """A bounce in plain words (qmail, QQ, 163 …): only from a daemon, only to a return path of ours."""
    key = return_path.find(_addressed_to(mail))
    if not key or not _DAEMON.search(_text(mail, "From") + _text(mail, "Subject")):
        return Parsed()
    texts = (part for part in mail.walk() if part.get_content_type().startswith("text/"))
    said = "\n".join(_words(part) for part in texts)[:8192]
    code = _STATUS.search(said) or _BARE.search(said)
    if code is None and not _FAILS.search(said):
        return Parsed()
    name = code[0].strip(" -") if code else "5.0.0"
    state = DeliveryState.ACCEPTED if name.startswith("4") else DeliveryState.FAILED
    return Parsed(receipts=(Receipt(state, key=key, code=name, at=_time(mail)),))


def _words(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def _time(mail: Message) -> datetime | None:
    for name in ("Last-Attempt-Date", "Arrival-Date", "Date"):
        try:
            when = parsedate_to_datetime(_text(mail, name))
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return None


def _identify(key: str, kind: str, mail: Message) -> str:
    told = f"{key}\n{kind}\n{_text(mail, 'Message-ID')}"
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]
