"""Signatures and the safe mode (安全模式) of the callback server.

AES-256-CBC with the key as IV source, PKCS7 to blocks of 32; plain text = 16 random bytes, length as uint32
big-endian, message, app id. Signature = SHA-1 over the sorted, concatenated parts.
"""

import base64
import binascii
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from channels.errors import WebhookRejected

_BLOCK = 32
_HEAD = 20


def read_key(encoding_aes_key: str) -> bytes:
    """The 32 bytes behind the 43 characters of an EncodingAESKey. Raises ValueError."""
    # The last character may carry spare bits that are not zero, so the decoder must not be strict.
    key = base64.b64decode(encoding_aes_key + "=") if encoding_aes_key.isascii() else b""
    if len(encoding_aes_key) != 43 or len(key) != 32:
        raise ValueError("EncodingAESKey must be 43 letters and digits")
    return key


def sign(*parts: str) -> str:
    """The hexadecimal signature of the parts, in any order."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def is_signed(signature: str, *parts: str) -> bool:
    """Whether the signature is that of the parts, in constant time."""
    return hmac.compare_digest(signature.encode("utf-8", "replace"), sign(*parts).encode())


def decrypt(key: bytes, app_id: str, encrypted: str) -> bytes:
    """The message inside an `Encrypt` element. Raises WebhookRejected."""
    try:
        sealed = base64.b64decode(encrypted, validate=True)
        if not sealed or len(sealed) % _BLOCK:
            raise WebhookRejected("encrypted push has a broken length")
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
    except (binascii.Error, ValueError) as error:
        raise WebhookRejected("encrypted push cannot be read") from error
    plain = _unpad(padded)
    end = _HEAD + int.from_bytes(plain[16:_HEAD], "big")
    if not _HEAD <= end <= len(plain) or plain[end:] != app_id.encode():
        raise WebhookRejected("encrypted push is not for this account")
    return plain[_HEAD:end]


def _unpad(padded: bytes) -> bytes:
    size = padded[-1]
    if not 1 <= size <= _BLOCK or padded[-size:] != bytes([size]) * size:
        raise WebhookRejected("encrypted push has broken padding")
    return padded[:-size]
