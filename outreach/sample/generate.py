"""Writes the files of a made-up city, as messy as offices send them.

org_units.csv        UTF-8        five levels
taxpayers.csv        GBK          all households with those who act for them; some rows broken on purpose
persons.csv          GBK          natural persons' addresses, language, care
persons.xlsx         Excel        contacts of companies: title row, merged headers, full-width digits,
                                  trailing blanks, a blank last row
labels.csv           UTF-8 BOM    a column per label
attributes.csv       UTF-8        amounts in yuan
tax_records.csv, benefit_records.csv, annual_records.csv   UTF-8, for statements
manifest.json        counts and the rows that are broken
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import xlsxwriter

from outreach.sample import facts, mess
from outreach.sample.city import City, build_city
from outreach.sample.households import Household, settle
from outreach.sample.people import Someone

_ROLES = ("法定代表人", "财务负责人", "办税员", "涉税代理人")
TAXPAYER_HEADER = (
    "纳税人识别号", "纳税人名称", "纳税人类型", "主管税务机关代码", "行业代码", "登记日期", "手机号码",
    *(f"{role}{part}" for role in _ROLES for part in ("姓名", "证件号码", "手机号码")),
)  # fmt: skip
_PERSON_HEADER = ("姓名", "证件类型", "证件号码", "手机号码", "微信openid", "电子邮箱", "语言", "特殊关怀")
_EXCEL_CONTACTS = 3_000
_BROKEN_SHARE = 0.001
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that was broken on purpose, and what an import must say of it."""

    file: str
    row: int
    way: str
    field: str
    reason: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was written: rows of data per file (broken ones too), households by kind, broken rows."""

    seed: int
    taxpayers: int
    kinds: dict[str, int]
    rows: dict[str, int]
    broken: list[Broken] = field(default_factory=list)


def generate(folder: Path, taxpayers: int, seed: int, *, broken_share: float = _BROKEN_SHARE) -> Manifest:
    """Write the files of a city of so many taxpayers; the same seed writes the same bytes (the Excel file
    holds its time of making). About 0.1 ms per taxpayer."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = Random(seed)
    city = build_city(taxpayers, rng)
    households = settle(city, taxpayers, rng)
    broken: list[Broken] = []
    rows = {
        "org_units.csv": _write_offices(folder / "org_units.csv", city),
        "taxpayers.csv": _write_taxpayers(folder / "taxpayers.csv", households, broken_share, rng, broken),
        "persons.csv": _write_csv(folder / "persons.csv", "gbk", _PERSON_HEADER, _person_rows(households)),
        "persons.xlsx": _write_contacts(folder / "persons.xlsx", households, rng),
        **_write_facts(folder, households, rng),
    }
    kinds = {
        kind: sum(household.kind == kind for household in households)
        for kind in ("自然人", "个体工商户", "企业")
    }
    manifest = Manifest(seed, taxpayers, kinds, rows, broken)
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return manifest


def _write_csv(path: Path, encoding: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    count = 0
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _write_offices(path: Path, city: City) -> int:
    rows = ((office.code, office.name, office.parent) for office in city.offices)
    return _write_csv(path, "utf-8", ("机构代码", "机构名称", "上级机构代码"), rows)


def taxpayer_row(household: Household) -> list[str]:
    """The cells of TAXPAYER_HEADER."""
    opened = household.registered_on
    cells = [
        household.tax_no, household.name, household.kind, household.org_code, household.industry,
        opened.isoformat() if opened else "", household.person.mobile if household.person else "",
    ]  # fmt: skip
    for role in _ROLES:
        person = household.roles.get(role)
        cells += [person.name, person.id_no, person.mobile] if person else ["", "", ""]
    return cells


def _write_taxpayers(
    path: Path, households: list[Household], share: float, rng: Random, broken: list[Broken]
) -> int:
    every = round(1 / share) if share else 0
    row_number = 1
    with path.open("wb") as file:
        file.write(encode_row(TAXPAYER_HEADER))
        for number, household in enumerate(households, start=1):
            row = taxpayer_row(household)
            row_number += 1
            file.write(encode_row(row))
            if every and number % every == every // 2:
                row_number += 1
                line, what = break_row(row, row_number, path.name, len(broken), rng)
                file.write(line)
                broken.append(what)
        # Exports end like this: rows of nothing.
        file.write(encode_row([""] * len(TAXPAYER_HEADER)) + b"\r\n")
    return row_number - 1


def encode_row(cells: Sequence[str]) -> bytes:
    """A line in GBK; no cell of ours needs quoting."""
    return ",".join(cells).encode("gbk") + b"\r\n"


def break_row(
    cells: Sequence[str], row_number: int, file: str, turn: int, rng: Random
) -> tuple[bytes, Broken]:
    """A row broken in the way whose turn it is: a household of its own, so that no good row is lost."""
    row = dict(zip(TAXPAYER_HEADER, cells, strict=True))
    way = mess.fitting(row, turn % len(mess.BREAKAGES))
    if not way.refused:
        # What is left out of a good row must not change the household that it was copied from.
        row = mess.new_identity(row, rng)
    changed = way.change(row, rng)
    line = way.bytes_of(encode_row([changed[header] for header in TAXPAYER_HEADER]))
    return line, Broken(file, row_number, way.name, way.field, way.reason, way.refused)


def _person_rows(households: list[Household]) -> Iterator[list[str]]:
    for household in households:
        person = household.person
        if person and (person.openid or person.email or person.language or person.care):
            yield [
                person.name, "居民身份证", person.id_no, person.mobile, person.openid, person.email,
                person.language, "是" if person.care else "",
            ]  # fmt: skip


def _write_contacts(path: Path, households: list[Household], rng: Random) -> int:
    """Contacts of companies as an office keeps them by hand."""
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet = book.add_worksheet("联系人")
    sheet.merge_range(0, 0, 0, 6, "示例市税务局企业联系人登记表（2025年度）")
    sheet.write_row(1, 0, ["填报单位：示例市税务局", "", "", "", "", "", "单位：人"])
    sheet.write_row(2, 0, ["序号", "纳税人识别号", "联系人信息", "", "", "", "身份"])
    sheet.write_row(3, 0, ["", "", "姓名", "身份证件号码", "手机号码", "电子邮箱", ""])
    row = 4
    for household, role, person in _contacts(households):
        number = person.mobile.translate(_FULL_WIDTH) if rng.random() < 0.2 else person.mobile
        padded = f"{person.name}{'　' if rng.random() < 0.1 else ' ' * rng.randrange(2)}"
        sheet.write_row(row, 0, [row - 3, household.tax_no, padded, person.id_no, number, person.email, role])
        row += 1
    sheet.write_row(row, 0, [" "] * 7)
    book.close()
    return row - 4


def _contacts(households: list[Household]) -> Iterator[tuple[Household, str, Someone]]:
    left = _EXCEL_CONTACTS
    for household in households:
        for role in ("法定代表人", "办税员"):
            person = household.roles.get(role)
            if person and household.kind == "企业" and left:
                left -= 1
                yield household, role, person


def _write_facts(folder: Path, households: list[Household], rng: Random) -> dict[str, int]:
    number = ("纳税人识别号",)
    annual = (record for record in map(facts.annual_record_of, households) if record)
    files: dict[str, tuple[str, Sequence[str], Iterable[Sequence[str]]]] = {
        "labels.csv": ("utf-8-sig", number + facts.LABELS, _label_rows(households, rng)),
        "attributes.csv": (
            "utf-8",
            number + facts.ATTRIBUTES,
            ([household.tax_no, *facts.attributes_of(household)] for household in households),
        ),
        "tax_records.csv": (
            "utf-8",
            facts.TAX_HEADER,
            (record for household in households for record in facts.tax_records_of(household, rng)),
        ),
        "benefit_records.csv": (
            "utf-8",
            facts.BENEFIT_HEADER,
            (record for household in households for record in facts.benefit_records_of(household)),
        ),
        "annual_records.csv": ("utf-8", facts.ANNUAL_HEADER, annual),
    }
    return {
        name: _write_csv(folder / name, encoding, header, rows)
        for name, (encoding, header, rows) in files.items()
    }


def _label_rows(households: list[Household], rng: Random) -> Iterator[list[str]]:
    return ([household.tax_no, *facts.labels_of(household, rng)] for household in households)
