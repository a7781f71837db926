"""Loading tax, benefit and yearly records from files: validated row by row, written block by block."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.governance.vault import open_vault
from outreach.imports.cells import lost_digits, normalise_all
from outreach.imports.report import Progress
from outreach.registry.people import TAX_NO_PURPOSE
from outreach.runtime import Runtime
from outreach.statements.record_files import TAX_NO, FileKind, detect_kind, read_csv
from outreach.statements.standing import note_stale
from outreach.statements.tax_lines import UsualRows, copy_line, copy_lines
from outreach.statements.yearly import CHECKED_CODES, Key, Reported, refusals

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


_Rows = dict[tuple[Any, ...], Any]
_Places = dict[tuple[Any, ...], int]


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


def _fault(row: int, error: InvalidInput) -> _Fault:
    return _Fault(row, str(error.details.get("field", "")), error.message)


class _Reader:
    """One file: its kind and headers, and what was learnt from the rows so far."""

    __slots__ = ("headers", "kind", "place", "usual")

    def __init__(self, kind: FileKind, headers: Sequence[str]) -> None:
        self.kind, self.headers = kind, headers
        # A header that stands twice counts by its last column, as a dictionary of the row has it.
        self.place = max(place for place, header in enumerate(headers) if header == TAX_NO)
        self.usual = UsualRows(headers) if kind.name == "tax_records" else None


async def load_records(
    rt: Runtime, path: Path, *, by: str = "system", progress: Progress | None = None
) -> Loaded:
    """Load one CSV file; its kind is told from its headers (docs/statements.md lists the columns).

    A bad row is left out and recorded with row number, column and reason, and so is a second row with the
    same key, and a benefit that the law does not allow beside the household's others of the year (yearly.py).
    `progress` is called with (rows read, rows in the file) after each block; the second figure
    counts lines and is put right at the end. Raises InvalidInput when the file has no usable header.
    """
    lines = read_csv(path)
    data = path.read_bytes()
    digest, total = hashlib.sha256(data).digest(), data.count(b"\n") - data.endswith(b"\n")
    del data
    return await load_lines(rt, lines, name=path.name, sha256=digest, by=by, total=total, progress=progress)


async def load_lines(
    rt: Runtime,
    lines: Iterable[Sequence[str]],
    *,
    name: str,
    sha256: bytes,
    by: str = "system",
    total: int | None = None,
    progress: Progress | None = None,
) -> Loaded:
    """As `load_records`, from lines that another reader (spreadsheets) gives; the first holds the headers.
    `total` is what progress is told of their number."""
    rows = iter(lines)
    headers = [header.strip() for header in next(rows, [])]
    kind = detect_kind(headers)
    start = {"kind": kind.name, "name": name, "sha256": sha256, "by": by}
    row = await rt.db.fetch_one(_SQL["start_import"], start)
    assert row is not None
    counts = dict.fromkeys(("read", "good", "bad", "new", "changed", "same"), 0)
    reader = _Reader(kind, headers)
    try:
        for block in _blocks(rows):
            await _load_block(rt, reader, row["id"], block, counts)
            if progress is not None:
                progress(counts["read"], None if total is None else max(total, counts["read"]))
    except BaseException:
        await rt.db.execute(_SQL["fail_import"], {"id": row["id"]})
        raise
    await rt.db.execute(_SQL["finish_import"], {"id": row["id"], **counts})
    if progress is not None:
        progress(counts["read"], counts["read"])
    return Loaded(row["id"], kind.name, **counts)


def _blocks(rows: Iterator[Sequence[str]]) -> Iterator[list[tuple[int, Sequence[str]]]]:
    filled = ((number, row) for number, row in enumerate(rows, start=2) if any(row))
    while block := list(islice(filled, _BLOCK)):
        yield block


async def _load_block(
    rt: Runtime,
    reader: _Reader,
    import_id: int,
    block: Sequence[tuple[int, Sequence[str]]],
    counts: dict[str, int],
) -> None:
    kind, place = reader.kind, reader.place
    numbers = normalise_all([row[place] if len(row) > place else "" for _, row in block])
    # Many rows of one household follow each other: one index and one look-up serve them all.
    distinct = list(dict.fromkeys(numbers))
    indexes = open_vault(rt.settings).blind_indexes(TAX_NO_PURPOSE, distinct)
    async with rt.db.begin() as conn:
        await conn.execute(_SQL["lock"])
        known = await (await conn.execute(_SQL["find_taxpayers"], {"indexes": indexes})).fetchall()
        by_index = {bytes(row["tax_no_bidx"]): (row["id"], row["province"]) for row in known}
        households = {number: by_index.get(index) for number, index in zip(distinct, indexes, strict=True)}
        rows, faults, places = _parse(reader, block, numbers, households)
        if kind.name == "benefit_records":
            faults += await _beyond_the_year(conn, rows, places)
        await conn.execute(_SQL[f"{kind.name}_block"])
        if reader.usual is None:
            await copy_rows(conn, "block", kind.table, rows.values())
        else:
            await copy_lines(conn, kind, list(rows.values()))
        merged = await (await conn.execute(_SQL[f"{kind.name}_merge"])).fetchone()
        assert merged is not None
        await note_stale(conn, merged["moved"] or ())
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
    reader: _Reader,
    block: Sequence[tuple[int, Sequence[str]]],
    numbers: Sequence[str],
    households: Mapping[str, tuple[int, str] | None],
) -> tuple[_Rows, list[_Fault], _Places]:
    """Rows to write by key, as values or (tax records) as lines of COPY; what is wrong with the others; where
    in the file those stand that were read with care."""
    rows: _Rows = {}
    places: _Places = {}
    faults: list[_Fault] = []
    kind, usual = reader.kind, reader.usual
    for (place, cells), number in zip(block, numbers, strict=True):
        household = households[number]
        if usual is not None and household is not None and (read := usual.read(cells)) is not None:
            key = (household[0], read[0], read[1])
            if key not in rows:
                rows[key] = f"{household[0]}\t{read[2]}"
                continue
        try:
            row = _row(kind, dict(zip(reader.headers, cells, strict=False)), number, household)
            if row[: kind.key] in rows:
                raise InvalidInput(kind.repeated, field=TAX_NO)
        except InvalidInput as error:
            faults.append(_fault(place, error))
            continue
        if usual is not None:
            usual.remember(cells, row[1], row[2])
        rows[row[: kind.key]] = row if usual is None else copy_line(row)
        places[row[: kind.key]] = place
    return rows, faults, places


async def _beyond_the_year(conn: Connection, rows: _Rows, places: _Places) -> list[_Fault]:
    """Take out the benefits that the law does not allow beside the household's others of the year."""
    told: dict[tuple[int, int], dict[Key, Reported | None]] = {}
    for (household, month, code, item), row in rows.items():
        if code in CHECKED_CODES:
            said = None if row[4] is None else Reported(month, code, item, row[5].obj)
            told.setdefault((household, month // 100), {})[month, code, item] = said
    if not told:
        return []
    years = {year for _, year in told}
    params = {
        "ids": sorted({household for household, _ in told}),
        "codes": sorted(CHECKED_CODES),
        "first": min(years) * 100 + 1,
        "until": max(years) * 100 + 12,
    }
    stored: dict[tuple[int, int], dict[Key, Reported]] = {}
    for one in await (await conn.execute(_SQL["benefits_of_years"], params)).fetchall():
        key = one["month"], one["benefit_code"], one["item"]
        stored.setdefault((one["taxpayer_id"], key[0] // 100), {})[key] = Reported(*key, one["inputs"])
    faults = []
    for (household, year), own in told.items():
        for key, error in refusals(stored.get((household, year), {}), own).items():
            del rows[household, *key]
            faults.append(_fault(places[household, *key], error))
    return sorted(faults, key=lambda fault: fault.row)


def _row(
    kind: FileKind, cells: Mapping[str, str], number: str, household: tuple[int, str] | None
) -> tuple[Any, ...]:
    if household is None:
        if lost_digits(number):
            raise InvalidInput("号码被 Excel 改成了科学计数，请把该列设为文本后重新导出", field=TAX_NO)
        raise InvalidInput("没有登记该识别号的纳税人，请先导入纳税人或核对号码", field=TAX_NO)
    return (household[0], *kind.parse(cells, household[1]))
