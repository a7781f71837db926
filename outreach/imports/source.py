"""A file on disk, opened for an import: where its data begin, which column is what, and its blocks."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outreach.errors import InvalidInput
from outreach.imports import sheets, text_files
from outreach.imports.blocks import Layout, RawBlock
from outreach.imports.headers import Header, find_header, likely_header
from outreach.imports.mapping import Field, Mapper

_HEAD = 16
_BYTES_PER_BLOCK = 4 << 20
_ROWS_PER_BLOCK = 10_000


@dataclass(frozen=True, slots=True)
class Source:
    """`blocks()` starts anew each time. `total` counts rows of data as well as can be told beforehand."""

    path: Path
    sha256: bytes
    layout: Layout
    total: int
    blocks: Callable[[], Iterator[RawBlock]]

    @property
    def unused(self) -> list[str]:
        """Headers of columns that no field was found for."""
        taken = set(self.layout.columns.values())
        return [text for at, text in enumerate(self.layout.headers) if text and at not in taken]


def open_source(
    path: Path,
    fields: Sequence[Field],
    explicit: Mapping[str, str] | None = None,
    *,
    sheet: str | None = None,
    block_bytes: int = _BYTES_PER_BLOCK,
) -> Source:
    """Open a CSV, TSV, .xlsx or .xls file. Raises InvalidInput if it cannot be read or lacks a column."""
    if not path.is_file() or not path.stat().st_size:
        raise InvalidInput(f"文件“{path.name}”不存在或者是空的", field="file")
    mapper = Mapper(fields, explicit)
    sha256, lines = _fingerprint(path)
    if sheets.is_workbook(path):
        return _open_sheet(path, mapper, sha256, sheet)
    return _open_text(path, mapper, sha256, lines, block_bytes)


def _open_sheet(path: Path, mapper: Mapper, sha256: bytes, name: str | None) -> Source:
    sheet = sheets.open_sheet(path, name)
    header = _require_header(sheets.read_head(sheet, _HEAD), mapper)
    layout = Layout(mapper.columns(header.texts), header.texts, header.rows)

    def blocks() -> Iterator[RawBlock]:
        return sheets.sheet_blocks(sheet, _ROWS_PER_BLOCK, header.skip)

    return Source(path, sha256, layout, max(sheets.height(sheet) - header.skip, 0), blocks)


def _open_text(path: Path, mapper: Mapper, sha256: bytes, lines: int, size: int) -> Source:
    encoding = text_files.detect_encoding(path)
    delimiter, head = text_files.read_head(path, encoding)
    header = _require_header(head, mapper)
    columns = mapper.columns(header.texts)
    layout = Layout(columns, header.texts, header.rows, text_files.block_encoding(encoding), delimiter)

    def blocks() -> Iterator[RawBlock]:
        skip = header.skip
        for data in text_files.text_blocks(path, encoding, size):
            yield RawBlock(lines=data, skip=skip)
            skip = 0

    return Source(path, sha256, layout, max(lines - header.skip, 0), blocks)


def _require_header(head: Sequence[Sequence[object]], mapper: Mapper) -> Header:
    header = find_header(head, mapper.count_known)
    if header is not None:
        return header
    error = mapper.missing({}, likely_header(head))
    raise error or InvalidInput("文件里没有认得的列", field="file", headers=likely_header(head))


def _fingerprint(path: Path) -> tuple[bytes, int]:
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    with path.open("rb") as file:
        while data := file.read(_BYTES_PER_BLOCK):
            digest.update(data)
            lines += data.count(b"\n")
            last = data[-1:]
    return digest.digest(), lines + (last != b"\n")


async def open_source_apart(
    path: Path, fields: Sequence[Field], explicit: Mapping[str, str] | None = None
) -> Source:
    """`open_source` in a thread: hashing a large file or opening a workbook takes seconds."""
    return await asyncio.to_thread(open_source, path, fields, explicit)
