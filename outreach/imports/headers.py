"""Which rows are the header, and what stands above each column.

Offices put titles above the header and merge cells over up to three rows. A header is the run of rows whose
joined texts name the most known fields; `法定代表人` over `姓名` becomes `法定代表人/姓名`.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outreach.imports.cells import strip_all, text_of

_TITLE_ROWS, _HEADER_ROWS = 10, 3
_DECORATION = re.compile(r"[\s*＊:：]|[（(](?:必填|选填|可选|文本格式?|[Yy]yyy.*?|格式.*?|元)[)）]")


@dataclass(frozen=True, slots=True)
class Header:
    """Texts per column, how many records stand before the data, and the header's rows as they are."""

    texts: tuple[str, ...]
    skip: int
    rows: frozenset[tuple[str, ...]]


def plain(text: str) -> str:
    """A header for comparison: half-width, lower case, without blanks, asterisks and 必填 notes."""
    return _DECORATION.sub("", unicodedata.normalize("NFKC", _DECORATION.sub("", text))).casefold()


def find_header(
    head: Sequence[Sequence[object]], count_known: Callable[[Sequence[str]], int]
) -> Header | None:
    """The best header within the first rows; None if nowhere a known field is named."""
    rows = [strip_all([text_of(cell) for cell in row]) for row in head]
    best: tuple[int, Header] | None = None
    for start in range(min(_TITLE_ROWS, len(rows))):
        for depth in range(1, min(_HEADER_ROWS, len(rows) - start) + 1):
            header = _header(rows[start : start + depth], start + depth)
            known = count_known(header.texts)
            if known and (best is None or known > best[0]):
                best = (known, header)
    return best[1] if best else None


def likely_header(head: Sequence[Sequence[object]]) -> list[str]:
    """The fullest of the first rows, to show when no known field is named."""
    rows = [[text for text in strip_all([text_of(cell) for cell in row]) if text] for row in head]
    return max(rows[:_TITLE_ROWS], key=len, default=[])


def _header(rows: list[list[str]], skip: int) -> Header:
    width = max(len(row) for row in rows)
    while width and not any(len(row) >= width and row[width - 1] for row in rows):
        width -= 1
    levels = [[*row[:width], *[""] * (width - len(row))] for row in rows]
    whole = frozenset((*row, *[""] * (width - len(row))) for row in rows if any(row))
    for level in range(len(levels) - 1):
        _fill_from_left(levels, level)
    return Header(tuple(_joined(parts) for parts in zip(*levels, strict=True)), skip, whole)


def _fill_from_left(levels: list[list[str]], level: int) -> None:
    # A merged cell keeps its text in its first column only. The cell continues to the right where something
    # stands below and nothing above says that another group has begun.
    row = levels[level]
    for column in range(1, len(row)):
        below = any(deeper[column] for deeper in levels[level + 1 :])
        same_group = all(upper[column] == upper[column - 1] for upper in levels[:level])
        if not row[column] and below and same_group:
            row[column] = row[column - 1]


def _joined(parts: Sequence[str]) -> str:
    texts = [part.replace("\n", "") for part in parts if part]
    return "/".join(text for at, text in enumerate(texts) if not at or text != texts[at - 1])
