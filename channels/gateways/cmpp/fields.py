"""CMPP messages as tables of fields, for both versions. Source: protocol sheet `cmpp`, sections 2 to 7.

A field is its name and its size; a size of 1, 4 or 8 in `NUMBERS` is an unsigned integer, everything else
octets.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Table = tuple[tuple[str, int], ...]

LARGEST = 8192
HEAD = 12

CONNECT: Table = (("source", 6), ("authenticator", 16), ("version", 1), ("stamp", 4))
QUERY: Table = (("time", 8), ("query_type", 1), ("query_code", 10), ("reserve", 8))
TOTALS = ("mt_tlmsg", "mt_tlusr", "mt_scs", "mt_wt", "mt_fl", "mo_scs", "mo_wt", "mo_fl")

_SUBMIT_HEAD: Table = (
    ("msg_id", 8),
    ("pk_total", 1),
    ("pk_number", 1),
    ("registered", 1),
    ("level", 1),
    ("service_id", 10),
    ("fee_user", 1),
)
_SUBMIT_MIDDLE: Table = (
    ("pid", 1),
    ("udhi", 1),
    ("fmt", 1),
    ("msg_src", 6),
    ("fee_type", 2),
    ("fee_code", 6),
    ("valid", 17),
    ("at_time", 17),
    ("src_id", 21),
    ("count", 1),
)
SUBMIT_2: Table = (*_SUBMIT_HEAD, ("fee_number", 21), *_SUBMIT_MIDDLE)
SUBMIT_3: Table = (*_SUBMIT_HEAD, ("fee_number", 32), ("fee_kind", 1), *_SUBMIT_MIDDLE)

_DELIVER_HEAD: Table = (
    ("msg_id", 8),
    ("dest", 21),
    ("service_id", 10),
    ("pid", 1),
    ("udhi", 1),
    ("fmt", 1),
)
DELIVER_2: Table = (*_DELIVER_HEAD, ("source", 21), ("registered", 1), ("length", 1))
DELIVER_3: Table = (*_DELIVER_HEAD, ("source", 32), ("source_kind", 1), ("registered", 1), ("length", 1))

NUMBERS = frozenset(
    {"version", "stamp", "msg_id", "pk_total", "pk_number", "registered", "level", "fee_user", "fee_kind"}
    | {"pid", "udhi", "fmt", "count", "length", "query_type", "source_kind", "status", *TOTALS}
)


class Malformed(Exception):
    """The bytes are not the message that they claim to be."""


def size_of(table: Table) -> int:
    """Octets of a table's fields."""
    return sum(size for _, size in table)


def read(table: Table, body: bytes) -> dict[str, Any]:
    """The fields at the start of a body. Raises Malformed if it is too short."""
    if len(body) < size_of(table):
        raise Malformed("too short")
    fields: dict[str, Any] = {}
    place = 0
    for name, size in table:
        raw = body[place : place + size]
        fields[name] = int.from_bytes(raw) if name in NUMBERS else raw
        place += size
    return fields


def write(table: Table, fields: Mapping[str, Any]) -> bytes:
    """Fields in their order; what is not given is zero."""
    parts: list[bytes] = []
    for name, size in table:
        value = fields.get(name, 0 if name in NUMBERS else b"")
        parts.append(value.to_bytes(size) if name in NUMBERS else value[:size].ljust(size, b"\0"))
    return b"".join(parts)


def read_submit(body: bytes, third: bool) -> dict[str, Any]:
    """A SUBMIT; `numbers` are its destinations as they came, `content` its text. Raises Malformed unless it
    is exactly as long as its counts say."""
    table, width = (SUBMIT_3, 32) if third else (SUBMIT_2, 21)
    fields = read(table, body)
    place = size_of(table)
    end = place + width * fields["count"]
    fields["numbers"] = [body[n : n + width] for n in range(place, end, width)]
    if third:
        fields["dest_kind"] = body[end] if end < len(body) else 0
        end += 1
    if end >= len(body):
        raise Malformed("too short")
    fields["length"] = body[end]
    content_end = end + 1 + fields["length"]
    fields["content"] = body[end + 1 : content_end]
    fields["tail"] = body[content_end:]
    if len(body) != content_end + (20 if third else 8):
        raise Malformed("length")
    return fields


def write_message(command: int, sequence: int, body: bytes) -> bytes:
    """Header and body."""
    return b"".join(part.to_bytes(4) for part in (HEAD + len(body), command, sequence)) + body


def cut(buffer: bytearray) -> Iterator[tuple[int, int, bytes]]:
    """Command, sequence and body of each whole message, taken off the buffer. Raises Malformed."""
    while len(buffer) >= HEAD:
        length = int.from_bytes(buffer[:4])
        if not HEAD <= length <= LARGEST:
            raise Malformed("length of a message")
        if len(buffer) < length:
            return
        message = bytes(buffer[:length])
        del buffer[:length]
        yield int.from_bytes(message[4:8]), int.from_bytes(message[8:12]), message[HEAD:]
