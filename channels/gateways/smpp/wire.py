"""SMPP 3.4 as octets: headers, strings that end with NUL, optional parameters (protocol sheet `smpp`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

HEAD = 16
LARGEST = 70_000
RESPONSE = 0x80000000


class Command(IntEnum):
    """command_id of what the simulator knows."""

    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    SUBMIT = 0x04
    DELIVER = 0x05
    UNBIND = 0x06
    BIND_TRANSCEIVER = 0x09
    ENQUIRE = 0x15
    NACK = RESPONSE
    DELIVERED = RESPONSE | 0x05
    UNBOUND = RESPONSE | 0x06
    ALIVE = RESPONSE | 0x15


class Status(IntEnum):
    """command_status that the simulator answers with."""

    OK = 0x00
    MESSAGE_LENGTH = 0x01
    COMMAND_LENGTH = 0x02
    COMMAND = 0x03
    BIND_STATE = 0x04
    ALREADY_BOUND = 0x05
    DELIVERY_FLAG = 0x07
    SOURCE = 0x0A
    DESTINATION = 0x0B
    BIND_FAILED = 0x0D
    PASSWORD = 0x0E
    SYSTEM_ID = 0x0F
    QUEUE_FULL = 0x14
    SERVICE = 0x15
    ESM_CLASS = 0x43
    SUBMIT_FAILED = 0x45
    SOURCE_TON = 0x48
    DESTINATION_TON = 0x50
    REPLACE_FLAG = 0x54
    THROTTLED = 0x58
    SCHEDULE = 0x61
    EXPIRY = 0x62
    TLV_NOT_ALLOWED = 0xC1
    TLV_LENGTH = 0xC2


PAYLOAD, RECEIPTED_ID, STATE = 0x0424, 0x001E, 0x0427
SAR = frozenset({0x020C, 0x020E, 0x020F})
VERSION = 0x0210


@dataclass(frozen=True, slots=True)
class Account:
    """What was agreed. `window`: requests that may wait for an answer on one connection. `receipts`: how
    reports tell: `both`, `text` or `tlv`. `decimal`: the text of a report has the number of a message in
    decimal digits, although the answer gave it in hexadecimal ones."""

    system_id: str = "taxbureau"
    password: str = "secret08"
    source: str = "10690012366"
    service_type: str = ""
    window: int = 10
    connections: int = 8
    receipts: str = "both"
    decimal: bool = False


class Malformed(Exception):
    """The octets are not the message that they claim to be."""


class Reader:
    """Takes a body apart from its start. Raises Malformed where it ends too early."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._place = 0

    def number(self, size: int = 1) -> int:
        """An unsigned integer."""
        return int.from_bytes(self.octets(size))

    def octets(self, size: int) -> bytes:
        """So many octets."""
        end = self._place + size
        if end > len(self._body):
            raise Malformed("too short")
        taken, self._place = self._body[self._place : end], end
        return taken

    def text(self, most: int) -> str:
        """A string that ends with NUL, of at most `most` octets with it."""
        end = self._body.find(b"\0", self._place, self._place + most)
        if end < 0:
            raise Malformed("string without end")
        taken, self._place = self._body[self._place : end], end + 1
        return taken.decode("ascii", "replace")

    def options(self) -> dict[int, bytes]:
        """The optional parameters up to the end."""
        found: dict[int, bytes] = {}
        while self._place < len(self._body):
            tag, size = self.number(2), self.number(2)
            found[tag] = self.octets(size)
        return found


def write_text(text: str) -> bytes:
    """A string that ends with NUL."""
    return text.encode("ascii") + b"\0"


def write_options(options: Mapping[int, bytes]) -> bytes:
    """Optional parameters."""
    return b"".join(tag.to_bytes(2) + len(value).to_bytes(2) + value for tag, value in options.items())


def write_message(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """Header and body."""
    return b"".join(part.to_bytes(4) for part in (HEAD + len(body), command, status, sequence)) + body


def cut(buffer: bytearray) -> Iterator[tuple[int, int, int, bytes]]:
    """Command, status, sequence and body of each whole message, taken off the buffer. Raises Malformed."""
    while len(buffer) >= HEAD:
        length = int.from_bytes(buffer[:4])
        if not HEAD <= length <= LARGEST:
            raise Malformed("length of a message")
        if len(buffer) < length:
            return
        message = bytes(buffer[:length])
        del buffer[:length]
        command, status, sequence = (int.from_bytes(message[n : n + 4]) for n in (4, 8, 12))
        yield command, status, sequence, message[HEAD:]
