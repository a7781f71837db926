"""The catalogue of labels and attributes: a national one with versions, and local extensions beside it.

A national catalogue is complete: what it no longer lists is withdrawn, not deleted, so saved expressions go
on working. A local extension adds and changes local entries and never touches a national one. An import
with any problem writes nothing.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.catalogue_rows import (
    AttributeEntry,
    LabelEntry,
    Row,
    RowProblem,
    read_attributes,
    read_labels,
)
from outreach.labels.units import Type

_SQL = load_queries(__file__)
_FOLDER = Path(__file__).parent
BUILTIN_VERSION = "内置2026.1"
Entry = LabelEntry | AttributeEntry


@dataclass(frozen=True, slots=True)
class Attribute:
    """A typed value that a taxpayer may have; `unit` is what staff read behind the number."""

    code: str
    name: str
    type: Type
    unit: str


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """What an import did; with `problems` it did nothing."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: int = 0
    withdrawn: tuple[str, ...] = ()
    problems: tuple[RowProblem, ...] = ()


async def import_labels(
    conn: Connection, rows: Iterable[Row], *, version: str, local: bool = False
) -> CatalogueReport:
    """Take over a label catalogue (`catalogue_rows.read_labels` describes the columns)."""
    return await _import(conn, "label", *read_labels(rows), version=version, local=local)


async def import_attributes(
    conn: Connection, rows: Iterable[Row], *, version: str, local: bool = False
) -> CatalogueReport:
    """Take over an attribute catalogue (`catalogue_rows.read_attributes` describes the columns)."""
    return await _import(conn, "attribute", *read_attributes(rows), version=version, local=local)


async def load_builtin(conn: Connection) -> bool:
    """Load the catalogue that comes with the product, unless a bureau has loaded a national one of its own.

    Safe to call at every start; returns whether the built-in catalogue is in force.
    """
    await conn.execute(_SQL["lock"])
    row = await (await conn.execute(_SQL["foreign_version"], {"version": BUILTIN_VERSION})).fetchone()
    if row is not None:
        return False
    for load, name in ((import_labels, "catalogue.csv"), (import_attributes, "attributes.csv")):
        report = await load(conn, builtin_rows(name), version=BUILTIN_VERSION)
        if report.problems:
            raise ValueError(f"{name}: {report.problems[0]}")
    return True


def builtin_rows(name: str) -> list[dict[str, str]]:
    """The rows of `catalogue.csv` or `attributes.csv`."""
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def load_attributes(conn: Connection) -> dict[str, Attribute]:
    """All attributes by code, withdrawn ones too, because saved templates may still name them."""
    rows = await (await conn.execute(_SQL["attributes"])).fetchall()
    return {row["code"]: Attribute(**row) for row in rows}


async def list_catalogue(conn: Connection) -> dict[str, list[dict[str, Any]]]:
    """All labels and attributes by category, for the builder: {"labels": [...], "attributes": [...]}."""
    labels = await (await conn.execute(_SQL["list_labels"])).fetchall()
    attributes = await (await conn.execute(_SQL["list_attributes"])).fetchall()
    return {"labels": labels, "attributes": attributes}


async def _import(
    conn: Connection,
    table: str,
    entries: Sequence[Entry],
    problems: Sequence[RowProblem],
    *,
    version: str,
    local: bool,
) -> CatalogueReport:
    await conn.execute(_SQL["lock"])
    rows = await (await conn.execute(_SQL["existing"])).fetchall()
    existing = {row["code"]: row for row in rows if row["tbl"] == table}
    found = [*problems, *_conflicts(table, entries, rows, local)]
    if found:
        return CatalogueReport(problems=tuple(found))
    report = _compared(entries, existing, local)
    for entry in entries:
        params = {**_fields(entry), "version": version, "local": local}
        await conn.execute(_SQL[f"upsert_{table}"], params)
    await conn.execute(_SQL[f"withdraw_{table}"], {"codes": list(report.withdrawn)})
    return report


def _compared(
    entries: Sequence[Entry], existing: Mapping[str, Mapping[str, Any]], local: bool
) -> CatalogueReport:
    new = tuple(entry.code for entry in entries if entry.code not in existing)
    known = [entry for entry in entries if entry.code in existing]
    changed = tuple(entry.code for entry in known if _differs(entry, existing[entry.code], local))
    listed = {entry.code for entry in entries}
    gone = () if local else tuple(
        code for code, row in existing.items()
        if code not in listed and not row["is_local"] and not row["withdrawn"]
    )  # fmt: skip
    return CatalogueReport(new, changed, len(known) - len(changed), gone)


def _differs(entry: Entry, row: Mapping[str, Any], local: bool) -> bool:
    if row["withdrawn"] or row["is_local"] != local:
        return True
    return any(row["body"][column] != value for column, value in _plain(entry).items())


def _plain(entry: Entry) -> dict[str, Any]:
    columns = ("code", "name", "category", "source", "description")
    extra = ("kind", "options") if isinstance(entry, LabelEntry) else ("type", "unit")
    return {column: getattr(entry, column) for column in (*columns, *extra)}


def _fields(entry: Entry) -> dict[str, Any]:
    fields = _plain(entry)
    return {**fields, "options": Jsonb(fields["options"])} if "options" in fields else fields


def _conflicts(
    table: str, entries: Sequence[Entry], rows: Sequence[Mapping[str, Any]], local: bool
) -> list[RowProblem]:
    listed = {entry.code for entry in entries}
    problems: list[RowProblem] = []
    by_code = {row["code"]: row for row in rows}
    by_name = {row["name"]: row for row in rows if row["tbl"] != table or row["code"] not in listed}
    for entry in entries:
        same_code, same_name = by_code.get(entry.code), by_name.get(entry.name)
        if same_code and same_code["tbl"] != table:
            problems.append(RowProblem(entry.row, "code", f"{entry.code} 已是另一类目录的代码。"))
        elif same_code and local and not same_code["is_local"]:
            reason = f"{entry.code} 在全国目录里，地方扩展不能覆盖；请换一个代码。"
            problems.append(RowProblem(entry.row, "code", reason))
        if same_name:
            reason = f"名称“{entry.name}”已用于 {same_name['code']}。"
            problems.append(RowProblem(entry.row, "name", reason))
    return problems
