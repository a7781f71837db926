"""Small files for import tests, and rows that are broken on purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from outreach.governance.vault import open_vault
from outreach.imports.report import ImportReport
from outreach.registry.imports_taxpayers import import_taxpayers
from outreach.registry.imports_units import import_org_units
from outreach.runtime import Runtime
from outreach.sample.generate import TAXPAYER_HEADER, Broken, encode_row, taxpayer_row
from outreach.sample.households import Household
from outreach.sample.mess import BREAKAGES, KIND, Breakage, new_identity
from outreach.sample.people import Population

numbers = Population(Random(20260315))
"""Gives identity numbers and credit codes, each once."""

UNITS = (
    ("100000000", "示例省税务局", ""),
    ("101", "示例市税务局", "100000000"),
    ("10101", "东河区税务局", "101"),
    ("10102", "西山区税务局", "101"),
    ("1010101", "城关税务所", "10101"),
    ("1010201", "石桥税务所", "10102"),
)
"""Imported in this order the units have the ids 1 to 6."""
EAST, WEST = "1010101", "1010201"
EAST_COUNTY_ID = 3


def write_rows(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], encoding: str = "gbk"
) -> Path:
    """A plain CSV file; cells must not need quotes."""
    text = "\r\n".join(",".join(row) for row in [header, *rows]) + "\r\n"
    path.write_bytes(text.encode(encoding))
    return path


async def load_units(rt: Runtime, folder: Path) -> ImportReport:
    """The org units above."""
    path = write_rows(folder / "units.csv", ("机构代码", "机构名称", "上级机构代码"), UNITS)
    return await import_org_units(rt, path, name=path.name, by="test", scope_org_id=None)


async def load_taxpayers(
    rt: Runtime, folder: Path, rows: Sequence[Mapping[str, str]], *, scope: int | None = None, **options: Any
) -> ImportReport:
    """A taxpayers file with these cells; absent ones are blank."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    path = write_rows(folder / "t.csv", header, [[row.get(name, "") for name in header] for row in rows])
    return await import_taxpayers(rt, path, name=path.name, by="test", scope_org_id=scope, **options)


def company(name: str = "示例商贸有限公司", org: str = EAST, **cells: str) -> dict[str, str]:
    """A company's row."""
    number = numbers.credit_code("91")
    return {
        "纳税人识别号": number,
        "纳税人名称": name,
        "纳税人类型": "企业",
        "主管税务机关代码": org,
        **cells,
    }


def native(name: str = "王芳", org: str = EAST, **cells: str) -> dict[str, str]:
    """A natural person's row."""
    number = numbers.id_no()
    return {
        "纳税人识别号": number,
        "纳税人名称": name,
        "纳税人类型": "自然人",
        "主管税务机关代码": org,
        **cells,
    }


async def problems_of(rt: Runtime, report: ImportReport) -> list[tuple[int, str, str, bool]]:
    """(row, field, reason, refused) of an import."""
    rows = await rt.db.fetch(
        "select row_number, field, reason, refused from import_error where import_id = %(id)s"
        " order by row_number, field",
        {"id": report.id},
    )
    return [(row["row_number"], row["field"], row["reason"], row["refused"]) for row in rows]


async def contact_of(rt: Runtime, tax_no: str) -> tuple[str, dict[str, str]]:
    """The name of a taxpayer's contact and her addresses by kind, in clear."""
    vault = open_vault(rt.settings)
    person = await rt.db.fetch_one(
        "select p.id, p.name_enc from contact c join taxpayer t on t.id = c.taxpayer_id"
        " join person p on p.id = c.person_id where t.tax_no_bidx = %(key)s",
        {"key": vault.blind_index("tax_no", tax_no)},
    )
    assert person is not None
    rows = await rt.db.fetch("select * from address where person_id = %(id)s", person)
    addresses = {
        row["kind"]: vault.decrypt("address", "value_enc", row["id"], row["value_enc"]) for row in rows
    }
    return vault.decrypt("person", "name_enc", person["id"], person["name_enc"]), addresses


async def table_sizes(rt: Runtime) -> dict[str, int]:
    """Rows of the registry's tables."""
    tables = ("taxpayer", "person", "role", "contact", "address")
    row = await rt.db.fetch_one("select " + ",".join(f"(select count(*) from {t}) as {t}" for t in tables))
    assert row is not None
    return dict(row)


async def fingerprint(rt: Runtime) -> dict[str, str]:
    """A digest of each table of the registry with the places of its rows: any write shows, even one of the
    same values."""
    found = {}
    for table in ("org_unit", "taxpayer", "person", "role", "contact", "address"):
        row = await rt.db.fetch_one(
            f"select md5(string_agg(t::text || ctid::text, '' order by ctid)) as digest from {table} t"
        )
        assert row is not None
        found[table] = row["digest"]
    return found


@dataclass(frozen=True)
class BrokenFile:
    """A file with good and broken rows: the file's name, what must be said, households that stay good."""

    path: Path
    broken: list[Broken]
    good: int


def break_rows(path: Path, households: Sequence[Household], share: float, rng: Random) -> BrokenFile:
    """Write a taxpayers file in which a share of the rows is broken, in all ways of BREAKAGES in turn, and a
    second one more: the repetition of an earlier row."""
    chosen = set(rng.sample(range(1, len(households)), round(len(households) * share)))
    turns: dict[str, int] = {}
    broken: list[Broken] = []
    lines = [encode_row(TAXPAYER_HEADER)]
    for number, household in enumerate(households):
        cells = taxpayer_row(household)
        if number not in chosen:
            lines.append(encode_row(cells))
            continue
        row = dict(zip(TAXPAYER_HEADER, cells, strict=True))
        turn = turns[row[KIND]] = turns.get(row[KIND], -1) + 1
        ways = [way for way in BREAKAGES if way.kind in ("", row[KIND])]
        place = turn % (len(ways) + 1)
        if place == len(ways):
            lines.append(encode_row(taxpayer_row(households[0])))
            broken.append(
                Broken(path.name, len(lines), "repeated", "纳税人识别号", "与本文件前面的行重复", True)
            )
            continue
        lines.append(_broken_line(row, ways[place], rng))
        way = ways[place]
        broken.append(Broken(path.name, len(lines), way.name, way.field, way.reason, way.refused))
    path.write_bytes(b"".join(lines))
    refused = sum(item.refused for item in broken)
    return BrokenFile(path, broken, len(households) - refused)


def _broken_line(row: dict[str, str], way: Breakage, rng: Random) -> bytes:
    changed = way.change(new_identity(row, rng) if way.refused else row, rng)
    return way.bytes_of(encode_row([changed[header] for header in TAXPAYER_HEADER]))
