"""Our key inside the identifiers that the platform hands back.

A messageId has the shape of a UUID and holds the key's ASCII bytes, padded with NUL to 16. So a status push
finds its message even if it overtakes our own commit, and nothing needs to be remembered.
"""

import re
from hashlib import blake2b

_KEY = re.compile(r"[0-9a-z]{1,16}")
_MESSAGE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _uuid_shape(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def pack_key(key: str) -> str:
    """The messageId of a key. Raises ValueError unless it is 1 to 16 characters of 0-9a-z."""
    if not _KEY.fullmatch(key):
        raise ValueError("a key is 1 to 16 characters of 0-9a-z")
    return _uuid_shape(key.encode().ljust(16, b"\0").hex())


def unpack_key(message_id: str) -> str:
    """The key in a messageId, or an empty string if it is none of ours."""
    lowered = message_id.lower()
    if not _MESSAGE_ID.fullmatch(lowered):
        return ""
    raw = bytes.fromhex(lowered.replace("-", "")).rstrip(b"\0")
    key = raw.decode("latin-1")
    return key if _KEY.fullmatch(key) else ""


def conversation_id(chatbot_id: str, address: str) -> str:
    """Stable for the dialogue of a bot and a user (protocol section 4), and the same in every process."""
    return _uuid_shape(blake2b(f"{chatbot_id}|{address}".encode(), digest_size=16).hexdigest())
