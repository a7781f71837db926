"""Reading files: encodings, delimiters, quotes, blank rows, Excel."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import xlsxwriter

from outreach.errors import InvalidInput
from outreach.imports.blocks import NOT_DECODED, OPEN_QUOTE, TOO_MANY_CELLS, Table, read_table
from outreach.imports.mapping import Field
from outreach.imports.source import Source, open_source

FIELDS = (Field("code", "代码", required=True), Field("name", "名称", required=True), Field("note", "备注"))
HEADER = "代码,名称,备注"


def read(path: Path, *, block_bytes: int = 1 << 22) -> tuple[Source, list[Table]]:
    source = open_source(path, FIELDS, block_bytes=block_bytes)
    return source, [read_table(block, source.layout) for block in source.blocks()]


def rows_of(tables: Sequence[Table]) -> list[tuple[int, str, str, str]]:
    """(row number in the file, code, name, note)"""
    found, first = [], 1
    for table in tables:
        columns = zip(
            table.rows, table.column("code"), table.column("name"), table.column("note"), strict=True
        )
        found += [(first + row, code, name, note) for row, code, name, note in columns]
        first += table.records
    return found


def write(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_delimiters_and_line_ends(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    text = end.join([HEADER, "1,王芳,甲", "2,李强,", "", ",,", "3,赵敏,乙", " , ,　", ""]).replace(
        ",", delimiter
    )
    _, tables = read(write(tmp_path, text, encoding))
    assert rows_of(tables) == [(2, "1", "王芳", "甲"), (3, "2", "李强", ""), (6, "3", "赵敏", "乙")]


def test_a_file_without_final_line_end_and_one_with_a_dos_end_mark(tmp_path: Path) -> None:
    assert len(rows_of(read(write(tmp_path, f"{HEADER}\n1,王芳,"))[1])) == 1
    assert len(rows_of(read(write(tmp_path, f"{HEADER}\r\n1,王芳,\r\n\x1a"))[1])) == 1


def test_blocks_join_without_seam(tmp_path: Path) -> None:
    lines = [f'{number},"名{number}{chr(10) if number % 7 == 0 else ""}字",乙' for number in range(500)]
    path = write(tmp_path, "\n".join([HEADER, *lines]), "gbk")
    whole, parts = rows_of(read(path)[1]), rows_of(read(path, block_bytes=300)[1])
    assert len(whole) == 500
    assert whole == parts


def test_quotes(tmp_path: Path) -> None:
    text = f'{HEADER}\n1,"甲,乙",\n2,"说""好""",\n3,张"三,\n4,"两\n行",\n5,王芳,'
    assert [row[2] for row in rows_of(read(write(tmp_path, text))[1])] == [
        "甲,乙",
        '说"好"',
        '张"三',
        "两\n行",
        "王芳",
    ]


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    lines = [f"{number},名字{number},备注" for number in range(100)]
    lines[10], lines[12], lines[60] = '10,"名字10,备注', '12,"名字12,备注', '60,"名字60,备注'
    _, tables = read(write(tmp_path, "\n".join([HEADER, *lines])))
    assert [row[1] for row in rows_of(tables)] == [str(n) for n in range(100) if n not in (10, 12, 60)]
    assert [(item.row + 1, item.reason) for item in tables[0].problems] == [
        (12, OPEN_QUOTE), (14, OPEN_QUOTE), (62, OPEN_QUOTE),
    ]  # fmt: skip


def test_too_many_and_too_few_cells(tmp_path: Path) -> None:
    _, tables = read(write(tmp_path, f"{HEADER}\n1,王芳\n2,李强,,,\n3,赵敏,,甲"))
    assert rows_of(tables) == [(2, "1", "王芳", ""), (3, "2", "李强", "")]
    assert [(item.row + 1, item.reason) for item in tables[0].problems] == [(4, TOO_MANY_CELLS)]


def test_a_repeated_header_and_title_rows_are_skipped(tmp_path: Path) -> None:
    text = f"示例市名册,,\n,,\n{HEADER}\n1,王芳,\n{HEADER}\n2,李强,"
    assert rows_of(read(write(tmp_path, text))[1]) == [(4, "1", "王芳", ""), (6, "2", "李强", "")]


def test_a_row_that_cannot_be_decoded_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = "\n".join([HEADER, *(f"{number},王芳,甲" for number in range(100))]).encode("gbk")
    path.write_bytes(good + b"\n100,\xff\xff,\n" + "101,李强,".encode("gbk"))
    _, tables = read(path)
    assert [(item.row + 1, item.reason) for item in tables[0].problems] == [(102, NOT_DECODED)]
    assert rows_of(tables)[-1] == (103, "101", "李强", "")


def test_a_file_in_no_known_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n".join(bytes([0xFF, 0x80 + n % 64, 0xFF]) for n in range(200)))
    with pytest.raises(InvalidInput, match="文字编码"):
        open_source(path, FIELDS)


def test_a_zero_byte_does_not_reach_the_database(tmp_path: Path) -> None:
    assert rows_of(read(write(tmp_path, f"{HEADER}\n1,王\0芳,"))[1]) == [(2, "1", "王芳", "")]


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"nothing,here\n1,2\n"])
def test_files_without_header(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput):
        open_source(path, FIELDS)


def book(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    with xlsxwriter.Workbook(str(path)) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def test_excel(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["名册"],
        [],
        ["代码", "名称", "备注"],
        [13800138000, "王芳 ", 1.5],
        ["", "", " "],
        ["2", "李强", ""],
    ]
    source, tables = read(book(tmp_path / "a.xlsx", {"甲": rows, "空": []}))
    assert rows_of(tables) == [(4, "13800138000", "王芳", "1.5"), (6, "2", "李强", "")]
    assert source.total == 3


def test_two_filled_sheets_are_not_guessed(tmp_path: Path) -> None:
    rows: list[list[object]] = [["代码", "名称"], ["1", "王芳"]]
    with pytest.raises(InvalidInput, match="2个有内容的工作表（一月、二月）"):
        open_source(book(tmp_path / "a.xlsx", {"一月": rows, "二月": rows}), FIELDS)


def test_what_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04 not a workbook at all")
    with pytest.raises(InvalidInput, match="无法打开"):
        open_source(path, FIELDS)
    path.write_bytes(b"\r\n<HTML><table><tr><td>1</td></tr></table>")
    with pytest.raises(InvalidInput, match="网页格式"):
        open_source(path, FIELDS)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    text = tmp_path / "a.xls"
    text.write_bytes(f"{HEADER}\n1,王芳,".replace(",", "\t").encode("gbk"))
    assert rows_of(read(text)[1]) == [(2, "1", "王芳", "")]
    rows: list[list[object]] = [["代码", "名称"], ["1", "王芳"]]
    assert rows_of(read(book(tmp_path / "upload", {"甲": rows}))[1]) == [(2, "1", "王芳", "")]


def test_a_zip_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as sheet,
    ):
        for _ in range(70):
            sheet.write(b"0" * (1 << 20))
    with pytest.raises(InvalidInput, match="解压后过大"):
        open_source(path, FIELDS)


def test_unused_columns_are_named(tmp_path: Path) -> None:
    assert open_source(write(tmp_path, "代码,名称,传真\n1,王芳,0"), FIELDS).unused == ["传真"]
