"""Events that the platform pushes: JSON around the same envelope as WeChat's, acknowledged with an encrypted
word. Protocol sheet, event callback crypto."""

import base64
from hashlib import blake2b

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from channels.base import WebhookReply
from channels.errors import WebhookRejected
from channels.wechat_official import crypto

MAX_BODY = 64 * 1024
_WORD = b"success"
_BLOCK = 32


def read_envelope(body: bytes) -> str:
    """The encrypted content of a push. Raises WebhookRejected."""
    encrypted = _read_object(body).get("encrypt")
    if not isinstance(encrypted, str):
        raise WebhookRejected("push without encrypted content")
    return encrypted


def read_event(content: bytes) -> str:
    """What kind of event was decrypted. Raises WebhookRejected."""
    kind = _read_object(content).get("EventType")
    if not isinstance(kind, str):
        raise WebhookRejected("push without EventType")
    return kind


def acknowledge(key: bytes, owner: str, token: str, stamp: str, nonce: str) -> WebhookReply:
    """The answer that the platform takes for a receipt of the push with this time stamp and nonce."""
    # Reading a push is pure, so what should be random comes from what the platform drew, under the key.
    try:
        start = blake2b(f"{stamp}|{nonce}".encode(), key=key, digest_size=16).digest()
        plain = start + len(_WORD).to_bytes(4, "big") + _WORD + owner.encode()
        fill = _BLOCK - len(plain) % _BLOCK
        cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
        sealed = base64.b64encode(cipher.update(plain + bytes([fill]) * fill) + cipher.finalize()).decode()
        signature = crypto.sign(token, stamp, nonce, sealed)
    except UnicodeEncodeError as error:
        raise WebhookRejected("signature parameters are not text") from error
    told = {"msg_signature": signature, "timeStamp": stamp, "nonce": nonce, "encrypt": sealed}
    return WebhookReply(headers={"content-type": "application/json; charset=utf-8"}, body=orjson.dumps(told))


def _read_object(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BODY:
        raise WebhookRejected("push is too long")
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise WebhookRejected("push is not JSON") from error
    if not isinstance(found, dict):
        raise WebhookRejected("push is not a JSON object")
    return found
