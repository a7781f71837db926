"""submit_sm, what its answer means, and how texts are cut for it (sheet `smpp`; 3GPP TS 23.038, 23.040)."""

from collections.abc import Mapping, Sequence
from typing import Literal

from channels.errors import Fault
from channels.lines.dispatch import Answer
from channels.lines.gsm import encode_gsm
from channels.lines.line import BadMessage, Frame
from channels.lines.texts import GSM, Part, TextInvalid, cut_text, join_pieces
from channels.smpp.codec import Command, Place, Tag, read_message_id, write_frame, write_tag, write_text
from channels.smpp.codes import code_of

_UDHI = 0x40
_SINGLE_GSM, _ROOM_GSM = 160, 153
_SINGLE_UCS2 = 140
_LARGEST_PAYLOAD = 65_535

Base = Literal["text", "decimal", "hex"]


def canonical_id(message_id: str, base: Base) -> str:
    """A message_id in one form, however its digits are written; what has none stays as it is."""
    if base == "text":
        return message_id
    try:
        return str(int(message_id, 16 if base == "hex" else 10))
    except ValueError:
        return message_id


def cut_for_phones(text: str, reference: int, *, gsm: bool) -> Sequence[Part]:
    """Parts that phones join by a header; `gsm`: in the default alphabet if it has every character. Raises
    TextInvalid."""
    characters = encode_gsm(text) if gsm else None
    if not characters:
        return cut_text(text, reference)
    whole = b"".join(characters)
    if len(whole) <= _SINGLE_GSM:
        return [Part(whole, coding=GSM)]
    return join_pieces(_cut_gsm(characters), reference, GSM)


def _cut_gsm(characters: Sequence[bytes]) -> list[bytes]:
    pieces = [b""]
    for character in characters:
        # An escape never stays behind alone.
        if len(pieces[-1]) + len(character) > _ROOM_GSM:
            pieces.append(b"")
        pieces[-1] += character
    return pieces


def keep_whole(text: str, *, gsm: bool) -> Sequence[Part]:
    """One part, which the centre cuts by itself if it is long. Raises TextInvalid."""
    characters = encode_gsm(text) if gsm else None
    try:
        part = Part(b"".join(characters), coding=GSM) if characters else Part(text.encode("utf-16-be"))
    except UnicodeEncodeError as error:
        raise TextInvalid("encoding") from error
    if not 0 < len(part.content) <= _LARGEST_PAYLOAD:
        raise TextInvalid("length" if part.content else "empty")
    return [part]


class Submits:
    """Writes submit_sm of one account and weighs the answers by `meanings`."""

    def __init__(
        self, service_type: str, source: Place, dest: Place, meanings: Mapping[int, Fault], base: Base
    ) -> None:
        self._head = write_text(service_type) + source.write() + bytes((dest.ton, dest.npi))
        self._meanings, self._base = meanings, base

    def write(self, sequence: int, part: Part, numbers: Sequence[bytes]) -> bytes:
        """See Carrier; asks for the final report. `numbers` is one, with its NUL."""
        single = _SINGLE_GSM if part.coding == GSM else _SINGLE_UCS2
        content, tags = part.content, b""
        if part.total == 1 and len(content) > single:
            content, tags = b"", write_tag(Tag.MESSAGE_PAYLOAD, content)
        fixed = bytes((_UDHI if part.total > 1 else 0, 0, 0, 0, 0, 1, 0, part.coding, 0, len(content)))
        body = b"".join((self._head, numbers[0], fixed, content, tags))
        return write_frame(Command.SUBMIT_SM, sequence, body)

    def read(self, frame: Frame, count: int) -> Answer:
        """See Carrier."""
        if frame.status:
            return Answer((), self._meanings.get(frame.status), code_of(frame.status))
        if frame.command != Command.SUBMIT_SM_RESP:
            raise BadMessage("not an answer to submit_sm")
        return Answer((canonical_id(read_message_id(frame.body), self._base),))
