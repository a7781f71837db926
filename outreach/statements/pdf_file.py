"""The bytes of a PDF file (ISO 32000-1): numbered objects, compressed together, and where they stand.

Dictionaries go into object streams (section 7.5.7), positions into a cross-reference stream (7.5.8): a tagged
page has more than a hundred small objects, which this makes a tenth as large.
"""

import struct
import zlib
from collections.abc import Iterable
from hashlib import sha256

_HEAD = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
_IN_ONE = 200


class PdfFile:
    """Collects objects; numbers begin with 1."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._streams: list[tuple[int, bytes]] = []

    def add(self, body: bytes = b"") -> int:
        """An object's number; without a body it is reserved for `fill`."""
        self._bodies.append(body)
        return len(self._bodies)

    def fill(self, number: int, body: bytes) -> None:
        """The body of a reserved object."""
        self._bodies[number - 1] = body

    def add_stream(self, data: bytes, entries: bytes = b"", *, level: int = 6) -> int:
        """A stream; level 0 leaves the data as they are."""
        number = self.add()
        self._streams.append((number, _stream(data, entries, level)))
        return number

    def write(self, root: int, info: int) -> bytes:
        """The file. The two numbers are those of the catalogue and of the document information."""
        out, places = [_HEAD], {}
        at = len(_HEAD)

        def put(number: int, body: bytes) -> None:
            nonlocal at
            places[number] = (1, at, 0)
            out.append(b"%d 0 obj\n%b\nendobj\n" % (number, body))
            at += len(out[-1])

        apart = {number for number, _ in self._streams}
        plain = [number for number in range(1, len(self._bodies) + 1) if number not in apart]
        for number, body in self._streams:
            put(number, body)
        following = len(self._bodies) + 1
        for first in range(0, len(plain), _IN_ONE):
            held = plain[first : first + _IN_ONE]
            put(following, self._packed(held))
            places.update((number, (2, following, index)) for index, number in enumerate(held))
            following += 1
        return b"".join(out) + _positions(places, following, at, root, info, out)

    def _packed(self, numbers: Iterable[int]) -> bytes:
        heads, bodies, at = [], [], 0
        for number in numbers:
            body = self._bodies[number - 1]
            heads.append(b"%d %d" % (number, at))
            bodies.append(body)
            at += len(body) + 1
        head = b" ".join(heads) + b"\n"
        entries = b"/Type /ObjStm /N %d /First %d" % (len(heads), len(head))
        return _stream(head + b"\n".join(bodies), entries, 6)


def _stream(data: bytes, entries: bytes, level: int) -> bytes:
    if level:
        data, entries = zlib.compress(data, level), b"/Filter /FlateDecode " + entries
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (entries, len(data), data)


def _positions(
    places: dict[int, tuple[int, int, int]], number: int, at: int, root: int, info: int, out: list[bytes]
) -> bytes:
    places[number] = (1, at, 0)
    rows = [struct.pack(">BLH", 0, 0, 65_535)]
    rows += [struct.pack(">BLH", *places[one]) for one in range(1, number + 1)]
    name = sha256(b"".join(out[-3:])).hexdigest()[:32].encode()
    entries = b"/Type /XRef /Size %d /W [1 4 2] /Root %d 0 R /Info %d 0 R /ID [<%b> <%b>]" % (
        number + 1, root, info, name, name,
    )  # fmt: skip
    body = _stream(b"".join(rows), entries, 6)
    return b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (number, body, at)


def text_string(text: str) -> bytes:
    """A text for people (UTF-16, section 7.9.2.2), as a hexadecimal string."""
    return b"<feff%b>" % text.encode("utf-16-be").hex().encode()
