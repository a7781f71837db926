"""Loading tax, benefit and yearly records from files: validated row by row, written block by block."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from outreach.db.copy import copy_rows
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.governance.vault import open_vault
from outreach.imports.cells import lost_digits, normalise_all
from outreach.registry.people import TAX_NO_PURPOSE
from outreach.runtime import Runtime
from outreach.statements.record_files import TAX_NO, FileKind, detect_kind, read_csv

_SQL = load_queries(__file__)
_BLOCK = 20_000
_MOST_ERRORS = 10_000
_ERROR_COLUMNS = (
    ("import_id", "int4"),
    ("row_number", "int4"),
    ("field", "text"),
    ("value_masked", "text"),
    ("reason", "text"),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did; good = new + changed + same. Errors stand in import_error under `import_id`."""

    import_id: int
    kind: str
    read: int
    good: int
    bad: int
    new: int
    changed: int
    same: int


@dataclass(frozen=True, slots=True)
class _Fault:
    row: int
    field: str
    reason: str


async def load_records(rt: Runtime, path: Path, *, by: str = "system") -> Loaded:
    """Load one CSV file; its kind is told from its headers (migration 0007 lists the columns).

    A bad row is left out and recorded with row number, column and reason, and so is a second row with the
    same key. Raises InvalidInput when the file has no usable header.
    """
    lines = read_csv(path)
    digest = hashlib.sha256(path.read_bytes()).digest()
    return await load_lines(rt, lines, name=path.name, sha256=digest, by=by)


async def load_lines(
    rt: Runtime, lines: Iterable[Sequence[str]], *, name: str, sha256: bytes, by: str = "system"
) -> Loaded:
    """As `load_records`, from lines that another reader (spreadsheets) gives; the first holds the headers."""
    rows = iter(lines)
    headers = [header.strip() for header in next(rows, [])]
    kind = detect_kind(headers)
    start = {"kind": kind.name, "name": name, "sha256": sha256, "by": by}
    row = await rt.db.fetch_one(_SQL["start_import"], start)
    assert row is not None
    counts = dict.fromkeys(("read", "good", "bad", "new", "changed", "same"), 0)
    try:
        for block in _blocks(rows, headers):
            await _load_block(rt, kind, row["id"], block, counts)
    except BaseException:
        await rt.db.execute(_SQL["fail_import"], {"id": row["id"]})
        raise
    await rt.db.execute(_SQL["finish_import"], {"id": row["id"], **counts})
    return Loaded(row["id"], kind.name, **counts)


def _blocks(
    rows: Iterator[Sequence[str]], headers: Sequence[str]
) -> Iterator[list[tuple[int, dict[str, str]]]]:
    numbered = enumerate(rows, start=2)
    filled = ((number, dict(zip(headers, row, strict=False))) for number, row in numbered if any(row))
    while block := list(islice(filled, _BLOCK)):
        yield block


async def _load_block(
    rt: Runtime,
    kind: FileKind,
    import_id: int,
    block: Sequence[tuple[int, Mapping[str, str]]],
    counts: dict[str, int],
) -> None:
    numbers = normalise_all([cells.get(TAX_NO, "") for _, cells in block])
    indexes = open_vault(rt.settings).blind_indexes(TAX_NO_PURPOSE, numbers)
    async with rt.db.begin() as conn:
        await conn.execute(_SQL["lock"])
        known = await (await conn.execute(_SQL["find_taxpayers"], {"indexes": indexes})).fetchall()
        households = {bytes(row["tax_no_bidx"]): (row["id"], row["province"]) for row in known}
        found = [households.get(index) for index in indexes]
        rows, faults = _parse(kind, block, numbers, found)
        await conn.execute(_SQL[f"{kind.name}_block"])
        await copy_rows(conn, "block", kind.table, rows)
        merged = await (await conn.execute(_SQL[f"{kind.name}_merge"])).fetchone()
        assert merged is not None
        shown = faults[: max(_MOST_ERRORS - counts["bad"], 0)]
        await copy_rows(
            conn, "import_error", _ERROR_COLUMNS, ((import_id, f.row, f.field, "", f.reason) for f in shown)
        )
    counts["read"] += len(block)
    counts["good"] += len(rows)
    counts["bad"] += len(faults)
    counts["new"] += merged["new"]
    counts["changed"] += merged["changed"]
    counts["same"] += len(rows) - merged["new"] - merged["changed"]


def _parse(
    kind: FileKind,
    block: Sequence[tuple[int, Mapping[str, str]]],
    numbers: Sequence[str],
    found: Sequence[tuple[int, str] | None],
) -> tuple[list[tuple[Any, ...]], list[_Fault]]:
    rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    faults: list[_Fault] = []
    for (place, cells), number, household in zip(block, numbers, found, strict=True):
        try:
            row = _row(kind, cells, number, household)
            if row[: kind.key] in rows:
                raise InvalidInput(kind.repeated, field=TAX_NO)
        except InvalidInput as error:
            faults.append(_Fault(place, str(error.details.get("field", "")), error.message))
            continue
        rows[row[: kind.key]] = row
    return list(rows.values()), faults


def _row(
    kind: FileKind, cells: Mapping[str, str], number: str, household: tuple[int, str] | None
) -> tuple[Any, ...]:
    if household is None:
        if lost_digits(number):
            raise InvalidInput("号码被 Excel 改成了科学计数，请把该列设为文本后重新导出", field=TAX_NO)
        raise InvalidInput("没有登记该识别号的纳税人，请先导入纳税人或核对号码", field=TAX_NO)
    return (household[0], *kind.parse(cells, household[1]))
