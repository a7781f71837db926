"""Import of org units: five levels from the province to the grid, each row under its superior.

The file is small and its rows refer to each other, so it is taken whole and written in one transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.imports.blocks import Layout, Problem, Table
from outreach.imports.cells import normalise_all
from outreach.imports.mapping import choose_mapping
from outreach.imports.pipeline import CheckedBlock, checked_blocks
from outreach.imports.report import ImportReport, Progress, open_run
from outreach.imports.source import open_source_apart
from outreach.registry.fields import ORG_FIELDS
from outreach.registry.people import name_fault
from outreach.registry.writing import LOCK_GROUP
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
LOWEST_LEVEL = 5
_COLUMNS = [
    ("id", "int4"), ("parent_id", "int4"), ("level", "int2"), ("code", "text"), ("name", "text"),
    ("path", "text"),
]  # fmt: skip

CODE_EMPTY = "机构代码为空"
DUPLICATE = "与本文件前面的机构代码重复，以前面的为准"
UNKNOWN_PARENT = "上级机构不存在（或上下级循环）"
SECOND_ROOT = "已有最高一级机构，请填写上级机构代码"
TOO_DEEP = "层级超过五级"
OUTSIDE = "该机构不在您的数据范围内"
LEVEL_CHANGE = "不能把机构移到另一层级"


@dataclass(frozen=True, slots=True)
class Unit:
    """An org unit; `path` as in the table."""

    id: int
    parent_id: int | None
    level: int
    code: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A row of the file. `parent_code` is empty for the highest unit."""

    row: int
    code: str
    name: str
    parent_code: str


async def import_org_units(
    rt: Runtime,
    path: Path,
    *,
    name: str,
    by: str,
    scope_org_id: int | None,
    mapping: Mapping[str, str] | str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import org units; arguments and errors as in `import_taxpayers`. Units that the file does not name
    stay. A unit may move to another superior of the same level; its subtree moves along."""
    explicit, mapping_name = await choose_mapping(rt, "org_units", mapping)
    source = await open_source_apart(path, ORG_FIELDS, explicit)
    async with open_run(
        rt, "org_units", source, group=LOCK_GROUP, name=name, by=by, org_id=scope_org_id,
        mapping=mapping_name, progress=progress,
    ) as run:  # fmt: skip
        rows: list[UnitRow] = []
        problems: list[Problem] = []
        read = 0
        async for block in checked_blocks(source, check_units):
            read += block.rows
            rows += [replace(row, row=block.first + row.row) for row in block.value]
            problems += map(block.in_file, block.problems)
        tree = await _load(run.conn, scope_org_id)
        new, changed = tree.take(rows, problems)
        await _write(run.conn, new, changed)
        await run.commit_block(CheckedBlock(0, read, [], None), problems, len(new), tree.rows_changed)
    return await run.report()


def check_units(table: Table, layout: Layout) -> list[UnitRow]:
    """The rows of a block whose code and name can be read."""
    codes = normalise_all(table.column("code"))
    parents = normalise_all(table.column("parent_code"))
    rows = []
    for row, code, name, parent in zip(table.rows, codes, table.column("name"), parents, strict=True):
        if fault := name_fault(name):
            table.problems.append(Problem(row, layout.header_of("name"), name, fault, True))
        elif not code:
            table.problems.append(Problem(row, layout.header_of("code"), code, CODE_EMPTY, True))
        else:
            rows.append(UnitRow(row, code, name, parent))
    return rows


class Tree:
    """All units by code, and what a file changes in them."""

    def __init__(self, units: list[Unit], scope_path: str) -> None:
        self._stored = {unit.code: unit for unit in units}
        self._units = dict(self._stored)
        self._next_id = max((unit.id for unit in units), default=0) + 1
        self._scope = scope_path
        self.rows_changed = 0

    def take(self, rows: list[UnitRow], problems: list[Problem]) -> tuple[list[Unit], list[Unit]]:
        """New and changed units (also those that move along), superiors before inferiors."""
        waiting = self._unique(rows, problems)
        while ready := [row for row in waiting.values() if row.parent_code not in waiting]:
            for row in ready:
                del waiting[row.code]
                if reason := self._place(row):
                    problems.append(Problem(row.row, "上级机构代码", row.parent_code, reason, True))
        problems += [
            Problem(row.row, "上级机构代码", row.parent_code, UNKNOWN_PARENT, True)
            for row in waiting.values()
        ]
        self._renew_paths()
        ordered = sorted(self._units.values(), key=lambda unit: (unit.level, unit.id))
        new = [unit for unit in ordered if unit.code not in self._stored]
        changed = [unit for unit in ordered if self._stored.get(unit.code, unit) != unit]
        return new, changed

    def _unique(self, rows: list[UnitRow], problems: list[Problem]) -> dict[str, UnitRow]:
        first: dict[str, UnitRow] = {}
        for row in rows:
            if first.setdefault(row.code, row) is not row:
                problems.append(Problem(row.row, "机构代码", row.code, DUPLICATE, True))
        return first

    def _place(self, row: UnitRow) -> str | None:
        """Put one row into the tree; the reason if it does not fit."""
        known, parent = self._units.get(row.code), self._units.get(row.parent_code)
        if row.parent_code and parent is None:
            return UNKNOWN_PARENT
        if reason := self._scope_fault(known, parent):
            return reason
        level = parent.level + 1 if parent else 1
        if known is None and parent is None and self._units:
            return SECOND_ROOT
        if level > LOWEST_LEVEL:
            return TOO_DEEP
        if known is not None and known.level != level:
            return LEVEL_CHANGE
        unit_id = known.id if known else self._new_id()
        path = f"{parent.path if parent else ''}{unit_id}."
        unit = Unit(unit_id, parent.id if parent else None, level, row.code, row.name, path)
        self.rows_changed += known is not None and unit != known
        self._units[row.code] = unit
        return None

    def _scope_fault(self, known: Unit | None, parent: Unit | None) -> str | None:
        inside = not self._scope or (known or parent or _NOWHERE).path.startswith(self._scope)
        moves = known is not None and (parent.id if parent else None) != known.parent_id
        arrives = not self._scope or not moves or (parent or _NOWHERE).path.startswith(self._scope)
        return None if inside and arrives else OUTSIDE

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _renew_paths(self) -> None:
        by_id = {unit.id: unit for unit in self._units.values()}
        for unit in sorted(self._units.values(), key=lambda unit: unit.level):
            above = by_id[unit.parent_id].path if unit.parent_id is not None else ""
            by_id[unit.id] = self._units[unit.code] = replace(unit, path=f"{above}{unit.id}.")


_NOWHERE = Unit(0, None, 0, "", "", "")


async def _load(conn: Connection, scope_org_id: int | None) -> Tree:
    rows = await (await conn.execute(_SQL["all"])).fetchall()
    units = [Unit(**row) for row in rows]
    paths = {unit.id: unit.path for unit in units}
    if scope_org_id is not None and scope_org_id not in paths:
        raise NotFound("没有这个机构")
    return Tree(units, "" if scope_org_id is None else paths[scope_org_id])


async def _write(conn: Connection, new: list[Unit], changed: list[Unit]) -> None:
    rows = ((unit.id, unit.parent_id, unit.level, unit.code, unit.name, unit.path) for unit in new)
    await copy_rows(conn, "org_unit", _COLUMNS, rows)
    params = {
        "ids": [unit.id for unit in changed],
        "parents": [unit.parent_id for unit in changed],
        "names": [unit.name for unit in changed],
        "paths": [unit.path for unit in changed],
    }
    await conn.execute(_SQL["change"], params)
