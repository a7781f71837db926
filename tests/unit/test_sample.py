"""The made-up city: always the same, well-formed, consistent, and nobody's."""

import csv
import hashlib
import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from outreach.imports.numbers import FINE, check_credit_codes, check_identity_cards
from outreach.labels.catalogue import builtin_rows
from outreach.sample.generate import Manifest, generate
from outreach.sample.mess import BREAKAGES
from outreach.statements.benefits import compute_line
from outreach.statements.inputs import parse_inputs

SIZE = 4_000
CSV_FILES = (
    "org_units.csv", "taxpayers.csv", "persons.csv", "labels.csv", "attributes.csv", "tax_records.csv",
    "benefit_records.csv", "annual_records.csv", "manifest.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("city")
    return folder, generate(folder, SIZE, 7)


def rows(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        return [row for row in csv.DictReader(file, quoting=csv.QUOTE_NONE) if row["纳税人识别号"]]


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in CSV_FILES}


def test_the_same_seed_makes_the_same_city(city: tuple[Path, Manifest], tmp_path: Path) -> None:
    generate(tmp_path / "again", SIZE, 7)
    generate(tmp_path / "other", SIZE, 8)
    assert digests(city[0]) == digests(tmp_path / "again")
    assert digests(city[0])["taxpayers.csv"] != digests(tmp_path / "other")["taxpayers.csv"]


def test_the_manifest_tells_what_was_written(city: tuple[Path, Manifest]) -> None:
    folder, manifest = city
    assert json.loads((folder / "manifest.json").read_text())["rows"] == manifest.rows
    assert manifest.kinds == {"自然人": 2800, "个体工商户": 800, "企业": 400}
    assert manifest.rows["taxpayers.csv"] == SIZE + len(manifest.broken)
    assert len(manifest.broken) == SIZE // 1000
    assert manifest.rows["labels.csv"] == manifest.rows["attributes.csv"] == SIZE


def test_the_districts_exist_nowhere_and_numbers_are_well_formed(city: tuple[Path, Manifest]) -> None:
    folder, manifest = city
    bad = {broken.row for broken in manifest.broken}
    taxpayers = rows(folder / "taxpayers.csv", "gbk")
    numbers = [row["纳税人识别号"] for at, row in enumerate(taxpayers, start=2) if at not in bad]
    cards = [number for number in numbers if number.startswith("1599")]
    codes = [number for number in numbers if not number.startswith("1599")]
    assert check_identity_cards(cards, date(2026, 1, 1)).tolist() == [FINE] * len(cards)
    assert check_credit_codes(codes).tolist() == [FINE] * len(codes)
    assert {code[2:6] for code in codes} == {"1599"}
    assert len(set(numbers)) == len(numbers) >= SIZE


def test_people_are_shared_between_companies(city: tuple[Path, Manifest]) -> None:
    companies = [row for row in rows(city[0] / "taxpayers.csv", "gbk") if row["纳税人类型"] == "企业"]
    finance = Counter(row["财务负责人证件号码"] for row in companies)
    agents = Counter(row["涉税代理人证件号码"] for row in companies if row["涉税代理人证件号码"])
    assert finance.most_common(1)[0][1] >= 3
    assert agents.most_common(1)[0][1] >= 12


def test_labels_follow_from_amounts(city: tuple[Path, Manifest]) -> None:
    labels = {row["纳税人识别号"]: row for row in rows(city[0] / "labels.csv")}
    people = [row for row in rows(city[0] / "attributes.csv") if row["综合所得收入额"]]
    for row in people:
        owed, income = float(row["应补税额"]), float(row["综合所得收入额"])
        said = labels[row["纳税人识别号"]]
        assert (said["必须办理汇算"] == "是") == (owed > 400 and income > 120_000)
        assert (said["汇算应补税"] == "是") == (owed > 0)
        assert (said["汇算应退税"] == "是") == (float(row["应退税额"]) > 0)
        assert not (said["必须办理汇算"] == said["可免办汇算"] == "是")
    boundary = {(row["综合所得收入额"], row["应补税额"]) for row in people}
    assert {("120000.00", "400.01"), ("120000.01", "400.01"), ("120000.01", "400.00")} <= boundary


def test_every_column_is_in_the_catalogue(city: tuple[Path, Manifest]) -> None:
    for name, catalogue in (("labels.csv", "catalogue.csv"), ("attributes.csv", "attributes.csv")):
        known = {row["name"] for row in builtin_rows(catalogue)}
        assert set(rows(city[0] / name)[0]) - {"纳税人识别号"} <= known


def test_benefits_can_be_computed(city: tuple[Path, Manifest]) -> None:
    seen = set()
    for row in rows(city[0] / "benefit_records.csv")[:3000]:
        line = compute_line(row["优惠代码"], int(row["所属期"]), parse_inputs(row), province="")
        assert line.amount > 0 or float(row["应纳税所得额"] or row["销售额"] or 1) < 1
        seen.add(row["优惠代码"])
    assert len(seen) == 6


def test_there_are_twenty_ways_and_more_to_break_a_row() -> None:
    assert len({way.name for way in BREAKAGES}) == len(BREAKAGES) >= 20
