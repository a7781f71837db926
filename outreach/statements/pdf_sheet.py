"""A column of text on A4 pages: wrapped Chinese text, rows, page breaks, and only then ink.

Drawing is collected first and put on paper at the end, so that each page knows how many there are.
Lengths are points; y runs downwards from the top margin.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from outreach.statements.pdf_font import register_font

WIDTH, HEIGHT = A4
LEFT, RIGHT, TOP, BOTTOM = 48.0, WIDTH - 48.0, 52.0, HEIGHT - 64.0
INK, MUTED, LINE, ACCENT, GOOD, WASH = "#1b2430", "#566272", "#dfe4eb", "#1557b0", "#1e7f4f", "#f0f5fc"
# Numbers and Latin words stay whole; a Chinese character may end a line, closing marks may not begin one.
_TOKENS = re.compile(r"[0-9A-Za-z.,%\-]+|\s|.", re.DOTALL)
_NOT_FIRST = frozenset("，。；：！？）」』、》〉】")


@dataclass(frozen=True, slots=True)
class _Text:
    x: float
    y: float
    size: float
    color: str
    bold: bool
    right: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float
    height: float
    color: str


@dataclass(frozen=True, slots=True)
class _Squares:
    x: float
    y: float
    side: float
    rows: Sequence[Sequence[int]]


_Mark = _Text | _Box | _Squares


@lru_cache(maxsize=50_000)
def text_width(text: str, size: float) -> float:
    """Width of a text in points."""
    return float(pdfmetrics.stringWidth(text, register_font(), size))


def wrap(text: str, size: float, width: float) -> list[str]:
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
        self.pages: list[list[_Mark]] = [[]]
        self.y = TOP

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
        right: bool = False,
    ) -> None:  # fmt: skip
        """One line of text on the current line, which does not advance; `right`: x is its right end."""
        self.pages[-1].append(_Text(x, self.y + size, size, color, bold, right, text))

    def box(self, height: float, *, x: float = LEFT, width: float = RIGHT - LEFT, color: str = WASH) -> None:
        """A filled rectangle from the current line down; draw it before what stands on it."""
        self.pages[-1].append(_Box(x, self.y, width, height, color))

    def rule(self, color: str = LINE, thickness: float = 0.6) -> None:
        """A line across the column."""
        self.box(thickness, color=color)

    def paragraph(
        self, text: str, *, x: float = LEFT, width: float = RIGHT - LEFT, size: float = 10, color: str = INK,
        bold: bool = False, leading: float = 1.5,
    ) -> None:  # fmt: skip
        """Wrapped text; advances."""
        for line in wrap(text, size, width):
            self.need(size * leading)
            self.put(line, x=x, size=size, color=color, bold=bold)
            self.y += size * leading

    def squares(self, rows: Sequence[Sequence[int]], *, x: float, side: float) -> None:
        """A QR code (rows of 0 and 1) from the current line down; does not advance."""
        self.pages[-1].append(_Squares(x, self.y, side, rows))

    def write(self, title: str, author: str, footer: str) -> bytes:
        """The PDF; the footer stands on every page beside its number."""
        out = io.BytesIO()
        font = register_font()
        canvas = Canvas(out, pagesize=A4, pageCompression=1, initialFontName=font, lang="zh-CN")
        canvas.setTitle(title)
        canvas.setAuthor(author)
        for number, marks in enumerate(self.pages, start=1):
            foot = f"第 {number} 页，共 {len(self.pages)} 页"
            y = HEIGHT - 34
            marks = [
                *marks,
                _Box(LEFT, y - 14, RIGHT - LEFT, 0.6, LINE),
                _Text(LEFT, y, 7.5, MUTED, False, False, footer),
                _Text(RIGHT, y, 7.5, MUTED, False, True, foot),
            ]
            for mark in marks:
                _draw(canvas, font, mark)
            canvas.showPage()
        canvas.save()
        return out.getvalue()


def _draw(canvas: Canvas, font: str, mark: _Mark) -> None:
    if isinstance(mark, _Squares):
        canvas.addLiteral(_squares(mark))
        return
    if isinstance(mark, _Box):
        canvas.setFillColor(_color(mark.color))
        canvas.rect(mark.x, HEIGHT - mark.y - mark.height, mark.width, mark.height, stroke=0, fill=1)
        return
    x = mark.x - text_width(mark.text, mark.size) if mark.right else mark.x
    text = canvas.beginText(x, HEIGHT - mark.y)
    text.setFillColor(_color(mark.color))
    text.setFont(font, mark.size)
    if mark.bold:
        # The wheel brings one weight: a thin outline of the same colour makes headings stronger.
        text.setStrokeColor(_color(mark.color))
        canvas.setLineWidth(mark.size * 0.028)
        text.setTextRenderMode(2)
    text.textOut(mark.text)
    if mark.bold:
        text.setTextRenderMode(0)
    canvas.drawText(text)


@cache
def _color(code: str) -> Color:
    return HexColor(code)


def _squares(mark: _Squares) -> str:
    """Operators that fill the dark modules as one path, in units of a module."""
    step = mark.side / len(mark.rows)
    drawn = "".join(
        f"{start} {number} {length} 1 re\n"
        for number, row in enumerate(mark.rows)
        for start, length in _runs(row)
    )
    return f"q 0 0 0 rg {step:.4f} 0 0 {-step:.4f} {mark.x:.2f} {HEIGHT - mark.y:.2f} cm\n{drawn}f Q"


def _runs(row: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring dark modules as (start, length): no hairlines between them."""
    start = -1
    for place, dark in enumerate([*row, 0]):
        if dark and start < 0:
            start = place
        elif not dark and start >= 0:
            yield start, place - start
            start = -1
