"""Delimited text: encoding, delimiter, and blocks that end at the end of a line.

A newline byte never is the second half of a character in UTF-8, GBK or GB18030, so blocks are cut before
they are decoded. UTF-16 ("Unicode text" of Excel) is turned into UTF-8 on the way.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path

from outreach.errors import InvalidInput
from outreach.imports.blocks import Problem, decode_lines, split_lines

_SAMPLE = 1 << 20
_DELIMITERS = ",\t;|"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HEAD_LINES = 16
_MOST_BROKEN = 0.05


def detect_encoding(path: Path) -> str:
    """`utf-8-sig`, `utf-16`, `utf-8` or `gb18030` (which contains GBK and GB2312). Raises InvalidInput."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if sample.startswith(_UTF16):
        return "utf-16"
    for encoding in ("utf-8", "gb18030"):
        if _decodes(sample[: sample.rfind(b"\n") + 1] or sample, encoding):
            return encoding
    # A few broken rows are reported one by one; more than that is no text of ours.
    broken, encoding = min((_broken_lines(sample, encoding), encoding) for encoding in ("utf-8", "gb18030"))
    if broken < _MOST_BROKEN:
        return encoding
    raise InvalidInput(
        f"无法识别文件“{path.name}”的文字编码，请另存为“CSV UTF-8”或GBK编码后再导入", field="file"
    )


def detect_delimiter(lines: list[str]) -> str:
    """What parts the cells: the candidate that is most frequent in the line that has most of it."""
    best = max(_DELIMITERS, key=lambda mark: max((line.count(mark) for line in lines), default=0))
    return best if any(best in line for line in lines) else ","


def read_head(path: Path, encoding: str) -> tuple[str, list[list[str]]]:
    """The delimiter and the first records, as many as titles and headers may take."""
    data = next(text_blocks(path, encoding, _SAMPLE), b"")
    problems: list[Problem] = []
    lines = decode_lines(data, block_encoding(encoding), problems)[: _HEAD_LINES * 4]
    delimiter = detect_delimiter(lines)
    return delimiter, split_lines(lines, delimiter, problems)[:_HEAD_LINES]


def block_encoding(encoding: str) -> str:
    """The encoding in which `text_blocks` hands out a file of this encoding."""
    return "gb18030" if encoding == "gb18030" else "utf-8"


def text_blocks(path: Path, encoding: str, size: int) -> Iterator[bytes]:
    """The file in blocks of about `size` bytes that end at the end of a record."""
    if encoding == "utf-16":
        yield from _transcoded(path, size)
        return
    with path.open("rb") as file:
        if encoding == "utf-8-sig":
            file.seek(len(codecs.BOM_UTF8))
        while data := file.read(size):
            data += file.readline()
            # An odd number of quotes: the block ends within a quoted cell.
            for _ in range(_HEAD_LINES):
                if data.count(b'"') % 2 == 0:
                    break
                data += file.readline()
            yield data.replace(b"\x1a", b"")


def _transcoded(path: Path, size: int) -> Iterator[bytes]:
    with path.open(encoding="utf-16", newline="") as file:
        while text := file.read(size // 2):
            yield (text + file.readline()).encode()


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _broken_lines(sample: bytes, encoding: str) -> float:
    lines = sample.split(b"\n")[:-1] or [sample]
    return sum(not _decodes(line, encoding) for line in lines) / len(lines)
