"""What a strict relay checks in a mail: RFC 5321 and 5322 form, RFC 2047 words, RFC 8058 unsubscription."""

import base64
import binascii
import quopri
import re
from dataclasses import dataclass

_MAX_LINE = 998
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_NAME = re.compile(rb"[!-9;-~]+")
_DATE = re.compile(
    rb"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d{1,2} "
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}(?::\d{2})? (?:[+-]\d{4}|GMT)"
)
_MESSAGE_ID = re.compile(rb"<([^<>@\s]+)@[^<>@\s]+>")
_MESSAGE_KEY = re.compile(rb"\r\nMessage-ID: <([^<>@\s]+)@")
_HEAD_LENGTH = 4096
_WORD = re.compile(rb"=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=")
_BOUNDARY = re.compile(rb'boundary="?([^";\r\n]+)"?', re.IGNORECASE)
_UNSUBSCRIBE = re.compile(rb"<(https?://[^<>\s]+)>")
_ONCE = (b"from", b"date", b"message-id", b"mime-version", b"subject", b"to", b"content-type")
_REQUIRED = (b"From", b"Date", b"Message-ID", b"MIME-Version")


class Improper(Exception):
    """The mail is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What a relay reads in a mail. `key` is the local part of its Message-ID, `unsubscribe` the one-click
    address, `head` its header."""

    key: str
    text: str
    unsubscribe: str
    head: bytes


def skim_mail(content: bytes) -> Mail:
    """Only what the books need of a mail that nobody looks into: its key. Raises Improper."""
    found = _MESSAGE_KEY.search(content, 0, _HEAD_LENGTH)
    if found is None:
        raise Improper("no Message-ID")
    return Mail(found[1].decode(), "", "", b"")


def read_mail(content: bytes, *, utf8: bool) -> Mail:
    """Check a mail with its dots removed; `utf8`: its header may hold UTF-8. Raises Improper."""
    lines = content.split(b"\r\n")
    if content.count(b"\n") != len(lines) - 1 or content.count(b"\r") != len(lines) - 1:
        raise Improper("bare CR or LF")
    if max(map(len, lines)) > _MAX_LINE:
        raise Improper("line longer than 998 octets")
    head, blank, body = content.partition(b"\r\n\r\n")
    if not blank:
        raise Improper("no blank line behind the header")
    if not utf8 and not head.isascii():
        raise Improper("raw 8-bit header")
    headers = _read_headers(head)
    _check_headers(head, headers)
    identity = _MESSAGE_ID.fullmatch(headers[b"message-id"])
    if identity is None:
        raise Improper("malformed Message-ID")
    return Mail(identity[1].decode(), _plain_text(headers, body), _check_list(headers), head)


def _read_headers(head: bytes) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in _FOLD.sub(b"", head).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise Improper("malformed header line")
        lower = name.lower()
        if lower in _ONCE and lower in headers:
            raise Improper(f"header {name.decode()} stands twice")
        headers[lower] = value.strip()
    return headers


def _check_headers(head: bytes, headers: dict[bytes, bytes]) -> None:
    for name in _REQUIRED:
        if not headers.get(name.lower()):
            raise Improper(f"header {name.decode()} is missing")
    if not _DATE.fullmatch(headers[b"date"]):
        raise Improper("malformed Date")
    if headers[b"mime-version"] != b"1.0":
        raise Improper("unknown MIME-Version")
    if b"=?" in head and any(len(word) > 75 for word in _WORD.findall(head)):
        raise Improper("encoded word longer than 75 characters")


def _check_list(headers: dict[bytes, bytes]) -> str:
    link, post = headers.get(b"list-unsubscribe"), headers.get(b"list-unsubscribe-post")
    bulk = headers.get(b"precedence") == b"bulk" or b"list-id" in headers
    if link is None and post is None and not bulk:
        return ""
    if link is None or post != b"List-Unsubscribe=One-Click":
        raise Improper("bulk mail without one-click unsubscription")
    found = _UNSUBSCRIBE.search(link)
    if found is None:
        raise Improper("List-Unsubscribe holds no web address")
    return found[1].decode()


def _plain_text(headers: dict[bytes, bytes], body: bytes) -> str:
    kind = headers.get(b"content-type", b"text/plain")
    if kind.lower().startswith(b"multipart/"):
        edge = _BOUNDARY.search(kind)
        parts = (b"\r\n" + body).split(b"\r\n--" + edge[1]) if edge else []
        if len(parts) < 3 or not parts[-1].startswith(b"--"):
            raise Improper("broken multipart")
        inner, _, text = parts[1].removeprefix(b"\r\n").partition(b"\r\n\r\n")
        return _plain_text(_read_headers(inner), text)
    return _decode(headers.get(b"content-transfer-encoding", b"7bit").lower(), body)


def _decode(encoding: bytes, body: bytes) -> str:
    try:
        if encoding == b"base64":
            body = base64.b64decode(body.replace(b"\r\n", b""), validate=True)
        elif encoding == b"quoted-printable":
            body = quopri.decodestring(body)
        return body.decode("utf-8").replace("\r\n", "\n").rstrip("\n")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Improper("part cannot be decoded") from error
