"""Documents packed before they are sealed: most of a document is words that all documents share, and nothing
that is sealed can be packed any more (decision 0019).

A packed document is a frame of Zstandard (RFC 8878). It names its dictionary by number; a dictionary is never
changed or taken away, or what was packed with it could not be read again.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, get_frame_parameters

from outreach.governance.vault import SealBroken

NEWEST = 1
_LEVEL = 1
"""3 saves a tenth of the room and takes a quarter longer, 6 a quarter of the room and five times as long."""
_PLAIN = b"{"
FIRST_ID = 1 << 15
"""RFC 8878 section 5 keeps the ids below for a registry. The dictionary of number n has this one and n."""


def dictionary_path(number: int) -> Path:
    """Where a dictionary lies."""
    return Path(__file__).with_name(f"dictionary_{number}.zstd")


def pack_many(texts: Sequence[bytes]) -> list[bytes]:
    """Canonical texts of documents, packed, in order."""
    # One for each call: it may not be used by two threads at once.
    pack = ZstdCompressor(level=_LEVEL, dict_data=_dictionary(NEWEST), write_checksum=False).compress
    return [pack(text) for text in texts]


def unpack(packed: bytes) -> bytes:
    """The text again, also of a document that was sealed as it was. Raises SealBroken for one that a newer
    version of the product has packed."""
    if packed.startswith(_PLAIN):
        return packed
    number = get_frame_parameters(packed).dict_id - FIRST_ID
    try:
        known = _dictionary(number)
    except FileNotFoundError as error:
        raise SealBroken("这份账单由更新版本的系统出具，请升级后再打开。", dictionary=number) from error
    return ZstdDecompressor(dict_data=known).decompress(packed)


@cache
def _dictionary(number: int) -> ZstdCompressionDict:
    known = ZstdCompressionDict(dictionary_path(number).read_bytes())
    known.precompute_compress(level=_LEVEL)
    return known
