"""Tax records in bulk: a row in the usual form becomes a line of COPY's text format without a dictionary or
a decimal per cell; every other row goes the way of all files and is judged there.

COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html, section "Text Format".
"""

import re
from collections.abc import Sequence
from typing import Any

from psycopg import sql

from outreach.db.pool import Connection
from outreach.statements.record_files import FileKind

_MONEY = r"\d{1,14}(?:\.\d{1,2})?"
_USUAL = re.compile(rf"{_MONEY}\t{_MONEY}\t{_MONEY}\t{_MONEY}", re.ASCII)
_COLUMNS = ("所属期", "税种", "申报税额", "已缴税额", "已退税额", "滞纳金")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\v": r"\v", "\f": r"\f"})
_REMEMBERED = 10_000


class UsualRows:
    """Reads rows that look like the ones before them: periods and tax types that were accepted once, plain
    amounts (refunded and late fee may be blank). What it does not know it leaves to the careful reading."""

    __slots__ = ("_places", "_seen", "_width")

    def __init__(self, headers: Sequence[str]) -> None:
        """`headers`: of the file; a header that stands twice counts by its last column, as for all files."""
        places = {header: place for place, header in enumerate(headers)}
        self._places = [places.get(header, -1) for header in _COLUMNS]
        self._width = len(headers) if min(self._places) >= 0 else 1 << 30
        self._seen: dict[tuple[str, str], tuple[int, str, str]] = {}

    def read(self, row: Sequence[str]) -> tuple[int, str, str] | None:
        """Month, tax type, and the values after the taxpayer's id as COPY writes them; None when unusual."""
        if len(row) < self._width:
            return None
        month, kind, declared, paid, refunded, late = self._places
        known = self._seen.get((row[month], row[kind]))
        if known is None:
            return None
        amounts = f"{row[declared]}\t{row[paid]}\t{row[refunded] or '0.00'}\t{row[late] or '0.00'}"
        if _USUAL.fullmatch(amounts) is None:
            return None
        return known[0], known[1], f"{known[2]}{amounts}\n"

    def remember(self, row: Sequence[str], month: int, tax_type: str) -> None:
        """The careful reading has accepted this period and this tax type."""
        if len(row) >= self._width and len(self._seen) < _REMEMBERED:
            key = row[self._places[0]], row[self._places[1]]
            self._seen[key] = month, tax_type, f"{month}\t{tax_type.translate(_ESCAPES)}\t"


def copy_line(values: Sequence[Any]) -> str:
    """Values as a line of COPY's text format."""
    return "\t".join([str(value).translate(_ESCAPES) for value in values]) + "\n"


async def copy_lines(conn: Connection, kind: FileKind, lines: Sequence[str]) -> None:
    """Write lines into the table `block` of the transaction."""
    names = sql.SQL(",").join(sql.Identifier(name) for name, _ in kind.table)
    statement = sql.SQL("copy block ({}) from stdin").format(names)
    async with conn.cursor() as cursor, cursor.copy(statement) as copy:
        await copy.write("".join(lines))
