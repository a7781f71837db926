"""Texts to parts and back: 3GPP TS 23.040 section 9.2.3.24.

UCS2 is how a text is billed: 70 units in one part, otherwise 67 in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

UCS2, GSM = 8, 0
_SINGLE = 140
_ROOM = 134
MOST_PARTS = 9
"""So many references fit into what the ledger keeps of a message."""


@dataclass(frozen=True, slots=True)
class Part:
    """A text or one of the parts that it is sent in. `content` includes the header that joins them; `coding`
    is its data coding scheme: 8 is UCS2, 0 the default alphabet."""

    content: bytes
    number: int = 1
    total: int = 1
    coding: int = UCS2


class TextInvalid(ValueError):
    """A text that cannot be sent."""


def cut_text(text: str, reference: int) -> list[Part]:
    """The parts of a text; `reference` (0 to 255) joins them on the phone. No character falls on a border.
    Raises TextInvalid if it is empty, has half a surrogate pair, or more than `MOST_PARTS` parts."""
    try:
        content = text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise TextInvalid("encoding") from error
    if not content:
        raise TextInvalid("empty")
    if len(content) <= _SINGLE:
        return [Part(content)]
    return join_pieces(_cut(content), reference)


def join_pieces(pieces: Sequence[bytes], reference: int, coding: int = UCS2) -> list[Part]:
    """Pieces of content with the header of six octets that joins them on the phone. Raises TextInvalid."""
    if len(pieces) > MOST_PARTS:
        raise TextInvalid("length")
    total = len(pieces)
    return [
        Part(bytes((5, 0, 3, reference, total, number)) + piece, number, total, coding)
        for number, piece in enumerate(pieces, 1)
    ]


def _cut(content: bytes) -> list[bytes]:
    pieces, start = [], 0
    while start < len(content):
        end = start + _ROOM
        # The first unit of a pair (D800 to DBFF) does not stay behind alone.
        if end < len(content) and 0xD8 <= content[end - 2] <= 0xDB:
            end -= 2
        pieces.append(content[start:end])
        start = end
    return pieces


@dataclass(frozen=True, slots=True)
class Joint:
    """Which part of which text of a phone an uplink is."""

    reference: int
    total: int
    number: int


def read_joint(content: bytes) -> tuple[Joint | None, bytes]:
    """The joint in a user data header, if there is a sound one, and what stands behind the header."""
    if not content or content[0] >= len(content):
        return None, content
    end = 1 + content[0]
    joint, place = None, 1
    while place + 2 <= end:
        kind, size = content[place], content[place + 1]
        data = content[place + 2 : min(end, place + 2 + size)]
        if (kind, size, len(data)) in ((0, 3, 3), (8, 4, 4)):
            joint = Joint(int.from_bytes(data[:-2]), data[-2], data[-1])
        place += 2 + size
    if joint is None or not 1 <= joint.number <= joint.total:
        return None, content[end:]
    return joint, content[end:]
