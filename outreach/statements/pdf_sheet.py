"""A column of text on A4 pages: wrapped Chinese text, rows, page breaks, and only then ink.

Drawing is collected first and put on paper at the end (pdf_pages.py), so that each page knows how many there
are. Lengths are points; y runs downwards from the top margin.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from outreach.statements.pdf_font import open_font

WIDTH, HEIGHT = 595.28, 841.89
Tag = Literal["P", "H1", "H2", "Figure", ""]
LEFT, RIGHT, TOP, BOTTOM = 48.0, WIDTH - 48.0, 52.0, HEIGHT - 64.0
INK, MUTED, LINE, WASH = "#1b2430", "#566272", "#dfe4eb", "#f0f5fc"
ACCENT, GOOD, WARN = "#1557b0", "#1e7f4f", "#8f4b00"
# Numbers and Latin words stay whole; a Chinese character may end a line, closing marks may not begin one.
_TOKENS = re.compile(r"[0-9A-Za-z.,%\-]+|\s|.", re.DOTALL)
_NOT_FIRST = frozenset("，。；：！？）」』、》〉】")


class Text(NamedTuple):
    """A line of text; lines with the same `group` are one element of the tag tree, '' is decoration."""

    x: float
    y: float
    size: float
    color: str
    bold: bool
    right: bool
    text: str
    tag: Tag
    group: int


class Box(NamedTuple):
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    color: str


class Squares(NamedTuple):
    """A QR code, and what is said of it to who cannot see it."""

    x: float
    y: float
    side: float
    rows: Sequence[Sequence[int]]
    said: str


Mark = Text | Box | Squares


@lru_cache(maxsize=50_000)
def text_width(text: str, size: float) -> float:
    """Width of a text in points."""
    return open_font().shape(text).width * size / 1000


@lru_cache(maxsize=20_000)
def wrap(text: str, size: float, width: float) -> Sequence[str]:
    """Lines that fit the width; a single token that does not is cut."""
    lines, line, used = [], "", 0.0
    for token in _TOKENS.findall(text):
        wide = text_width(token, size)
        if used + wide > width and line and token[0] not in _NOT_FIRST:
            lines.append(line)
            line, used = ("", 0.0) if token.isspace() else (token, wide)
        else:
            line, used = line + token, used + wide
        while used > width * 1.06 and len(line) > 1:
            cut = max(1, int(len(line) * width / used))
            lines.append(line[:cut])
            line, used = line[cut:], text_width(line[cut:], size)
    return [*lines, line] if line else lines


class Sheet:
    """The pages under way; `y` is where the next thing goes."""

    def __init__(self) -> None:
        self.pages: list[list[Mark]] = [[]]
        self.y = TOP
        self._groups = 0

    def need(self, height: float) -> None:
        """Begin a new page if so much does not fit on this one."""
        if self.y + height > BOTTOM:
            self.pages.append([])
            self.y = TOP

    def space(self, height: float) -> None:
        """Leave room."""
        self.y += height

    def put(
        self, text: str, *, x: float = LEFT, size: float = 10, color: str = INK, bold: bool = False,
        right: bool = False, tag: Tag = "P",
    ) -> None:  # fmt: skip
        """One line of text on the current line, which does not advance; `right`: x is its right end."""
        self._groups += 1
        self._put(text, x, size, color, bold, right, tag)

    def _put(self, text: str, x: float, size: float, color: str, bold: bool, right: bool, tag: Tag) -> None:
        mark = Text(x, self.y + size, size, color, bold, right, text, tag, self._groups)
        self.pages[-1].append(mark)

    def box(self, height: float, *, x: float = LEFT, width: float = RIGHT - LEFT, color: str = WASH) -> None:
        """A filled rectangle from the current line down; draw it before what stands on it."""
        self.pages[-1].append(Box(x, self.y, width, height, color))

    def rule(self, color: str = LINE, thickness: float = 0.6) -> None:
        """A line across the column."""
        self.box(thickness, color=color)

    def paragraph(
        self, text: str, *, x: float = LEFT, width: float = RIGHT - LEFT, size: float = 10, color: str = INK,
        bold: bool = False, leading: float = 1.5, tag: Tag = "P",
    ) -> None:  # fmt: skip
        """Wrapped text; advances."""
        self._groups += 1
        for line in wrap(text, size, width):
            self.need(size * leading)
            self._put(line, x, size, color, bold, False, tag)
            self.y += size * leading

    def squares(self, rows: Sequence[Sequence[int]], *, x: float, side: float, said: str) -> None:
        """A QR code (rows of 0 and 1) from the current line down; does not advance."""
        self.pages[-1].append(Squares(x, self.y, side, rows, said))
