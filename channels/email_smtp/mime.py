"""Mails as bytes, without a message object per mail.

The library's `EmailMessage` takes 2-3 ms a mail. What is common to all mails of an account is laid down
once, subjects are encoded once per text, bodies are base64, in which neither a boundary nor a leading dot
nor a bare line feed can occur.
"""

import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from channels.base import Outbound
from channels.email_smtp.parts import MailInvalid, compose_body

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_PLAIN = re.compile(r"[ -~]{0,60}")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]{1,60}")
_URL = re.compile(r"https?://[!#-;=?-~]{1,900}")
_KEY = re.compile(r"[0-9a-z]{1,16}")
_WORD = 39


@dataclass(frozen=True, slots=True)
class Sender:
    """What all mails of an account have in common; `list_id` and `feedback_id` may be empty."""

    address: str
    name: str
    domain: str
    list_id: str
    feedback_id: str


class Assembler:
    """Writes the mails of one account."""

    def __init__(self, sender: Sender) -> None:
        address = sender.address.encode()
        who = b"%s <%s>" % (_phrase(sender.name), address) if sender.name else address
        self._head = b"From: " + who + b"\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n"
        self._bulk = b"Precedence: bulk\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        if sender.list_id:
            self._bulk += b"List-Id: <" + sender.list_id.encode() + b">\r\n"
        if sender.feedback_id:
            self._head += b"Feedback-ID: " + sender.feedback_id.encode() + b"\r\n"
        self._domain = sender.domain.encode()

    def write(self, message: Outbound, mailbox: str, token: str, now: datetime) -> bytes:
        """A mail with CRLF line ends, to be sent as it is. `token` proves in a returned header that the
        mail was ours. Raises MailInvalid."""
        if not _KEY.fullmatch(message.key):
            raise MailInvalid("key")
        key = message.key.encode()
        return b"".join(
            (
                self._head,
                b"Message-ID: <%s@%s>\r\nX-Message-Token: %s\r\n" % (key, self._domain, token.encode()),
                b"Date: %s\r\nTo: %s\r\n" % (_date(now.replace(microsecond=0)), mailbox.encode()),
                b"Subject: %s\r\n" % encode_text(message.subject),
                self._unsubscribe(message.unsubscribe_url),
                compose_body(message, key),
            )
        )

    def _unsubscribe(self, url: str) -> bytes:
        if not url:
            return b""
        if not _URL.fullmatch(url):
            raise MailInvalid("unsubscribe_url")
        return b"List-Unsubscribe: <%s>\r\n%s" % (url.encode(), self._bulk)


@lru_cache(maxsize=8)
def _date(now: datetime) -> bytes:
    return format_datetime(now).encode()


@lru_cache(maxsize=512)
def encode_text(text: str) -> bytes:
    """A header's unstructured text: as it is if short and plain, otherwise encoded words (RFC 2047), folded.
    Control characters become a space, so no text can begin a header of its own."""
    text = _CONTROL.sub(" ", text).strip()
    plain = _PLAIN.fullmatch(text) and "=?" not in text
    return text.encode() if plain else _encoded_words(text)


def _encoded_words(text: str) -> bytes:
    return b"\r\n ".join(
        b"=?utf-8?b?%s?=" % binascii.b2a_base64(chunk, newline=False) for chunk in _chunks(text)
    )


def _chunks(text: str) -> list[bytes]:
    # A word holds whole characters and makes a line of at most 76 bytes with its frame.
    chunks, current = [], b""
    for char in text:
        encoded = char.encode()
        if len(current) + len(encoded) > _WORD:
            chunks.append(current)
            current = b""
        current += encoded
    return [*chunks, current]


def _phrase(name: str) -> bytes:
    name = _CONTROL.sub(" ", name).strip()
    if _ATOM.fullmatch(name) and "=?" not in name:
        return name.encode()
    return _encoded_words(name)
