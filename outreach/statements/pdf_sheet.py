"""A column of text on A4 pages: wrapped Chinese text, rows, page breaks, and only then ink.

Drawing is collected first and put on paper at the end (pdf_pages.py), so that each page knows how many there
are. Lengths are points; y runs downwards from the top margin.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, NamedTuple

from outreach.statements.pdf_font import open_font
from outreach.statements.pdf_mongolian import Column, Script

WIDTH, HEIGHT = 595.28, 841.89
Tag = Literal["P", "H1", "H2", "Figure", "TH", "TD", ""]
Row = tuple[int, int]
"""A row of a table: the number of the table on its sheet, from 1, and that of the row in it, from 1."""
NO_ROW: Row = (0, 0)
LEFT, RIGHT, TOP, BOTTOM = 48.0, WIDTH - 48.0, 52.0, HEIGHT - 64.0
# 适老化: text of 14 points and more, and everything grows with it.
_GROWN, _LEAST, _BOTTOM_GROWN = 1.45, 14.0, HEIGHT - 92.0
# Beside Mongolian: from the left its title, its headings, a line, then the Chinese in a column of its own.
_EDGE, _LEFT_BESIDE, _LEFT_GROWN, _RIGHT_BESIDE = 22.0, 90.0, 114.0, WIDTH - 36.0
_LARGE, _SMALL = 17.0, 11.0
# How long the columns of a heading are, in sizes: the first that sets it in two, for more there is no room.
_MOSTS, _ANY = (9.0, 14.0, 22.0, 40.0), 1_000.0
# From column to column, and where in a column its letters stand, in sizes: they reach from -0.26 to 0.95.
_PITCH, _STAND = 1.3, 0.3
INK, MUTED, LINE, WASH = "#1b2430", "#566272", "#dfe4eb", "#f0f5fc"
ACCENT, GOOD, WARN = "#1557b0", "#1e7f4f", "#8f4b00"
# Numbers and Latin words stay whole, an amount keeps its 元; a Chinese character may end a line, closing
# marks may not begin one.
_TOKENS = re.compile(r"[0-9A-Za-z.,%\-]+(?: ?元)?|\s|.", re.DOTALL)
# A paragraph of so few lines is not torn between two pages.
_TOGETHER = 3
_CLOSING = "，。；：！？）」』、》〉】"
_NOT_FIRST = frozenset(_CLOSING)


class Text(NamedTuple):
    """A line of text; lines with the same `group` are one element of the tag tree, '' is decoration. Cells
    (TH, TD) stand in a row."""

    x: float
    y: float
    size: float
    color: str
    bold: bool
    right: bool
    text: str
    tag: Tag
    group: int
    row: Row = NO_ROW


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


class Upright(NamedTuple):
    """A column of Mongolian from top to bottom: `x` is the line on which its letters stand, `said` the whole
    text, also that of further columns of the same `group`."""

    x: float
    y: float
    size: float
    color: str
    code: str
    said: str
    group: int


Mark = Text | Box | Squares | Upright


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
        elif used > width and (start := _last_token(line)):
            # One mark may hang over the edge; a second one takes what it closes to the next line.
            lines.append(line[:start])
            line = line[start:] + token
            used = text_width(line, size)
        else:
            line, used = line + token, used + wide
        while used > width * 1.06 and len(line) > 1:
            cut = max(1, int(len(line) * width / used))
            lines.append(line[:cut])
            line, used = line[cut:], text_width(line[cut:], size)
    return [*lines, line] if line else lines


def _last_token(line: str) -> int:
    """Where what the closing marks at the end of a line belong to begins."""
    whole = line.rstrip(_CLOSING)
    return len(whole) - len((_TOKENS.findall(whole) or [""])[-1])


class Sheet:
    """The pages under way; `y` is where the next thing goes. With a script Mongolian stands at the left.

    Lengths and sizes are those of normal print: a sheet in large print makes them larger itself, where it
    takes them; what is reckoned outside asks `grown` and `sized`.
    """

    def __init__(self, script: Script | None = None, *, large: bool = False) -> None:
        self.script, self.large = script, large
        self.bottom = _BOTTOM_GROWN if large else BOTTOM
        beside = _LEFT_GROWN if large else _LEFT_BESIDE
        self.left, self.right = (LEFT, RIGHT) if script is None else (beside, _RIGHT_BESIDE)
        self._small = self.sized(_SMALL)
        self.pages: list[list[Mark]] = []
        self._groups = 0
        self._row = NO_ROW
        self._on = -1
        self._begin_page()
        self._first = (-1, self.y)

    def grown(self, length: float) -> float:
        """A length of normal print as it is on this sheet."""
        return length * _GROWN if self.large else length

    def sized(self, size: float) -> float:
        """A size of normal print as it is on this sheet."""
        return max(size * _GROWN, _LEAST) if self.large else size

    def _begin_page(self) -> None:
        self.y = self._beside = TOP
        between = Box(self.left - 9, TOP, 0.6, self.bottom - TOP, LINE)
        self.pages.append([between] if self.script else [])

    def need(self, height: float) -> None:
        """Begin a new page if so much does not fit on this one."""
        self._need(self.grown(height))

    def _need(self, height: float) -> None:
        if self.y + height > self.bottom:
            self._begin_page()

    def need_section(self, height: float, key: str) -> None:
        """As `need`, for a section with its Mongolian heading, which begins below the one before."""
        room = self.grown(height)
        if self.script:
            self.y = max(self.y, self._beside)
            room = max(room, self.grown(14) + _longest(_heading(self.script, key)) * self._small)
        self._need(room)

    def put_title_beside(self, key: str) -> None:
        """The title in Mongolian at the outer edge of the page (without one the name of the service, as on
        the phone), below it that for amounts the Chinese holds; smaller where the translation is long."""
        if not self.script:
            return
        shown, y = key if self.script.text(key) else "service", TOP
        for one, size, color, bottom in (
            (shown, self.sized(_LARGE), ACCENT, 520.0),
            ("amounts_note", self._small, MUTED, self.bottom),
        ):
            columns = self.script.columns(one, _ANY)
            fitting = min(size, (bottom - y) / max(_longest(columns), 1))
            self._put_columns(self.script.text(one), columns, _EDGE, y, fitting, color)
            y += _longest(columns) * fitting + 18

    def put_draft_note(self) -> None:
        """At the right of the current line that nobody has reviewed the Mongolian, while its file says so; in
        large print, where there is no room for it, on a line of its own."""
        said = "蒙古文为未经审核的译文草稿，以中文为准"
        if self.script and self.script.is_draft:
            if self.large:
                self.paragraph(said, size=8.5, color=MUTED)
            else:
                self.put(said, size=8.5, color=MUTED, right=True)

    def put_heading_beside(self, key: str, color: str) -> None:
        """A heading in Mongolian beside its section, from the current line down."""
        if self.script:
            columns = _heading(self.script, key)
            x = self.left - 13 - len(columns) * self._small * _PITCH
            self._put_columns(self.script.text(key), columns, x, self.y, self._small, color)
            self._beside = self.y + _longest(columns) * self._small + 8

    def _put_columns(
        self, said: str, columns: Sequence[Column], x: float, y: float, size: float, color: str
    ) -> None:
        self._groups += 1
        for number, column in enumerate(columns):
            stand = x + (number * _PITCH + _STAND) * size
            self.pages[-1].append(Upright(stand, y, size, color, column.code, said, self._groups))

    def space(self, height: float) -> None:
        """Leave room."""
        self.y += self.grown(height)

    def begin_table(self) -> None:
        """The cells that follow are those of a new table; its first row holds the headings of the columns."""
        self._row = (self._row[0] + 1, 0)

    def begin_row(self) -> None:
        """The cells that follow are those of the next row; it begins with what it is about, as TH."""
        table, row = self._row
        self._row = (table, row + 1)

    def put(
        self, text: str, *, x: float | None = None, size: float = 10, color: str = INK, bold: bool = False,
        right: bool = False, tag: Tag = "P",
    ) -> None:  # fmt: skip
        """One line of text on the current line, which does not advance; `right`: x is its right end. Without
        an x it begins (or ends) at the edge of the column."""
        self._groups += 1
        at = (self.right if right else self.left) if x is None else x
        self._put(text, at, self.sized(size), color, bold, right, tag)

    def _put(self, text: str, x: float, size: float, color: str, bold: bool, right: bool, tag: Tag) -> None:
        # Whoever needs large print needs the contrast too, as on the phone.
        color = INK if self.large and color == MUTED else color
        row = self._row if tag in ("TH", "TD") else NO_ROW
        mark = Text(x, self.y + size, size, color, bold, right, text, tag, self._groups, row)
        self.pages[self._on].append(mark)

    def box(self, height: float, *, width: float | None = None, color: str = WASH) -> None:
        """A filled rectangle from the current line down; draw it before what stands on it."""
        wide = self.right - self.left if width is None else width
        self.pages[-1].append(Box(self.left, self.y, wide, self.grown(height), color))

    def rule(self, color: str = LINE, thickness: float = 0.6) -> None:
        """A line across the column."""
        self.box(thickness, color=color)

    def paragraph(
        self, text: str, *, x: float | None = None, width: float | None = None, size: float = 10,
        color: str = INK, bold: bool = False, leading: float = 1.5, tag: Tag = "P",
    ) -> None:  # fmt: skip
        """Wrapped text, from the left edge of the column to its right one unless told otherwise; advances."""
        self._groups += 1
        at, shown = self.left if x is None else x, self.sized(size)
        lines = wrap(text, shown, self.right - at if width is None else width)
        self._need(shown * leading * (len(lines) if len(lines) <= _TOGETHER else 1))
        self._first = (len(self.pages) - 1, self.y)
        for line in lines:
            self._need(shown * leading)
            self._put(line, at, shown, color, bold, False, tag)
            self.y += shown * leading

    @contextmanager
    def beside_first_line(self) -> Iterator[None]:
        """What is put within stands on the first line of the paragraph before, and is read after it."""
        below = self.y
        self._on, self.y = self._first
        yield
        self._on, self.y = -1, below

    def squares(self, rows: Sequence[Sequence[int]], *, x: float, side: float, said: str) -> None:
        """A QR code (rows of 0 and 1) from the current line down; does not advance."""
        self.pages[-1].append(Squares(x, self.y, side, rows, said))


def _heading(script: Script, key: str) -> Sequence[Column]:
    tries = (script.columns(key, most) for most in _MOSTS)
    return next((columns for columns in tries if len(columns) <= 2), ())


def _longest(columns: Sequence[Column]) -> float:
    """Length of the longest column, in sizes."""
    return max((column.length for column in columns), default=0) / 1000
