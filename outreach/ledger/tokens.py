"""Tokens that stand in a message and come back: unsubscribing without logging in (RFC 8058).

A token is the message's key and a keyed digest, so it can be neither guessed nor altered.
"""

import hmac
from hashlib import sha256

from outreach.config import Settings
from outreach.ledger.keys import decode_key, encode_key

_LENGTH = 24


def unsubscribe_token(settings: Settings, message_id: int) -> str:
    """What stands at the end of the unsubscribe address of a message."""
    key = encode_key(message_id)
    return key + _digest(settings, key)


def read_unsubscribe_token(settings: Settings, token: str) -> int | None:
    """The message that a token was made for, or None if it was not made by us."""
    key, digest = token[:-_LENGTH], token[-_LENGTH:]
    if not hmac.compare_digest(_digest(settings, key).encode(), digest.encode()):
        return None
    return decode_key(key)


def _digest(settings: Settings, key: str) -> str:
    secret = settings.master_key.get_secret_value().encode()
    return hmac.new(secret, f"unsubscribe|{settings.tenant}|{key}".encode(), sha256).hexdigest()[:_LENGTH]
