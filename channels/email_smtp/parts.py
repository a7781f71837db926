"""The body of a mail: texts, pictures inside the HTML, attachments (RFC 2045, 2046, 2183, 2231, 2387, 2392).

mixed( alternative( plain, related( html, pictures ) ), attachments ); a layer that would hold one part is
left out. Everything is base64, in which neither a boundary nor a leading dot nor a bare line feed can occur.
"""

import binascii
import re
from collections.abc import Sequence
from urllib.parse import quote

from channels.base import Attachment, Outbound
from channels.email_smtp.plain import words_of

MOST_ATTACHMENTS = 10
MOST_BYTES = 10 * 1024 * 1024
"""Of all attachments of a mail together, before base64 makes them a third longer."""

_KIND = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_CID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME = re.compile(r"(?!\s*$)[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff/\\]{1,120}")
_LINE = 76


class MailInvalid(Exception):
    """A mail that cannot be written; `field` tells which part of the message is wrong."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def compose_body(message: Outbound, key: bytes) -> bytes:
    """Content-Type and everything behind it. Raises MailInvalid."""
    _check(message)
    text = message.text if message.text.strip() or not message.html else words_of(message.html)
    body = _text(b"plain", text)
    if message.html:
        pictures = [_attached(each) for each in message.attachments if each.inline_id]
        html = _join(b"related", b"r-" + key, [_text(b"html", message.html), *pictures])
        body = _join(b"alternative", key, [body, html])
    files = [_attached(each) for each in message.attachments if not each.inline_id]
    return _join(b"mixed", b"m-" + key, [body, *files])


def _check(message: Outbound) -> None:
    attached = message.attachments
    if len(attached) > MOST_ATTACHMENTS or sum(len(each.content) for each in attached) > MOST_BYTES:
        raise MailInvalid("attachments")
    ids = [each.inline_id for each in attached if each.inline_id]
    if len(ids) != len(set(ids)) or (ids and not message.html):
        raise MailInvalid("attachments")
    for each in attached:
        fits = _KIND.fullmatch(each.kind) and _NAME.fullmatch(each.name)
        if not fits or (each.inline_id and not _CID.fullmatch(each.inline_id)):
            raise MailInvalid("attachments")


def _join(kind: bytes, mark: bytes, parts: Sequence[bytes]) -> bytes:
    if len(parts) == 1:
        return parts[0]
    edge = b"=_" + mark
    head = b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n' % (kind, edge)
    return head + b"".join(b"--%s\r\n%s" % (edge, part) for part in parts) + b"--%s--\r\n" % edge


def _text(kind: bytes, text: str) -> bytes:
    head = b"Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" % kind
    return head + _base64(_with_crlf(text.encode("utf-8", "replace")))


def _attached(each: Attachment) -> bytes:
    place = b"inline" if each.inline_id else b"attachment"
    lines = [
        b"Content-Type: %s" % each.kind.encode(),
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: %s;\r\n %s" % (place, _filename(each.name)),
    ]
    if each.inline_id:
        lines.append(b"Content-ID: <%s>" % each.inline_id.encode())
    return b"\r\n".join([*lines, b"", _base64(each.content)])


def _filename(name: str) -> bytes:
    if re.fullmatch(r"[A-Za-z0-9._ -]{1,60}", name):
        return b'filename="%s"' % name.encode()
    # Sections of whole octets, each line short (RFC 2231 section 4.1).
    told = "utf-8''" + quote(name, safe="")
    sections = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,18}", told)
    return b";\r\n ".join(b"filename*%d*=%s" % (at, one.encode()) for at, one in enumerate(sections))


def _with_crlf(content: bytes) -> bytes:
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content.replace(b"\n", b"\r\n")


def _base64(content: bytes) -> bytes:
    encoded = binascii.b2a_base64(content, newline=False)
    return b"\r\n".join([encoded[at : at + _LINE] for at in range(0, len(encoded), _LINE)]) + b"\r\n"
