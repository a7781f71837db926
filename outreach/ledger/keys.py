"""The reference that travels with a message: its id in 13 characters of base 32 and 2 check characters.

The alphabet is Crockford's in lower case; keys sort like ids. A provider that echoes the key tells us which
message a receipt means, even before our own commit; the check characters reject what is not ours.
"""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS_OF_32 = frozenset(_ALPHABET)
_TO_PYTHON = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_MODULUS = 1021
_DIGITS = 13
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]

MESSAGES_PER_BATCH = 1000
DIRECT_FROM = 1 << 60
SHARDS = 8


def encode_key(message_id: int) -> str:
    """The key of a message id (0 to 2^63 - 1)."""
    # Written out: every message that leaves has its key made here.
    return (
        _ALPHABET[message_id >> 60]
        + _PAIRS[message_id >> 50 & 1023]
        + _PAIRS[message_id >> 40 & 1023]
        + _PAIRS[message_id >> 30 & 1023]
        + _PAIRS[message_id >> 20 & 1023]
        + _PAIRS[message_id >> 10 & 1023]
        + _PAIRS[message_id & 1023]
        + _PAIRS[message_id % _MODULUS]
    )


def decode_key(key: str) -> int | None:
    """The message id, or None if the key is not one of ours."""
    if len(key) != _DIGITS + 2 or not _DIGITS_OF_32.issuperset(key):
        return None
    message_id, check = divmod(int(key.translate(_TO_PYTHON), 32), 1 << 10)
    return message_id if check == message_id % _MODULUS and message_id < 1 << 63 else None


def shard_of(message_id: int) -> int:
    """The shard of a message and of its batch."""
    return message_id // MESSAGES_PER_BATCH % SHARDS
