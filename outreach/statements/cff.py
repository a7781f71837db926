"""Subsets of a CID-keyed CFF font, as PDF embeds them (FontFile3 / CIDFontType0C).

Sources: Adobe Technical Notes 5176 (the CFF format) and 5177 (Type 2 charstrings). Noto Sans SC comes with
PostScript outlines, which the PDF library does not embed by itself. The subset holds the used glyphs only,
with their subroutines written out in place, and names each glyph (its CID) by its number in the whole font.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

_CHARSET, _CHAR_STRINGS, _PRIVATE, _SUBRS, _BBOX = 15, 17, 18, 19, 5
_ROS, _CID_COUNT, _FD_ARRAY, _FD_SELECT = 1230, 1234, 1236, 1237
_STEMS = frozenset((1, 3, 18, 23))
_CALL, _RETURN, _END, _HINT_MASK, _CONTOUR_MASK, _CALL_GLOBAL = 10, 11, 14, 19, 20, 29
Dict = dict[int, bytes]


class CffFont:
    """One parsed CFF table. Raises ValueError for anything but a CID-keyed font."""

    def __init__(self, table: bytes) -> None:
        self._table = table
        _, end = read_index(table, table[2])
        tops, end = read_index(table, end)
        _, end = read_index(table, end)
        self._global, _ = read_index(table, end)
        self._top = read_dict(tops[0])
        if _ROS not in self._top:
            raise ValueError("the font is not CID-keyed")
        self._glyphs, _ = read_index(table, self._offset(_CHAR_STRINGS))
        fonts, _ = read_index(table, self._offset(_FD_ARRAY))
        self._private = [self._read_private(read_dict(font)) for font in fonts]
        self._select = _read_select(table, self._offset(_FD_SELECT), len(self._glyphs))
        self._plain = lru_cache(maxsize=20_000)(self._write_out)

    def subset(self, glyphs: Sequence[int], name: str) -> bytes:
        """A CFF font of these glyphs (numbers in the whole font, 0 first, ascending)."""
        used = sorted({self._select[glyph] for glyph in glyphs})
        place = {font: index for index, font in enumerate(used)}
        strings = write_index([self._plain(glyph) for glyph in glyphs])
        charset = b"\0" + b"".join(struct.pack(">H", glyph) for glyph in glyphs[1:])
        select = b"\0" + bytes(place[self._select[glyph]] for glyph in glyphs)
        head = b"\1\0\4\4" + write_index([name.encode("ascii")])
        tail = write_index([b"Adobe", b"Identity"]) + write_index([])
        top_size = len(write_index([self._write_top(0, 0, 0, 0)]))
        charset_at = len(head) + top_size + len(tail)
        select_at = charset_at + len(charset)
        strings_at = select_at + len(select)
        privates_at = strings_at + len(strings)
        privates, fonts = self._write_fonts(used, privates_at)
        top = self._write_top(charset_at, select_at, strings_at, privates_at + len(privates))
        return b"".join((head, write_index([top]), tail, charset, select, strings, privates, fonts))

    def _write_fonts(self, used: Sequence[int], at: int) -> tuple[bytes, bytes]:
        privates, fonts = b"", []
        for font in used:
            body = self._private[font][0]
            fonts.append(_number(len(body)) + _number(at + len(privates)) + bytes([_PRIVATE]))
            privates += body
        return privates, write_index(fonts)

    def _write_top(self, charset: int, select: int, strings: int, fonts: int) -> bytes:
        # The first two own strings have numbers 391 and 392 (TN 5176 section 10).
        ros = _number(391) + _number(392) + _number(0) + bytes((12, 30))
        count = _number(65_535) + bytes((12, 34))
        box = self._top.get(_BBOX, b"") + bytes([_BBOX]) if _BBOX in self._top else b""
        return b"".join((
            ros, count, box, _number(charset), bytes([_CHARSET]), _number(select), bytes((12, 37)),
            _number(strings), bytes([_CHAR_STRINGS]), _number(fonts), bytes((12, 36)),
        ))  # fmt: skip

    def _offset(self, operator: int) -> int:
        return _integers(self._top[operator])[0]

    def _read_private(self, font: Mapping[int, bytes]) -> tuple[bytes, Sequence[bytes]]:
        """The Private DICT without its subroutines, and the subroutines."""
        size, at = _integers(font[_PRIVATE])
        private = read_dict(self._table[at : at + size])
        subrs: Sequence[bytes] = ()
        if _SUBRS in private:
            subrs, _ = read_index(self._table, at + _integers(private.pop(_SUBRS))[0])
        return b"".join(operands + _operator(code) for code, operands in private.items()), subrs

    def _write_out(self, glyph: int) -> bytes:
        writer = _Plain(self._global, self._private[self._select[glyph]][1])
        writer.run(self._glyphs[glyph])
        return b"".join(writer.out)


class _Plain:
    """Copies a charstring with its subroutines in place; counts stems, because masks depend on them."""

    def __init__(self, common: Sequence[bytes], local: Sequence[bytes]) -> None:
        self.out: list[bytes] = []
        self._common, self._local = common, local
        self._operands = self._stems = 0

    def run(self, code: bytes) -> bool:
        """Returns True when the glyph has ended."""
        at = 0
        while at < len(code):
            byte = code[at]
            if byte >= 32 or byte == 28:
                size = _operand_size(byte)
                self.out.append(code[at : at + size])
                self._operands += 1
                at += size
                continue
            size = 2 if byte == 12 else 1
            if byte == _RETURN:
                return False
            if byte in (_CALL, _CALL_GLOBAL):
                if self._call(self._common if byte == _CALL_GLOBAL else self._local):
                    return True
            else:
                size += self._operator(byte)
                self.out.append(code[at : at + size])
            if byte == _END:
                return True
            at += size
        return False

    def _call(self, subrs: Sequence[bytes]) -> bool:
        bias = 107 if len(subrs) < 1240 else 1131 if len(subrs) < 33_900 else 32_768
        self._operands -= 1
        return self.run(subrs[_charstring_number(self.out.pop()) + bias])

    def _operator(self, byte: int) -> int:
        """The length of the mask that follows, 0 for other operators."""
        if byte in _STEMS or byte in (_HINT_MASK, _CONTOUR_MASK):
            self._stems += self._operands // 2
        self._operands = 0
        return (self._stems + 7) // 8 if byte in (_HINT_MASK, _CONTOUR_MASK) else 0


def read_index(data: bytes, at: int) -> tuple[list[bytes], int]:
    """An INDEX and where it ends."""
    count = struct.unpack_from(">H", data, at)[0]
    if count == 0:
        return [], at + 2
    size = data[at + 2]
    first = at + 3
    offsets = [
        int.from_bytes(data[first + i * size : first + (i + 1) * size], "big") for i in range(count + 1)
    ]
    base = first + (count + 1) * size - 1
    return [data[base + start : base + end] for start, end in pairwise(offsets)], base + offsets[-1]


def write_index(items: Sequence[bytes]) -> bytes:
    """An INDEX with four-byte offsets."""
    if not items:
        return b"\0\0"
    offsets, end = [1], 1
    for item in items:
        end += len(item)
        offsets.append(end)
    return struct.pack(">HB", len(items), 4) + struct.pack(f">{len(offsets)}L", *offsets) + b"".join(items)


def read_dict(data: bytes) -> Dict:
    """A DICT: operator (two-byte ones as 1200 + second byte) to its operands, still encoded."""
    found: Dict = {}
    at = start = 0
    while at < len(data):
        byte = data[at]
        if byte <= 21:
            code = 1200 + data[at + 1] if byte == 12 else byte
            found[code] = data[start:at]
            at = start = at + (2 if byte == 12 else 1)
        elif byte == 30:
            while data[at] & 15 != 15 and data[at] >> 4 != 15:
                at += 1
            at += 1
        else:
            at += {28: 3, 29: 5}.get(byte, _operand_size(byte))
    return found


def _operand_size(byte: int) -> int:
    """Bytes of an operand of a charstring (TN 5177 section 3.2)."""
    if byte == 28:
        return 3
    return 1 if byte <= 246 else 2 if byte <= 254 else 5


def _charstring_number(text: bytes) -> int:
    first = text[0]
    if first == 28:
        return int(struct.unpack(">h", text[1:3])[0])
    if first <= 246:
        return first - 139
    if first <= 250:
        return (first - 247) * 256 + text[1] + 108
    return -(first - 251) * 256 - text[1] - 108


def _integers(operands: bytes) -> list[int]:
    found, at = [], 0
    while at < len(operands):
        if operands[at] == 29:
            found.append(int(struct.unpack(">l", operands[at + 1 : at + 5])[0]))
            at += 5
        else:
            size = _operand_size(operands[at])
            found.append(_charstring_number(operands[at : at + size]))
            at += size
    return found


def _number(value: int) -> bytes:
    return b"\x1d" + struct.pack(">l", value)


def _operator(code: int) -> bytes:
    return bytes((12, code - 1200)) if code >= 1200 else bytes([code])


def _read_select(data: bytes, at: int, glyphs: int) -> bytes:
    """Which font DICT each glyph uses (formats 0 and 3)."""
    if data[at] == 0:
        return data[at + 1 : at + 1 + glyphs]
    if data[at] != 3:
        raise ValueError(f"unknown format of FDSelect: {data[at]}")
    count = struct.unpack_from(">H", data, at + 1)[0]
    select = bytearray(glyphs)
    for number in range(count):
        first, font, following = struct.unpack_from(">HBH", data, at + 3 + 3 * number)
        select[first:following] = bytes([font]) * (following - first)
    return bytes(select)
