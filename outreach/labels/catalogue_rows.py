"""Catalogue files read and checked row by row, before anything is written."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from outreach.labels.tokens import KEYWORDS
from outreach.labels.units import TYPES

_CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
RESERVED = KEYWORDS | {"kind", "all"}
_TAKEN = {"finding.": "疑点核实", "document.": "出具文书"}
"""How codes begin whose members follow from something else."""
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row of a catalogue cannot be taken; rows count from 1 after the header."""

    row: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """A label of a catalogue; `options` maps the code of each value to its Chinese name."""

    row: int = field(compare=False)
    code: str
    name: str
    kind: str
    category: str
    source: str
    description: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AttributeEntry:
    """An attribute of a catalogue."""

    row: int = field(compare=False)
    code: str
    name: str
    type: str
    unit: str
    category: str
    source: str
    description: str


def read_labels(rows: Iterable[Row]) -> tuple[list[LabelEntry], list[RowProblem]]:
    """Entries of a label catalogue: columns code, value, name, kind, category, source, description.

    A row with a `value` names one value of the label of the same code; it may stand anywhere.
    """
    labels: dict[str, tuple[int, Row]] = {}
    options: dict[str, dict[str, str]] = {}
    problems: list[RowProblem] = []
    for number, row in enumerate(map(_trimmed, rows), start=1):
        reason = _row_problem(row, labels, options)
        if reason:
            problems.append(RowProblem(number, *reason))
        elif row["value"]:
            options.setdefault(row["code"], {})[row["value"]] = row["name"]
        else:
            labels[row["code"]] = (number, row)
    entries = [_label(number, row, options.pop(code, {})) for code, (number, row) in labels.items()]
    problems += [RowProblem(0, "code", f"取值所属的标签 {code} 不在目录里。") for code in options]
    return entries, problems + _kind_problems(entries) + _name_problems(entries)


def read_attributes(rows: Iterable[Row]) -> tuple[list[AttributeEntry], list[RowProblem]]:
    """Entries of an attribute catalogue: columns code, name, type, unit, category, source, description."""
    entries: dict[str, AttributeEntry] = {}
    problems: list[RowProblem] = []
    for number, row in enumerate(map(_trimmed, rows), start=1):
        reason = _code_problem(row, entries)
        if reason:
            problems.append(RowProblem(number, *reason))
        elif row["type"] not in TYPES:
            problems.append(RowProblem(number, "type", f"类型应是 {'、'.join(TYPES)} 之一。"))
        else:
            entries[row["code"]] = AttributeEntry(number, **_fields(row, "type", "unit"))
    return list(entries.values()), problems + _name_problems(entries.values())


def _trimmed(row: Row) -> dict[str, str]:
    columns = ("code", "value", "name", "kind", "type", "unit", "category", "source", "description")
    return {column: (row.get(column) or "").strip() for column in columns}


def _fields(row: Row, *extra: str) -> dict[str, str]:
    return {column: row[column] for column in ("code", "name", *extra, "category", "source", "description")}


def _label(number: int, row: Row, options: Mapping[str, str]) -> LabelEntry:
    return LabelEntry(number, **_fields(row, "kind"), options=options)


def _row_problem(
    row: Row, labels: Mapping[str, object], options: Mapping[str, Mapping[str, str]]
) -> tuple[str, str] | None:
    if row["value"]:
        return _option_problem(row, options.get(row["code"], {}))
    if row["kind"] not in ("flag", "value"):
        return "kind", "标签类型应是 flag（有或无）或 value（多个取值）。"
    return _code_problem(row, labels)


def _option_problem(row: Row, known: Mapping[str, str]) -> tuple[str, str] | None:
    if len(row["value"]) > 40 or not row["value"].isprintable():
        return "value", "取值代码不能超过 40 个字符，不能含控制字符。"
    if row["value"] in known or row["name"] in known.values():
        return "value", f"取值 {row['value']} {row['name']} 重复。"
    return None if row["name"] else ("name", "取值缺少中文名称。")


def _code_problem(row: Row, known: Mapping[str, object]) -> tuple[str, str] | None:
    code = row["code"]
    if not _CODE.fullmatch(code) or len(code) > 60:
        return "code", f"代码“{code[:60]}”应由小写字母、数字、下划线和点组成，以字母开头。"
    if code in RESERVED:
        return "code", f"{code} 是表达式的保留字，不能作代码。"
    for head, by in _TAKEN.items():
        if code.startswith(head):
            return "code", f"代码 {code} 不能以 {head} 开头，这样的代码由{by}自动产生，请换一个。"
    if code in known:
        return "code", f"代码 {code} 重复。"
    if not row["name"] or len(row["name"]) > 60 or not row["name"].isprintable():
        return "name", "中文名称不能为空，不能超过 60 个字。"
    return None


def _kind_problems(entries: Iterable[LabelEntry]) -> list[RowProblem]:
    return [
        RowProblem(entry.row, "kind", f"{entry.code} 是有或无的标签，不能有取值。" if entry.options else
                   f"{entry.code} 缺少取值。")
        for entry in entries
        if (entry.kind == "value") != bool(entry.options)
    ]  # fmt: skip


def _name_problems(entries: Iterable[LabelEntry | AttributeEntry]) -> list[RowProblem]:
    seen: dict[str, str] = {}
    problems: list[RowProblem] = []
    for entry in entries:
        other = seen.setdefault(entry.name, entry.code)
        if other != entry.code:
            problems.append(RowProblem(entry.row, "name", f"名称“{entry.name}”与 {other} 相同。"))
    return problems
