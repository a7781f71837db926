"""Signs mails by DKIM (RFC 6376, RFC 8463): relaxed header and body, SHA-256, RSA or Ed25519.

Only where the relay does not sign: two signatures do no harm, but cost. RFC 8058 wants both unsubscribe
headers to be signed. Headers that would do harm if somebody added them are signed once more than they occur
(RFC 6376 section 8.15).
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

_SIGNED = (
    b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type",
    b"content-transfer-encoding", b"auto-submitted", b"precedence", b"list-id", b"list-unsubscribe",
    b"list-unsubscribe-post", b"feedback-id",
)  # fmt: skip
_ONLY_ONCE = (b"from", b"to", b"subject", b"date")
_WEAKEST_RSA = 2048
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_BLANKS = re.compile(rb"[ \t]+")
_LINE = 70

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Signer:
    """`_sign` signs octets; `algorithm` is the name of what it does."""

    domain: str
    selector: str
    algorithm: bytes
    _sign: Callable[[bytes], bytes]

    def header(self, mail: bytes) -> bytes:
        """The DKIM-Signature to stand before a mail with CRLF line ends."""
        head, _, body = mail.partition(b"\r\n\r\n")
        headers = _read(head)
        present = {name for name, _ in headers}
        names = [name for name in _SIGNED if name in present] + list(_ONLY_ONCE)
        tags = b"v=1; a=%s; c=relaxed/relaxed; d=%s; s=%s;\r\n h=%s;\r\n bh=%s;\r\n b=" % (
            self.algorithm,
            self.domain.encode(),
            self.selector.encode(),
            b":\r\n ".join(names),
            base64.b64encode(hashlib.sha256(relax_body(body)).digest()),
        )
        told = b"".join(_take(headers, name) for name in names) + _relax(b"dkim-signature", tags)
        signature = base64.b64encode(self._sign(told))
        lines = [signature[at : at + _LINE] for at in range(0, len(signature), _LINE)]
        return b"DKIM-Signature: " + tags + b"\r\n ".join(lines) + b"\r\n"


def read_signer(pem: str, domain: str, selector: str) -> Signer:
    """The signer of a private key, PKCS #8 or PKCS #1 in PEM. Raises ValueError if it is none, of another
    kind, or an RSA key below 2048 bits."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except TypeError as error:
        raise ValueError("the key is encrypted") from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        edwards = key
        # What is signed is the hash, not the text (RFC 8463 section 3).
        return Signer(
            domain, selector, b"ed25519-sha256", lambda told: edwards.sign(hashlib.sha256(told).digest())
        )
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _WEAKEST_RSA:
        raise ValueError("neither Ed25519 nor RSA of 2048 bits or more")
    private = key
    return Signer(
        domain, selector, b"rsa-sha256", lambda told: private.sign(told, padding.PKCS1v15(), hashes.SHA256())
    )


def relax_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4: no blanks at line ends, one between words, no empty lines at the end."""
    if b" " in body or b"\t" in body:
        body = b"\r\n".join(_BLANKS.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n"))
    body = body.rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


def _read(head: bytes) -> Headers:
    lines = _FOLD.sub(b"", head).split(b"\r\n")
    pairs = (line.partition(b":") for line in lines)
    return [(name.strip().lower(), value) for name, colon, value in pairs if colon]


def _take(headers: Headers, name: bytes) -> bytes:
    """The last header of a name that is left, relaxed and with its line end; nothing if none is."""
    for at in range(len(headers) - 1, -1, -1):
        if headers[at][0] == name:
            return _relax(*headers.pop(at)) + b"\r\n"
    return b""


def _relax(name: bytes, value: bytes) -> bytes:
    return name + b":" + _BLANKS.sub(b" ", _FOLD.sub(b"", value)).strip(b" \t")
