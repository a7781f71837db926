"""Bytes of SMPP 3.4. All integers are unsigned and big-endian, strings end with NUL (sheet `smpp`).

Readers raise `BadMessage` for what cannot be read, and nothing else.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from channels.lines.line import BadMessage, Frame

LARGEST = 70_000
"""Octets of the longest message that is read: a payload has up to 64 K."""

_HEADER = struct.Struct(">IIII")


class Command(IntEnum):
    """command_id of what is sent and read here."""

    SUBMIT_SM = 0x00000004
    DELIVER_SM = 0x00000005
    UNBIND = 0x00000006
    BIND_TRANSCEIVER = 0x00000009
    ENQUIRE_LINK = 0x00000015
    GENERIC_NACK = 0x80000000
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM_RESP = 0x80000005
    UNBIND_RESP = 0x80000006
    ENQUIRE_LINK_RESP = 0x80000015


class Tag(IntEnum):
    """Optional parameters that are read or written."""

    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


def cut_frames(buffer: bytearray) -> list[Frame]:
    """Take the whole messages off a buffer. Raises BadMessage for a length that no message has."""
    frames, place, end = [], 0, len(buffer)
    while end - place >= _HEADER.size:
        length, command, status, sequence = _HEADER.unpack_from(buffer, place)
        if not _HEADER.size <= length <= LARGEST:
            raise BadMessage(f"message of {length} octets")
        if end - place < length:
            break
        body = bytes(buffer[place + _HEADER.size : place + length])
        frames.append(Frame(command, sequence, body, status))
        place += length
    del buffer[:place]
    return frames


def write_frame(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """A message with its header."""
    return _HEADER.pack(_HEADER.size + len(body), command, status, sequence) + body


def write_text(text: str) -> bytes:
    """A string with its NUL. Raises ValueError if it is not ASCII."""
    return text.encode("ascii") + b"\0"


def write_tag(tag: Tag, value: bytes) -> bytes:
    """An optional parameter."""
    return struct.pack(">HH", tag, len(value)) + value


@dataclass(frozen=True, slots=True)
class Place:
    """An address on the wire: type of number, numbering plan, digits or letters."""

    ton: int
    npi: int
    text: str = ""

    def write(self) -> bytes:
        """As it stands in a message. Raises ValueError if it is not ASCII."""
        return bytes((self.ton, self.npi)) + write_text(self.text)


def write_bind(sequence: int, system_id: str, password: str, system_type: str, place: Place) -> bytes:
    """bind_transceiver; `place` is the address range."""
    names = write_text(system_id) + write_text(password) + write_text(system_type)
    return write_frame(Command.BIND_TRANSCEIVER, sequence, names + b"\x34" + place.write())


class Fields:
    """Takes a body apart from its start."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._place = 0

    def octet(self) -> int:
        """One octet."""
        return self.octets(1)[0]

    def octets(self, size: int) -> bytes:
        """So many octets."""
        end = self._place + size
        if end > len(self._body):
            raise BadMessage("too short")
        taken, self._place = self._body[self._place : end], end
        return taken

    def text(self) -> str:
        """A string up to its NUL."""
        end = self._body.find(b"\0", self._place)
        if end < 0:
            raise BadMessage("string without end")
        taken, self._place = self._body[self._place : end], end + 1
        return taken.decode("ascii", "replace").strip()

    def tags(self) -> dict[int, bytes]:
        """Optional parameters up to the end; one that is cut off is left out, as gateways are met that do."""
        found: dict[int, bytes] = {}
        while self._place + 4 <= len(self._body):
            tag, size = struct.unpack(">HH", self.octets(4))
            if self._place + size > len(self._body):
                break
            found[tag] = self.octets(size)
        return found


@dataclass(frozen=True, slots=True)
class DeliverSm:
    """A report or an uplink as it came down; `content` from the message or from its payload."""

    source: str
    dest: str
    esm_class: int
    data_coding: int
    content: bytes
    tags: Mapping[int, bytes]

    @property
    def is_report(self) -> bool:
        """Whether it tells of a message of ours: a receipt, or an intermediate notification."""
        return self.esm_class & 0x3C in (0x04, 0x20)

    @property
    def has_header(self) -> bool:
        """Whether the content begins with a user data header."""
        return bool(self.esm_class & 0x40)


def read_deliver(body: bytes) -> DeliverSm:
    """deliver_sm."""
    fields = Fields(body)
    fields.text()
    fields.octets(2)
    source = fields.text()
    fields.octets(2)
    dest, esm_class = fields.text(), fields.octet()
    fields.octets(2)
    fields.text()
    fields.text()
    fields.octets(2)
    coding, _, length = fields.octet(), fields.octet(), fields.octet()
    content = fields.octets(length)
    tags = fields.tags()
    return DeliverSm(source, dest, esm_class, coding, content or tags.get(Tag.MESSAGE_PAYLOAD, b""), tags)


def read_message_id(body: bytes) -> str:
    """The message_id of submit_sm_resp."""
    message_id = Fields(body).text()
    if not message_id:
        raise BadMessage("submit_sm_resp without message_id")
    return message_id
