"""Excel files, .xlsx and .xls: values only, formulas are never computed."""

import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
    ZipError,
)

from outreach.errors import InvalidInput
from outreach.imports.blocks import RawBlock

MOST_UNPACKED = 1 << 30
"""Bytes of XML in one workbook; a million rows of thirty columns stay below."""
_BOMB_SIZE, _BOMB_RATIO = 64 << 20, 200
_LARGEST_XLS = 256 << 20

_MAGICS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""A zip archive (.xlsx) and an OLE container (.xls); other systems call plain text `.xls` too."""
_WEB_PAGES = (b"<html", b"<!doc", b"<table", b"<?xml", b"<meta")


def is_workbook(path: Path) -> bool:
    """Whether the content is an Excel file, whatever its name. Raises InvalidInput for a web page."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.lstrip(b"\xef\xbb\xbf\r\n\t ").lower().startswith(_WEB_PAGES):
        raise InvalidInput(
            f"“{path.name}”其实是网页格式，请用表格软件打开后另存为xlsx或CSV再导入", field="file"
        )
    return head.startswith(_MAGICS)


def open_sheet(path: Path, name: str | None = None) -> CalamineSheet:
    """The sheet of that name, or the only visible one that holds anything. Raises InvalidInput."""
    _refuse_bomb(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        return book.get_sheet_by_name(name) if name else _only_sheet(book, path)
    except PasswordError as error:
        raise InvalidInput(f"“{path.name}”设有密码，请取消密码后再导入", field="file") from error
    except (CalamineError, ZipError, OSError) as error:
        raise InvalidInput(
            f"无法打开“{path.name}”，它可能已损坏，或者不是Excel文件；可另存为CSV后再试", field="file"
        ) from error


def read_head(sheet: CalamineSheet, rows: int) -> list[list[object]]:
    """The first rows."""
    return [list(row) for row in islice(sheet.iter_rows(), rows)]


def height(sheet: CalamineSheet) -> int:
    """Rows down to the last one that holds anything."""
    return sheet.end[0] + 1 if sheet.end else 0


def sheet_blocks(sheet: CalamineSheet, size: int, skip: int) -> Iterator[RawBlock]:
    """All rows in blocks; the first block skips titles and header."""
    rows = iter(sheet.iter_rows())
    while part := list(islice(rows, size)):
        yield RawBlock(rows=part, skip=skip)
        skip = 0


def _only_sheet(book: CalamineWorkbook, path: Path) -> CalamineSheet:
    visible = [item.name for item in book.sheets_metadata if item.visible == SheetVisibleEnum.Visible]
    filled = [sheet for sheet in map(book.get_sheet_by_name, visible) if sheet.end]
    if len(filled) == 1:
        return filled[0]
    if not filled:
        raise InvalidInput(f"“{path.name}”里没有数据", field="file")
    names = "、".join(sheet.name for sheet in filled)
    raise InvalidInput(
        f"“{path.name}”里有{len(filled)}个有内容的工作表（{names}），请只保留要导入的一个",
        field="file",
        sheets=[sheet.name for sheet in filled],
    )


def _refuse_bomb(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        if path.stat().st_size > _LARGEST_XLS:
            raise InvalidInput(f"“{path.name}”过大，请另存为CSV后再导入", field="file")
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    dense = any(
        entry.file_size > _BOMB_SIZE and entry.file_size > _BOMB_RATIO * max(entry.compress_size, 1)
        for entry in entries
    )
    if unpacked > MOST_UNPACKED or dense:
        raise InvalidInput(
            f"“{path.name}”解压后过大（超过{MOST_UNPACKED >> 20}MB或压缩比异常），请拆分或另存为CSV后再导入",
            field="file",
        )
