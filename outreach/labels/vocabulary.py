"""What the names in an expression stand for: labels, attributes, org units, saved segments.

Only what the expression mentions is read, at the moment of use. Names of org units and segments are read
from where the expression lives: a unit within the scope comes before one elsewhere, and a segment of the
own unit before those of the units above.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.labels.catalogue import Attribute
from outreach.labels.keys import INDUSTRY, industry_prefixes, label_key
from outreach.labels.language import parse
from outreach.labels.tree import (
    Between,
    Compare,
    ExpressionInvalid,
    Has,
    Label,
    Number,
    OneOf,
    Segment,
    Tree,
    Under,
    Value,
    Word,
    walk,
)

_SQL = load_queries(__file__)
_MAX_NESTING = 10
_MAX_TOTAL_NODES = 2000
What = Literal["label", "attribute", "unit", "segment"]


@dataclass(frozen=True, slots=True)
class LabelTerm:
    """A label as an expression sees it; `options` is empty for a flag."""

    code: str
    name: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unit:
    """An org unit that a name may mean."""

    id: int
    code: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All that `bind` needs to know about one expression."""

    labels: Mapping[str, LabelTerm] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    units: Mapping[str, Sequence[Unit]] = field(default_factory=dict)
    segments: Mapping[str, "Saved"] = field(default_factory=dict)
    set_keys: Sequence[str] = ()
    known_names: Mapping[What, Sequence[tuple[str, str]]] = field(default_factory=dict)

    def keys_under(self, prefix: str) -> tuple[str, ...]:
        """The existing sets whose names start so."""
        return tuple(key for key in self.set_keys if key.startswith(prefix))


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved segment with all that its own expression mentions; `size` counts its nodes to the bottom."""

    id: int
    name: str
    text: str
    tree: Tree
    vocabulary: Vocabulary
    size: int


async def load_vocabulary(conn: Connection, tree: Tree, text: str, scope_org_id: int | None) -> Vocabulary:
    """Read what the names in `tree` stand for, as seen from an org unit (None: from everywhere).

    A name that stands for nothing is left out: `bind` reports it with its place. Raises ExpressionInvalid
    for segments that contain themselves, are ambiguous, nested too deep or broken; NotFound if there is no
    such org unit.
    """
    path = "" if scope_org_id is None else await _scope_path(conn, scope_org_id)
    return await _Loader(conn).load(tree, text, path, ())


async def _scope_path(conn: Connection, org_id: int) -> str:
    row = await (await conn.execute(_SQL["scope_path"], {"id": org_id})).fetchone()
    if row is None:
        raise NotFound("没有这个机构，或者它不在您的数据范围内。")
    return str(row["path"])


class _Loader:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._saved: dict[int, Saved] = {}

    async def load(self, tree: Tree, text: str, path: str, within: tuple[int, ...]) -> Vocabulary:
        names, units, segments = _mentions(tree)
        params = {"names": list(names), "units": list(units), "segments": list(segments)}
        rows = await (await self._conn.execute(_SQL["resolve"], params)).fetchall()
        by_kind: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_kind.setdefault(row["what"], []).append(row)
        labels = _by_code_and_name(
            LabelTerm(row["code"], row["name"], row["options"] if row["type"] == "value" else {})
            for row in by_kind.get("label", [])
        )
        attributes = _by_code_and_name(
            Attribute(row["code"], row["name"], row["type"], row["unit"])
            for row in by_kind.get("attribute", [])
        )
        found_units = _units(by_kind.get("unit", []), units, path)
        saved = await self._segments(tree, text, path, by_kind.get("segment", []), within)
        missing = (
            (names - labels.keys() - attributes.keys() - {"kind"})
            or (units - found_units.keys())
            or (segments - saved.keys())
        )
        return Vocabulary(
            labels,
            attributes,
            found_units,
            saved,
            await self._set_keys(tree, labels),
            await self._known_names(path) if missing else {},
        )

    async def _segments(
        self, tree: Tree, text: str, path: str, rows: list[dict[str, Any]], within: tuple[int, ...]
    ) -> dict[str, Saved]:
        saved: dict[str, Saved] = {}
        total = 0
        for node in walk(tree):
            total += 1
            if isinstance(node, Segment):
                row = _nearest_segment(rows, node, text, path)
                if row is not None:
                    saved[node.name] = await self._segment(row, node, text, within)
                    total += saved[node.name].size
            if total > _MAX_TOTAL_NODES:
                raise ExpressionInvalid("嵌套的人群合起来太大，请简化。", text, node.span)
        return saved

    async def _segment(self, row: dict[str, Any], node: Segment, text: str, within: tuple[int, ...]) -> Saved:
        if row["id"] in within:
            raise ExpressionInvalid(f"人群“{node.name}”直接或间接包含了自己。", text, node.span)
        if len(within) >= _MAX_NESTING:
            raise ExpressionInvalid(f"人群嵌套超过 {_MAX_NESTING} 层。", text, node.span)
        if row["id"] not in self._saved:
            self._saved[row["id"]] = await self._read_segment(row, node, text, within)
        return self._saved[row["id"]]

    async def _read_segment(
        self, row: dict[str, Any], node: Segment, text: str, within: tuple[int, ...]
    ) -> Saved:
        inner = row["expression"]
        try:
            tree = parse(inner)
            vocabulary = await self.load(tree, inner, row["path"], (*within, row["id"]))
        except ExpressionInvalid as error:
            raise broken_segment(node, text, error) from error
        nodes = list(walk(tree))
        nested = [vocabulary.segments.get(each.name) for each in nodes if isinstance(each, Segment)]
        size = len(nodes) + sum(each.size for each in nested if each)
        return Saved(row["id"], row["name"], inner, tree, vocabulary, size)

    async def _set_keys(self, tree: Tree, labels: Mapping[str, LabelTerm]) -> Sequence[str]:
        prefixes = sorted({prefix for node in walk(tree) for prefix in _prefixes(node, labels)})
        if not prefixes:
            return ()
        highs = [prefix[:-1] + chr(ord(prefix[-1]) + 1) for prefix in prefixes]
        params = {"lows": prefixes, "highs": highs}
        rows = await (await self._conn.execute(_SQL["keys_in_ranges"], params)).fetchall()
        return sorted(row["set_key"] for row in rows)

    async def _known_names(self, path: str) -> dict[What, Sequence[tuple[str, str]]]:
        rows = await (await self._conn.execute(_SQL["known_names"], {"path": path})).fetchall()
        known: dict[What, list[tuple[str, str]]] = {}
        for row in rows:
            known.setdefault(row["what"], []).append((row["code"], row["name"]))
        return dict(known)


def broken_segment(node: Segment, text: str, error: ExpressionInvalid) -> ExpressionInvalid:
    """The error of a segment's own expression, told where the segment is used."""
    return ExpressionInvalid(f"人群“{node.name}”的表达式有误：{error.message}", text, node.span)


def value_text(value: Value) -> str | None:
    """A value read as the code of an option; None for a date."""
    return value.text if isinstance(value, Word | Number) else None


def _mentions(tree: Tree) -> tuple[set[str], set[str], set[str]]:
    names: set[str] = set()
    units: set[str] = set()
    segments: set[str] = set()
    for node in walk(tree):
        match node:
            case Under(unit=unit):
                units.add(unit)
            case Compare(name="org", value=Word(text=unit)):
                units.add(unit)
            case (
                Label(name=name) | Has(name=name) | Compare(name=name) | OneOf(name=name) | Between(name=name)
            ):
                names.add(name)
            case Segment(name=name):
                segments.add(name)
    return names, units, segments


def _prefixes(node: Tree, labels: Mapping[str, LabelTerm]) -> Iterable[str]:
    match node:
        case Has(name=name) | Compare(name=name, op="!=") if name in labels:
            return [label_key(labels[name].code, "")]
        case Compare(name=name, value=value) if _is_industry(name, labels):
            return _industry_prefixes([value], labels[name])
        case OneOf(name=name, values=values) if _is_industry(name, labels):
            return _industry_prefixes(values, labels[name])
    return []


def _is_industry(name: str, labels: Mapping[str, LabelTerm]) -> bool:
    return name in labels and labels[name].code == INDUSTRY


def _industry_prefixes(values: Iterable[Value], label: LabelTerm) -> list[str]:
    codes = {name: code for code, name in label.options.items()}
    texts = [text for text in map(value_text, values) if text is not None]
    prefixes = [industry_prefixes(codes.get(text, text)) or () for text in texts]
    return [label_key(INDUSTRY, prefix) for group in prefixes for prefix in group]


Term = TypeVar("Term", LabelTerm, Attribute)


def _by_code_and_name(terms: Iterable[Term]) -> dict[str, Term]:
    known = list(terms)
    return {**{term.name: term for term in known}, **{term.code: term for term in known}}


def _units(rows: list[dict[str, Any]], wanted: set[str], path: str) -> dict[str, Sequence[Unit]]:
    all_units = [Unit(row["id"], row["code"], row["name"], row["path"]) for row in rows]
    found: dict[str, Sequence[Unit]] = {}
    for text in wanted:
        by_code = [unit for unit in all_units if unit.code == text]
        by_name = [unit for unit in all_units if unit.name == text]
        near = [unit for unit in by_name if unit.path.startswith(path)]
        candidates = by_code or near or by_name
        if candidates:
            found[text] = candidates
    return found


def _nearest_segment(
    rows: list[dict[str, Any]], node: Segment, text: str, path: str
) -> dict[str, Any] | None:
    named = [row for row in rows if row["name"] == node.name]
    above = [row for row in named if path.startswith(row["path"])]
    if above:
        return max(above, key=lambda row: len(row["path"]))
    below = [row for row in named if row["path"].startswith(path)]
    if len(below) > 1:
        raise ExpressionInvalid(f"有 {len(below)} 个下级机构的人群都叫“{node.name}”。", text, node.span)
    return below[0] if below else None
