"""Bytes of CMPP 2.0 and 3.0. All integers are unsigned and big-endian (sheet `cmpp`, sections 1 to 7).

Readers take what the field sends: texts end at the first NUL and lose their blanks, a missing tail does no
harm, widths go by the length of the message. What cannot be read raises `BadMessage` and nothing else.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

from channels.lines.line import BadMessage, Frame
from channels.lines.texts import Part

CHINA = timezone(timedelta(hours=8), "UTC+8")
LARGEST = 8192
"""Octets of the longest message that is read: 100 numbers of 32 octets need less than half of it."""

_HEADER = struct.Struct(">III")
_CONNECT = struct.Struct(">6s16sBI")
_DELIVER_2 = struct.Struct(">Q21s10sBBB21sBB")
_DELIVER_3 = struct.Struct(">Q21s10sBBB32sBBB")
_QUERY = struct.Struct(">8sB10s8x")
_TOTALS = struct.Struct(">8sB10s8I")
_SEQUENCES = 1 << 16


class Command(IntEnum):
    """Command_Id of what is sent and read here."""

    CONNECT = 0x00000001
    TERMINATE = 0x00000002
    SUBMIT = 0x00000004
    DELIVER = 0x00000005
    QUERY = 0x00000006
    ACTIVE_TEST = 0x00000008
    CONNECT_RESP = 0x80000001
    TERMINATE_RESP = 0x80000002
    SUBMIT_RESP = 0x80000004
    DELIVER_RESP = 0x80000005
    QUERY_RESP = 0x80000006
    ACTIVE_TEST_RESP = 0x80000008


@dataclass(frozen=True, slots=True)
class Layout:
    """In what the versions differ: octets of a number, of a result and of the tail, and whether a number
    carries its type."""

    version: int
    number: int
    result: int
    tail: int
    typed: bool


LAYOUTS = {"2.0": Layout(0x20, 21, 1, 8, False), "3.0": Layout(0x30, 32, 4, 20, True)}


def cut_frames(buffer: bytearray) -> list[Frame]:
    """Take the whole messages off a buffer. Raises BadMessage for a length that no message has."""
    frames, place, end = [], 0, len(buffer)
    while end - place >= _HEADER.size:
        length, command, sequence = _HEADER.unpack_from(buffer, place)
        if not _HEADER.size <= length <= LARGEST:
            raise BadMessage(f"message of {length} octets")
        if end - place < length:
            break
        frames.append(Frame(command, sequence, bytes(buffer[place + _HEADER.size : place + length])))
        place += length
    del buffer[:place]
    return frames


def write_frame(command: int, sequence: int, body: bytes = b"") -> bytes:
    """A message with its header."""
    return _HEADER.pack(_HEADER.size + len(body), command, sequence) + body


def read_text(raw: bytes) -> str:
    """A text field: up to its first NUL, without blanks."""
    return raw.partition(b"\0")[0].strip(b" ").decode("ascii", "replace")


def authenticate(sp_id: str, secret: str, stamp: int) -> bytes:
    """AuthenticatorSource; `stamp` is MMDDHHMMSS as a number."""
    told = sp_id.encode().ljust(6, b"\0") + bytes(9) + secret.encode() + b"%010d" % stamp
    return hashlib.md5(told, usedforsecurity=False).digest()


def stamp_of(moment: datetime) -> int:
    """MMDDHHMMSS of China time, as a number."""
    return int(moment.astimezone(CHINA).strftime("%m%d%H%M%S"))


def write_connect(sequence: int, sp_id: str, secret: str, version: int, stamp: int) -> bytes:
    """CONNECT."""
    proof = authenticate(sp_id, secret, stamp)
    return write_frame(Command.CONNECT, sequence, _CONNECT.pack(sp_id.encode(), proof, version, stamp))


@dataclass(frozen=True, slots=True)
class ConnectAnswer:
    """CONNECT_RESP; `raw_status` in its width on the wire, which the gateway's proof is made of."""

    status: int
    raw_status: bytes
    proof: bytes
    version: int


def read_connect_answer(body: bytes) -> ConnectAnswer:
    """Both forms are told apart by their length: a gateway of 2.0 may answer a CONNECT of 3.0."""
    width = {18: 1, 21: 4}.get(len(body))
    if width is None:
        raise BadMessage("CONNECT_RESP")
    status = body[:width]
    return ConnectAnswer(int.from_bytes(status), status, body[width : width + 16], body[-1])


def is_genuine(answer: ConnectAnswer, source: bytes, secret: str) -> bool:
    """Whether AuthenticatorISMG was made with the shared secret; `source` is our own authenticator."""
    told = answer.raw_status + source + secret.encode()
    return hashlib.md5(told, usedforsecurity=False).digest() == answer.proof


class SubmitForm:
    """SUBMIT for one account: what is the same in every message is packed once."""

    def __init__(
        self,
        layout: Layout,
        *,
        sp_id: str,
        service_id: str,
        source: str,
        fee_user: int = 2,
        fee_type: str = "01",
        fee_code: str = "000000",
    ) -> None:
        self._width, self._typed = layout.number, b"\0" if layout.typed else b""
        fee_number = bytes(layout.number) + self._typed
        service = struct.pack(">B10sB", 0, service_id.encode(), fee_user)
        self._front = service + fee_number + b"\0"
        fees = struct.pack(">6s2s6s", sp_id.encode(), fee_type.encode(), fee_code.encode())
        self._middle = fees + bytes(34) + source.encode().ljust(21, b"\0")
        self._tail = bytes(layout.tail)
        self._fixed = 138 if layout.number == 21 else 163

    def pad(self, number: str) -> bytes:
        """A destination in its width. Raises ValueError if it does not fit."""
        raw = number.encode("ascii")
        if not raw or len(raw) >= self._width:
            raise ValueError("number")
        return raw.ljust(self._width, b"\0")

    def write(self, sequence: int, part: Part, numbers: Sequence[bytes]) -> bytes:
        """A SUBMIT in UCS2 that asks for reports; `numbers` are padded, at most 100."""
        content, count = part.content, len(numbers)
        size = len(content)
        return b"".join(
            (
                _HEADER.pack(self._fixed + self._width * count + size, Command.SUBMIT, sequence),
                b"\0\0\0\0\0\0\0\0%c%c\1" % (part.total, part.number),
                self._front,
                b"\1\10" if part.total > 1 else b"\0\10",
                self._middle,
                b"%c" % count,
                *numbers,
                self._typed,
                b"%c" % size,
                content,
                self._tail,
            )
        )


def read_submit_answer(body: bytes) -> tuple[int, int]:
    """Msg_Id and Result of SUBMIT_RESP, whatever the width of the result."""
    if len(body) not in (9, 12):
        raise BadMessage("SUBMIT_RESP")
    return int.from_bytes(body[:8]), int.from_bytes(body[8:])


def id_of(first: int, place: int) -> int:
    """Msg_Id of the destination at a place of a SUBMIT to many: the low 16 bits count on, without carry."""
    return (first & ~(_SEQUENCES - 1)) | ((first + place) & (_SEQUENCES - 1))


@dataclass(frozen=True, slots=True)
class Deliver:
    """A report or an uplink as it came down."""

    msg_id: int
    dest: str
    udhi: bool
    fmt: int
    source: str
    is_report: bool
    content: bytes


def read_deliver(body: bytes, layout: Layout) -> Deliver:
    """DELIVER of the account's version; the tail behind the content is not looked at."""
    fixed = _DELIVER_3 if layout.typed else _DELIVER_2
    if len(body) < fixed.size:
        raise BadMessage("DELIVER")
    fields = fixed.unpack_from(body)
    msg_id, dest, _, _, udhi, fmt, source = fields[:7]
    registered, length = fields[-2:]
    content = body[fixed.size : fixed.size + length]
    if len(content) < length:
        raise BadMessage("DELIVER")
    return Deliver(msg_id, read_text(dest), bool(udhi), fmt, read_text(source), registered == 1, content)


def write_deliver_answer(sequence: int, msg_id: int, result: int, layout: Layout) -> bytes:
    """DELIVER_RESP."""
    body = msg_id.to_bytes(8) + result.to_bytes(layout.result)
    return write_frame(Command.DELIVER_RESP, sequence, body)


@dataclass(frozen=True, slots=True)
class Report:
    """What a status report says of one SUBMIT; `number` is empty where its tail is missing."""

    msg_id: int
    stat: str
    done_at: datetime | None
    number: str


def read_report(content: bytes) -> Report:
    """A report in either layout: gateways of 3.0 are met that still send the 60 octets of 2.0, and some that
    leave the end away."""
    if len(content) < 35:
        raise BadMessage("report")
    number = content[35:67] if len(content) >= 67 else content[35:56]
    done = read_text(content[25:35])
    return Report(int.from_bytes(content[:8]), read_text(content[8:15]), _moment(done), read_text(number))


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%y%m%d%H%M").replace(tzinfo=CHINA).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class DayTotals:
    """The gateway's own count of a day (QUERY_RESP): `messages` and `users` submitted, of those `sent`,
    `waiting` and `failed`; then what phones sent up: `uplinks`, waiting and failed."""

    messages: int
    users: int
    sent: int
    waiting: int
    failed: int
    uplinks: int
    uplinks_waiting: int
    uplinks_failed: int


def write_query(sequence: int, day: datetime, service_id: str = "") -> bytes:
    """QUERY of a day of China time: all of it, or one Service_Id."""
    date = day.astimezone(CHINA).strftime("%Y%m%d").encode()
    return write_frame(Command.QUERY, sequence, _QUERY.pack(date, bool(service_id), service_id.encode()))


def read_query_answer(body: bytes) -> DayTotals:
    """QUERY_RESP."""
    if len(body) < _TOTALS.size:
        raise BadMessage("QUERY_RESP")
    return DayTotals(*_TOTALS.unpack_from(body)[3:])
