"""QR codes (ISO/IEC 18004, error correction M) as one SVG path.

With version, level and mask given, every step from the text to the modules is linear over GF(2) but for a
constant: the code of a text is that of another of the same length, changed by one pattern for each bit that
differs. So the codes of an address that ends in a check value are put together from patterns made once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import segno

_QUIET = 4
_MASK = 2
_PIECE = 8
_DIGITS = 64
_DARK = re.compile("1+")


@dataclass(frozen=True, slots=True)
class QrPath:
    """A QR code as one SVG path; `size` is the side in modules, the quiet zone included."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class CheckCodes:
    """The codes of one address with 64 hexadecimal digits at its end. Modules are bits, row by row, the first
    the highest: of the code whose digits are all 0, and what each digit in each place changes in it."""

    side: int
    zero: int
    changes: Sequence[Mapping[str, int]]


def qr_path(text: str) -> QrPath:
    """The code of any text."""
    return _draw(*_encode(text))


@cache
def check_codes(address: str) -> CheckCodes:
    """The codes of an address up to its digits; made once, in some 300 codes of the usual way."""
    side, zero = _encode(address + "0" * _DIGITS)

    def change(place: int, digit: str) -> int:
        return _encode(f"{address}{digit:0>{place + 1}}".ljust(len(address) + _DIGITS, "0"))[1] ^ zero

    def changes(place: int) -> dict[str, int]:
        bits = {1 << k: change(place, f"{1 << k}") for k in range(4)}
        # In ASCII "a" is 0x61, so that it differs from "1" (0x31) in what makes a letter alone.
        letter = change(place, "a") ^ bits[1]
        numbers = {f"{n}": _sum(bits, n) for n in range(10)}
        return numbers | {name: letter ^ _sum(bits, n) for n, name in enumerate("abcdef", 1)}

    return CheckCodes(side, zero, [changes(place) for place in range(_DIGITS)])


def draw_code(codes: CheckCodes, digits: str) -> QrPath:
    """The code of the address with these 64 digits (0-9, a-f): what `qr_path` makes of the whole text."""
    modules = codes.zero
    for changes, digit in zip(codes.changes, digits, strict=True):
        modules ^= changes[digit]
    return _draw(codes.side, modules)


def _sum(bits: Mapping[int, int], number: int) -> int:
    total = 0
    for bit, change in bits.items():
        if number & bit:
            total ^= change
    return total


def _encode(text: str) -> tuple[int, int]:
    matrix = segno.make_qr(text, error="m", mask=_MASK).matrix
    return len(matrix), int("".join(["1" if dark else "0" for row in matrix for dark in row]), 2)


def _draw(side: int, modules: int) -> QrPath:
    text = f"{modules:0{side * side}b}"
    rows = (text[start : start + side] for start in range(0, side * side, side))
    path = "".join([f"M{_QUIET} {y}{_row(row)}" for y, row in enumerate(rows, _QUIET)])
    return QrPath(path, side + 2 * _QUIET)


def _row(row: str) -> str:
    return "".join([_piece(row[start : start + _PIECE]) for start in range(0, len(row), _PIECE)])


@cache
def _piece(modules: str) -> str:
    """The dark runs of some neighbours, drawn from the first one's corner to the corner behind the last."""
    path, place = "", 0
    for run in _DARK.finditer(modules):
        width = run.end() - run.start()
        path += f"m{run.start() - place} 0h{width}v1h-{width}z"
        place = run.start()
    return f"{path}m{len(modules) - place} 0"
