"""Which column holds which field: by what offices call it, by a remembered mapping, or as the user says."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.imports.headers import plain
from outreach.runtime import Runtime

_SQL = load_queries(__file__)

_GROUP_SUFFIX = re.compile(r"(?:信息|情况|资料)(?=/|$)")
_NEUTRAL_GROUPS = frozenset(
    ("", "基本", "登记", "基本登记", "纳税人", "户", "企业", "单位", "人员", "个人", "联系人", "标签", "指标")
)
"""Upper header cells that say nothing: `基本信息/纳税人名称` is `纳税人名称`, but `经办人/手机号码` is not
`手机号码`."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a file may hold. `title` is what we call it, `synonyms` what others do."""

    name: str
    title: str
    synonyms: tuple[str, ...] = ()
    required: bool = False

    def names(self) -> tuple[str, ...]:
        """All headers that mean this field, for comparison; the most certain first."""
        return tuple(dict.fromkeys(map(plain, (self.title, *self.synonyms, self.name))))


class Mapper:
    """Finds fields in headers. `explicit` is {field: header} and goes before synonyms."""

    def __init__(self, fields: Sequence[Field], explicit: Mapping[str, str] | None = None) -> None:
        self.fields = fields
        self._explicit = {name: plain(header) for name, header in (explicit or {}).items()}
        unknown = set(self._explicit) - {field.name for field in fields}
        if unknown:
            raise InvalidInput(f"映射里有未知的字段：{'、'.join(sorted(unknown))}", field="mapping")
        self._by_header: dict[str, tuple[str, int]] = {}
        for field in fields:
            if field.name not in self._explicit:
                self._by_header.update(
                    {header: (field.name, rank) for rank, header in enumerate(field.names())}
                )
        self._by_header.update({header: (name, 0) for name, header in self._explicit.items()})

    def count_known(self, headers: Sequence[str]) -> int:
        """How many columns name a field."""
        return sum(self._field_of(header) is not None for header in headers)

    def columns(self, headers: Sequence[str]) -> dict[str, int]:
        """Field to column. Raises InvalidInput if a required field is missing or two columns claim one."""
        claims: dict[str, list[tuple[int, int]]] = {}
        for position, header in enumerate(headers):
            if (known := self._field_of(header)) is not None:
                claims.setdefault(known[0], []).append((known[1], position))
        found = {name: self._best(name, sorted(columns), headers) for name, columns in claims.items()}
        if error := self.missing(found, headers):
            raise error
        return found

    def missing(self, found: Mapping[str, int], headers: Sequence[str]) -> InvalidInput | None:
        """The error that tells which required fields have no column, and which headers come near."""
        lacking = [field for field in self.fields if field.required and field.name not in found]
        lacking += [
            field for field in self.fields if field.name in self._explicit and field.name not in found
        ]
        if not lacking:
            return None
        hints = {field.title: hint for field in lacking if (hint := _nearest(field, headers))}
        near = "".join(f"；“{title}”是否就是“{hint}”？" for title, hint in hints.items())
        listed = "、".join(f"“{header}”" for header in headers if header) or "（没有表头）"
        titles = "、".join(f"“{field.title}”" for field in dict.fromkeys(lacking))
        return InvalidInput(
            f"缺少列：{titles}。文件中的列有：{listed}{near}",
            field=lacking[0].name,
            headers=list(headers),
            suggestion=hints,
        )

    def _best(self, name: str, columns: Sequence[tuple[int, int]], headers: Sequence[str]) -> int:
        # Exports often hold both 纳税人识别号 and 社会信用代码: the more certain name goes first.
        (rank, position), *others = columns
        if others and others[0][0] == rank:
            raise InvalidInput(
                f"“{headers[position]}”和“{headers[others[0][1]]}”两列都像“{self._title(name)}”，"
                "请在映射中指明用哪一列",
                field=name,
            )
        return position

    def _field_of(self, header: str) -> tuple[str, int] | None:
        whole = plain(header)
        known = self._by_header.get(whole) or self._by_header.get(whole.replace("/", ""))
        if known is not None or "/" not in whole:
            return known
        groups, last = whole.rsplit("/", 1)
        groups = _GROUP_SUFFIX.sub("", groups)
        if set(groups.split("/")) <= _NEUTRAL_GROUPS:
            return self._by_header.get(last)
        return self._by_header.get(groups.replace("/", "") + last)

    def _title(self, name: str) -> str:
        return next(field.title for field in self.fields if field.name == name)


def _nearest(field: Field, headers: Sequence[str]) -> str | None:
    by_plain = {plain(header): header for header in headers if header}
    best, score = None, 0.45
    for text in field.names():
        for candidate, header in by_plain.items():
            ratio = difflib.SequenceMatcher(None, text, candidate).ratio()
            if ratio > score:
                best, score = header, ratio
    return best


async def save_mapping(conn: Connection, kind: str, name: str, columns: Mapping[str, str]) -> None:
    """Remember {field: header} under a name; the name's older mapping is replaced."""
    await conn.execute(_SQL["save"], {"kind": kind, "name": name, "columns": Jsonb(dict(columns))})


async def load_mapping(conn: Connection, kind: str, name: str) -> dict[str, str]:
    """A remembered mapping. Raises NotFound."""
    row = await (await conn.execute(_SQL["load"], {"kind": kind, "name": name})).fetchone()
    if row is None:
        raise NotFound(f"没有名为“{name}”的列映射", kind=kind)
    return dict(row["columns"])


async def list_mappings(conn: Connection, kind: str) -> dict[str, dict[str, str]]:
    """All remembered mappings of a kind of file."""
    rows = await (await conn.execute(_SQL["list"], {"kind": kind})).fetchall()
    return {row["name"]: dict(row["columns"]) for row in rows}


async def choose_mapping(
    rt: Runtime, kind: str, mapping: Mapping[str, str] | str | None
) -> tuple[Mapping[str, str] | None, str | None]:
    """What an import was given as mapping: the columns, and the name if it is a remembered one."""
    if not isinstance(mapping, str):
        return mapping, None
    async with rt.db.begin() as conn:
        return await load_mapping(conn, kind, mapping), mapping
