"""Who we are, and which message is meant (protocol sections 2 and 3).

A messageId is the key's ASCII bytes, padded with NUL to 16, as 32 hexadecimal digits, and the
contributionID is the same with the dashes of a UUID. So a report finds its message even if it overtakes our
own commit, and nothing needs to be remembered.
"""

import base64
import hashlib
import re
import uuid

from channels.fiveg_bot.keys import pack_key, unpack_key

_DIGITS = re.compile(r"[0-9a-fA-F]{32}")
_USER = re.compile(r"(?:^|[:+])(?:86)?(1[0-9]{10})(?:@|\Z)")


def hash_secret(secret: str, hashed: bool) -> str:
    """What goes into the digest: a token as it is, a password's SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest() if hashed else secret


def authorize(account: str, secret: str, date: str) -> str:
    """The Authorization header for the very same Date header; `secret` as `hash_secret` returns it."""
    digest = hashlib.sha256(f"{secret}{date}".encode()).hexdigest()
    return "Basic " + base64.b64encode(f"{account}:{digest}".encode()).decode()


def message_id(key: str) -> str:
    """The messageId of a key. Raises ValueError unless it is 1 to 16 characters of 0-9a-z."""
    return pack_key(key).replace("-", "")


def key_of(identifier: str) -> str:
    """The key in a messageId or contributionID, or an empty string if it is none of ours."""
    digits = identifier.strip().replace("-", "")
    return unpack_key(str(uuid.UUID(digits))) if _DIGITS.fullmatch(digits) else ""


def user_of(address: str) -> str:
    """The 11 digits of a user's address (tel:+86…, sip:+86…@…), or an empty string."""
    found = _USER.search(address.strip())
    return found[1] if found else ""
