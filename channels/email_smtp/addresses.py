"""Addresses as they may stand in an SMTP command, and the return path that identifies a bounce.

VERP: `bounce+<key>-<mac>@domain`. The mac (50 bits of HMAC-SHA256 in base32) is there because keys follow
one another: without it anybody could write a bounce for anybody's message.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

_LOCAL = re.compile(r"[^\s\x00-\x20\x7f\"(),:;<>@\[\]\\.]+(?:\.[^\s\x00-\x20\x7f\"(),:;<>@\[\]\\.]+)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_MAC = 10


class AddressInvalid(ValueError):
    """Not an address that mail can be sent to."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`text` is `local@domain` with the domain as A-labels; `ascii` tells whether the local part is."""

    text: str
    ascii: bool


def read_mailbox(address: str) -> Mailbox:
    """Check an address and turn its domain into A-labels (RFC 5321 section 4.1.2, RFC 5890). Quoted local
    parts and address literals are not taken. Raises AddressInvalid."""
    local, at, domain = address.rpartition("@")
    if not at or not 0 < len(local.encode("utf-8", "replace")) <= 64 or not _LOCAL.fullmatch(local):
        raise AddressInvalid(address)
    if not domain.isascii():
        domain = _to_a_labels(domain)
    if not _DOMAIN.fullmatch(domain) or len(local) + len(domain) > 253 or not local.isprintable():
        raise AddressInvalid(address)
    return Mailbox(f"{local}@{domain}", local.isascii())


def _to_a_labels(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError as error:
        raise AddressInvalid(domain) from error


class ReturnPath:
    """Makes and reads the envelope senders of one account."""

    def __init__(self, domain: str, secret: str) -> None:
        self._domain = domain
        # Another key than the secret itself, which stands in the path of the push address.
        self._key = hashlib.sha256(b"return path\n" + secret.encode()).digest()
        self._shape = re.compile(rf"bounce\+([0-9a-z]{{1,16}}-[a-z2-7]{{{_MAC}}})@{re.escape(domain)}", re.I)

    def token(self, key: str) -> str:
        """The key with its mac."""
        digest = hmac.digest(self._key, key.encode("utf-8", "replace"), "sha256")
        return f"{key}-{base64.b32encode(digest[:7])[:_MAC].decode().lower()}"

    def address(self, token: str) -> str:
        """The envelope sender of a message with this token."""
        return f"bounce+{token}@{self._domain}"

    def read_token(self, token: str) -> str:
        """The key in a token, or an empty string if it is not ours."""
        token = token.strip().lower()
        key = token.partition("-")[0]
        genuine = self.token(key) if key.isascii() else ""
        return key if key and hmac.compare_digest(token.encode("utf-8", "replace"), genuine.encode()) else ""

    def find(self, text: str) -> str:
        """The key of the first genuine return path in a text, or an empty string."""
        return next((key for found in self._shape.finditer(text) if (key := self.read_token(found[1]))), "")
