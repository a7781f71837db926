"""Import of what is true of taxpayers: labels, and attributes.

The blocks of a file are gathered in memory as bitmaps and numbers (a million taxpayers with twenty labels
take a few megabytes), and written in one transaction at the end: a file takes effect whole or not at all,
and the change log gets one row for each label that changed, with the differences only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import tuple_row
from pyroaring import AbstractBitMap, BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.imports.blocks import Problem
from outreach.imports.mapping import Field, choose_mapping
from outreach.imports.pipeline import checked_blocks
from outreach.imports.report import ImportReport, Progress, open_run
from outreach.imports.source import Source, open_source_apart
from outreach.labels.bitmaps import from_array
from outreach.labels.import_rows import (
    LONG_NAME,
    LONG_VALUE,
    NO,
    NUMBER,
    YES,
    AttributeColumn,
    CheckFacts,
    FactRows,
    LabelColumn,
)
from outreach.labels.keys import label_key
from outreach.labels.sets import Change, Piece, change_sets
from outreach.labels.slices import write_values
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
_LOCK_GROUP = "labels"
UNKNOWN_TAXPAYER = "没有这个纳税人识别号的户，请先导入纳税人"
OUTSIDE = "该户不在您的数据范围内"
DUPLICATE = "与本文件前面的行重复，以前面的为准"
_TEN_THOUSANDS = "万元"


async def import_labels(
    rt: Runtime,
    path: Path,
    *,
    name: str,
    by: str,
    scope_org_id: int | None,
    mapping: Mapping[str, str] | str | None = None,
    as_of: date | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import labels: a column per label (是/否, or a value's code or name), or rows of number, label, value.

    Headers are codes or names of the catalogue. A blank cell says nothing. Rows are counted as changed if
    anything of their taxpayer changed. `as_of` is the day that the facts describe; the other arguments and
    errors as in `import_taxpayers`.
    """
    async with rt.db.begin() as conn:
        rows = await (await conn.execute(_SQL["labels"])).fetchall()
    labels = {
        row["code"]: LabelColumn(row["code"], row["name"], _options(row["kind"], row["options"]))
        for row in rows
    }
    facts = _Catalogue("labels", labels, {})
    return await _import(rt, path, facts, name, by, scope_org_id, mapping, as_of, progress)


async def import_attributes(
    rt: Runtime,
    path: Path,
    *,
    name: str,
    by: str,
    scope_org_id: int | None,
    mapping: Mapping[str, str] | str | None = None,
    as_of: date | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import attributes: a column per attribute, or rows of number, attribute, value.

    Amounts are in yuan. A column in 万元 is read only if the mapping names it: {code: "年销售额（万元）"}.
    Otherwise as `import_labels`.
    """
    async with rt.db.begin() as conn:
        rows = await (await conn.execute(_SQL["attributes"])).fetchall()
    attributes = {row["code"]: AttributeColumn(**row) for row in rows}
    facts = _Catalogue("attributes", {}, attributes)
    return await _import(rt, path, facts, name, by, scope_org_id, mapping, as_of, progress)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    kind: str
    labels: dict[str, LabelColumn]
    attributes: dict[str, AttributeColumn]

    def entries(self) -> list[LabelColumn | AttributeColumn]:
        return [*self.labels.values(), *self.attributes.values()]

    def fields(self) -> list[Field]:
        own = [Field(entry.code, entry.name) for entry in self.entries()]
        return [NUMBER, LONG_NAME, LONG_VALUE, *own]

    def by_name(self) -> dict[str, str]:
        """Codes by name and by code itself."""
        names = {entry.name: entry.code for entry in self.entries()}
        return names | {entry.code: entry.code for entry in self.entries()}

    def scaled(self, explicit: Mapping[str, str] | None) -> dict[str, AttributeColumn]:
        """Attributes, with those marked that the mapping takes from a column in 万元."""
        wide = {code for code, header in (explicit or {}).items() if _TEN_THOUSANDS in header}
        return {
            code: AttributeColumn(code, entry.name, entry.type, code in wide)
            for code, entry in self.attributes.items()
        }


def _options(kind: str, options: Mapping[str, str]) -> dict[str, str]:
    if kind == "flag":
        return {}
    return {name: code for code, name in options.items()} | {code: code for code in options}


async def _import(
    rt: Runtime,
    path: Path,
    catalogue: _Catalogue,
    name: str,
    by: str,
    scope_org_id: int | None,
    mapping: Mapping[str, str] | str | None,
    as_of: date | None,
    progress: Progress | None,
) -> ImportReport:
    explicit, mapping_name = await choose_mapping(rt, catalogue.kind, mapping)
    source = await open_source_apart(path, catalogue.fields(), explicit)
    _require_facts(source)
    check = CheckFacts(rt.settings, catalogue.labels, catalogue.scaled(explicit), catalogue.by_name())
    async with open_run(
        rt, catalogue.kind, source, group=_LOCK_GROUP, name=name, by=by, org_id=scope_org_id,
        mapping=mapping_name, progress=progress,
    ) as run:  # fmt: skip
        gathered = _Gathered()
        async for block in checked_blocks(source, check):
            ids = await _identify(run.conn, block.value, scope_org_id)
            gathered.take(block.value, ids)
            await run.commit_block(block, block.value.problems, 0, 0)
        touched = await gathered.write(run.conn, f"导入文件“{name}”", as_of, run.id)
        run.changed = gathered.rows_of(touched)
    return await run.report()


def _require_facts(source: Source) -> None:
    found = source.layout.columns.keys() - {NUMBER.name}
    if not found or (LONG_NAME.name in found) != (LONG_VALUE.name in found):
        listed = "、".join(f"“{header}”" for header in source.layout.headers if header)
        raise InvalidInput(
            f"除纳税人识别号外，没有一列对应目录里的代码或名称。文件中的列有：{listed}",
            field="file",
            headers=list(source.layout.headers),
        )


async def _identify(conn: Connection, rows: FactRows, scope_org_id: int | None) -> NDArray[np.int64]:
    """The taxpayer of each row; 0 where the row is refused."""
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        params = {"keys": b"".join(set(rows.bidx)), "scope": scope_org_id}
        await cursor.execute(_SQL["taxpayers"], params)
        found = {bidx: own_id if inside else -1 for bidx, own_id, inside in await cursor.fetchall()}
    refused = {problem.row for problem in rows.problems if problem.refused}
    ids = np.array([found.get(bidx, 0) for bidx in rows.bidx], dtype=np.int64)
    for at in np.flatnonzero(ids <= 0):
        row = rows.rows[int(at)]
        if row not in refused:
            reason = OUTSIDE if ids[at] else UNKNOWN_TAXPAYER
            rows.problems.append(Problem(row, NUMBER.title, rows.numbers[int(at)], reason, True))
    ids[ids < 0] = 0
    return ids


@dataclass(slots=True)
class _Gathered:
    """What a file says, over all its blocks; of a taxpayer named twice the first row counts."""

    labels: dict[str, dict[str, BitMap]] = field(default_factory=dict)
    spoken_of: dict[str, BitMap] = field(default_factory=dict)
    ids: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict)
    values: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict)
    named: list[NDArray[np.int64]] = field(default_factory=list)

    def take(self, rows: FactRows, ids: NDArray[np.int64]) -> None:
        """Add a block; what repeats an earlier row becomes a problem."""
        repeated: set[int] = set()
        if not rows.is_long:
            ids = np.where(self._first("", np.arange(len(ids)), ids, repeated), ids, 0)
        for label in rows.labels:
            kept = self._first(label.code if rows.is_long else None, label.rows, ids, repeated)
            members, said = ids[label.rows[kept]], label.said[kept]
            sets = self.labels.setdefault(label.code, {})
            for place, word in enumerate(label.words):
                sets.setdefault(word, BitMap()).update(from_array(members[said == place]))
        for attribute in rows.attributes:
            kept = self._first(attribute.code if rows.is_long else None, attribute.rows, ids, repeated)
            self.ids.setdefault(attribute.code, []).append(ids[attribute.rows[kept]])
            self.values.setdefault(attribute.code, []).append(attribute.values[kept])
        for at in sorted(repeated):
            rows.problems.append(Problem(rows.rows[at], NUMBER.title, rows.numbers[at], DUPLICATE, True))
        refused = {problem.row for problem in rows.problems if problem.refused}
        good = np.fromiter((row not in refused for row in rows.rows), bool, len(rows.rows))
        self.named.append(ids[good])

    def _first(
        self, key: str | None, rows: NDArray[np.int64], ids: NDArray[np.int64], repeated: set[int]
    ) -> NDArray[np.bool_]:
        """Which of the rows have a taxpayer, and one that was not spoken of under the key before."""
        members = ids[rows]
        kept: NDArray[np.bool_] = members > 0
        if key is None:
            return kept
        spoken = self.spoken_of.setdefault(key, BitMap())
        here = from_array(members[kept])
        if len(here) < int(kept.sum()) or spoken.intersect(here):
            once = np.zeros(len(members), dtype=bool)
            once[np.unique(members, return_index=True)[1]] = True
            known = np.fromiter((int(member) in spoken for member in members), bool, len(members))
            again = kept & (known | ~once)
            repeated.update(rows[again].tolist())
            kept &= ~again
        spoken |= here
        return kept

    async def write(
        self, conn: Connection, source: str, as_of: date | None, import_id: int
    ) -> AbstractBitMap:
        """Write everything; the taxpayers of whom anything changed."""
        pieces: dict[str, Piece] = {}
        for code, sets in self.labels.items():
            pieces |= await _pieces(conn, code, sets)
        made = await change_sets(conn, pieces, source=source, as_of=as_of, import_id=import_id)
        touched = _touched(made.values())
        for code in sorted(self.ids):
            members, values = np.concatenate(self.ids[code]), np.concatenate(self.values[code])
            change = await write_values(
                conn, code, members, values, source=source, as_of=as_of, import_id=import_id
            )
            touched |= change.added | change.removed
        return touched

    def rows_of(self, taxpayers: AbstractBitMap) -> int:
        """How many good rows speak of these taxpayers."""
        if not taxpayers or not self.named:
            return 0
        named = np.concatenate(self.named)
        return int(np.isin(named, np.array(taxpayers.to_array(), dtype=np.int64)).sum())


def _touched(changes: Iterable[Change]) -> BitMap:
    return BitMap.union(BitMap(), *(part for change in changes for part in (change.added, change.removed)))


async def _pieces(conn: Connection, code: str, sets: Mapping[str, BitMap]) -> dict[str, Piece]:
    """What to add and to remove: whoever gets one value of a label loses its other values."""
    if sets.keys() <= {YES, NO}:
        return {label_key(code): (sets.get(YES, BitMap()), sets.get(NO, BitMap()))}
    everyone = BitMap.union(BitMap(), *sets.values())
    rows = await (await conn.execute(_SQL["values"], {"prefix": label_key(code, "")})).fetchall()
    members: dict[str, BitMap] = {row["set_key"]: BitMap() for row in rows}
    for value, part in sets.items():
        members.setdefault(label_key(code, value), BitMap()).update(part)
    return {key: (part, everyone - part) for key, part in members.items()}
