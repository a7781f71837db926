"""A block: some rows of a file on their way to a check, as raw lines of text or as rows of a sheet.

Blocks cross to helper processes before they are decoded, so that the reading process does next to nothing.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from outreach.imports.cells import strip_all, text_of

csv.field_size_limit(1 << 20)
_LONGEST_RECORD = 20
"""Lines that one quoted record may span: a quote that is never closed must not swallow the rest."""

NOT_DECODED = "文字编码有误，无法识别（应为UTF-8或GBK）"
OPEN_QUOTE = "引号没有成对"
TOO_MANY_CELLS = "列数比表头多，请检查是否多了分隔符"
_REPLACED = "\ufffd"
_CELL_LIMIT = "单元格内容过长"

Cells = Sequence[str]


class Problem(NamedTuple):
    """What is wrong with one cell. `refused`: the whole row was left out, otherwise this value only."""

    row: int
    field: str
    value: str
    reason: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is read: encoding, delimiter, the header texts and the column of each field."""

    columns: dict[str, int]
    headers: tuple[str, ...]
    header_rows: frozenset[tuple[str, ...]] = frozenset()
    encoding: str = "utf-8"
    delimiter: str = ","

    def header_of(self, name: str) -> str:
        """The header above a field's column as the file writes it; the field's name without one."""
        return self.headers[self.columns[name]] if name in self.columns else name


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Lines of bytes or rows of cells; the first `skip` records belong to titles and header."""

    lines: bytes = b""
    rows: Sequence[Sequence[object]] = ()
    skip: int = 0


@dataclass(slots=True)
class Table:
    """The rows of a block as columns of stripped texts. `rows` are record numbers within the block, which
    had `records` of them."""

    records: int
    rows: list[int]
    columns: dict[str, list[str]]
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[str]:
        """The texts of a field; empty texts if the file has no such column."""
        return self.columns[name] if name in self.columns else [""] * len(self.rows)


def read_table(block: RawBlock, layout: Layout) -> Table:
    """Decode, split, drop blank rows and repeated headers, and turn rows into columns."""
    problems: list[Problem] = []
    if block.lines:
        lines = decode_lines(block.lines, layout.encoding, problems)
        records = split_lines(lines, layout.delimiter, problems)
    else:
        records = [[text_of(cell) for cell in row] for row in block.rows]
    numbers, kept = _rows_of_data(records, block.skip, layout)
    numbers, kept = _even_rows(numbers, kept, layout, problems)
    by_position = list(zip(*kept, strict=True)) or [()] * len(layout.headers)
    columns = {name: strip_all(by_position[position]) for name, position in layout.columns.items()}
    return Table(len(records), numbers, columns, [item for item in problems if item.row >= block.skip])


def decode_lines(data: bytes, encoding: str, problems: list[Problem]) -> list[str]:
    """The lines of a block; a line that cannot be decoded becomes blank and a problem."""
    # A zero byte is no text, and PostgreSQL takes none.
    data = data.replace(b"\0", b"")
    text, broken = _decode(data, encoding)
    # Not str.splitlines: it also cuts at form feeds and other characters that may stand within a cell.
    lines = text.replace("\r", "").split("\n")
    if not lines[-1]:
        lines.pop()
    if broken:
        for at, line in enumerate(lines):
            if _REPLACED in line:
                problems.append(Problem(at, "", "", NOT_DECODED, True))
                lines[at] = ""
    return lines


def _decode(data: bytes, encoding: str) -> tuple[str, bool]:
    try:
        return data.decode(encoding), False
    except UnicodeDecodeError:
        return data.decode(encoding, errors="replace"), True


def split_lines(lines: list[str], delimiter: str, problems: list[Problem]) -> list[list[str]]:
    """Records of delimited text (RFC 4180; lone quotes within a cell are taken as they are)."""
    if not any('"' in line for line in lines):
        return [line.split(delimiter) for line in lines]
    whole = _join_quoted(lines, delimiter, problems)
    try:
        records = list(csv.reader(whole, delimiter=delimiter))
    except csv.Error:
        records = []
    if len(records) == len(whole):
        return records
    return [_split_line(at, line, delimiter, problems) for at, line in enumerate(whole)]


def _split_line(number: int, line: str, delimiter: str, problems: list[Problem]) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        problems.append(Problem(number, "", "", _CELL_LIMIT, True))
        return []


def _join_quoted(lines: list[str], delimiter: str, problems: list[Problem]) -> list[str]:
    # A quoted cell may hold line breaks: the record then goes on in the lines after it.
    if not any(line.count('"') & 1 for line in lines):
        return lines
    cells = max(line.count(delimiter) for line in lines)
    whole: list[str] = []
    at = 0
    while at < len(lines):
        end = _end_of_record(lines, at, delimiter, cells)
        if end is None:
            problems.append(Problem(len(whole), "", "", OPEN_QUOTE, True))
            whole.append("")
            at += 1
        else:
            whole.append("\n".join(lines[at:end]))
            at = end
    return whole


def _end_of_record(lines: list[str], start: int, delimiter: str, cells: int) -> int | None:
    """Where the record ends that starts here; None if its quote is never closed, or only by the stray quote
    of another record, which shows by as many delimiters as a record has."""
    if not lines[start].count('"') & 1 or _is_whole(lines[start], delimiter):
        return start + 1
    for end in range(start + 2, min(start + _LONGEST_RECORD, len(lines)) + 1):
        if lines[end - 1].count('"') & 1:
            joined = "\n".join(lines[start:end])
            quoted = joined[joined.index('"') : joined.rindex('"')]
            fits = _is_whole(joined, delimiter) and quoted.count(delimiter) < max(cells, 2)
            return end if fits else None
    return None


def _is_whole(text: str, delimiter: str) -> bool:
    """Whether the text is one record whose quotes are closed; a quote within an unquoted cell is text."""
    try:
        return len(list(csv.reader([text], delimiter=delimiter, strict=True))) == 1
    except csv.Error:
        return False


def _rows_of_data(records: list[list[str]], skip: int, layout: Layout) -> tuple[list[int], list[list[str]]]:
    starts = {header[0] for header in layout.header_rows}
    numbers: list[int] = []
    kept: list[list[str]] = []
    for number, cells in enumerate(records):
        if number < skip or not cells or not (cells[0].strip() or "".join(cells).strip(" \t\u3000\u00a0")):
            continue
        if cells[0].strip() in starts and tuple(strip_all(cells)) in layout.header_rows:
            continue
        numbers.append(number)
        kept.append(cells)
    return numbers, kept


def _even_rows(
    numbers: list[int], rows: list[list[str]], layout: Layout, problems: list[Problem]
) -> tuple[list[int], list[list[str]]]:
    width = len(layout.headers)
    if all(len(cells) == width for cells in rows):
        return numbers, rows
    kept_numbers, kept = [], []
    for number, cells in zip(numbers, rows, strict=True):
        if len(cells) > width and any(strip_all(cells[width:])):
            problems.append(Problem(number, "", "", TOO_MANY_CELLS, True))
            continue
        kept_numbers.append(number)
        even = len(cells) == width
        kept.append(cells if even else [*cells[:width], *[""] * (width - len(cells))])
    return kept_numbers, kept
