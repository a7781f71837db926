"""Bundles for post and hall: complete, indexed, resumable; and leaflets from the catalogue."""

import asyncio
import io
import re
import stat
import zipfile
from pathlib import Path

import orjson
import pytest
from pyroaring import BitMap
from python_calamine import CalamineWorkbook

from outreach.errors import Conflict, NotFound
from outreach.labels.keys import label_key
from outreach.labels.sets import change_set
from outreach.processes import environment
from outreach.runtime import Runtime
from outreach.statements.documents import read_documents
from outreach.statements.export import ORDER, Wish, export_documents
from outreach.statements.issue import issue_documents
from outreach.statements.leaflets import TOPICS, leaflet, render_leaflet, topics_in
from outreach.statements.pdf import render_pdf
from outreach.statements.rules import catalogue
from tests.integration.command_line import outreach
from tests.integration.statement_samples import COMPANY, ELSEWHERE, EVERYBODY, PERSON, SHOP, make_city

BILLS = Wish("yearly_bill", 2025, 1)


@pytest.fixture
async def city(rt: Runtime, tmp_path: Path) -> Runtime:
    """Households with their bills of 2025."""
    await make_city(rt, tmp_path)
    await issue_documents(rt, "yearly_bill", 2025, scope_org_id=1)
    return rt


def index_of(sheet: bytes) -> list[list[object]]:
    rows = CalamineWorkbook.from_filelike(io.BytesIO(sheet)).get_sheet_by_index(0).to_python()
    return [list(row) for row in rows[1:]]


async def test_every_hall_gets_its_bundle_with_an_index(city: Runtime, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = await export_documents(city, folder, BILLS, by="test")
    assert (done.documents, done.bundles, done.kept) == (len(EVERYBODY), 2, 0)
    digests = {one.digest for one in await read_documents(city, [one.id for one in EVERYBODY])}
    found: list[str] = []
    for path in sorted(folder.glob("*.zip")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, "amounts stand in it"
        with zipfile.ZipFile(path) as bundle:
            for row in index_of(bundle.read("目录.xlsx")):
                assert bundle.read(str(row[6])).startswith(b"%PDF") and str(row[1]) in str(row[6])
                found.append(str(row[8]))
    assert sorted(path.name[:6] for path in folder.glob("*.zip")) == ["150101", "150102"]
    assert set(found) == digests and len(found) == 4


async def test_an_export_goes_on_where_it_stopped(city: Runtime, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    await export_documents(city, folder, BILLS, by="test")
    first, second = sorted(folder.glob("*.zip"))
    before = first.stat().st_mtime_ns
    second.unlink()
    (folder / (second.name + ".part")).write_bytes(b"half")
    # What is issued meanwhile belongs to the next export: this one's order is fixed.
    again = await export_documents(city, folder, BILLS, by="test")
    assert (again.kept, again.bundles) == (1, 2) and first.stat().st_mtime_ns == before
    assert zipfile.is_zipfile(second) and not list(folder.glob("*.part"))
    with pytest.raises(Conflict, match="空目录"):
        await export_documents(city, folder, Wish("yearly_bill", 2025, 4), by="test")


async def test_a_merged_bundle_says_where_each_document_begins(city: Runtime, tmp_path: Path) -> None:
    done = await export_documents(city, tmp_path / "m", Wish("yearly_bill", 2025, 3, merged=True), by="test")
    (path,) = (tmp_path / "m").glob("*.pdf")
    rows = index_of(next((tmp_path / "m").glob("*_目录.xlsx")).read_bytes())
    assert done.documents == len(rows) == 3
    assert [row[6] for row in rows] == [1, 1 + rows[0][7], 1 + rows[0][7] + rows[1][7]]
    assert path.read_bytes().startswith(b"%PDF")


async def test_a_round_exports_its_own_households(city: Runtime, tmp_path: Path) -> None:
    await city.db.execute("select ensure_period('recipient', 202603)")
    await city.db.execute(
        "insert into recipient"
        " (period, round_id, first_step, position, person_id, taxpayer_ids, org_id, reach)"
        " values (202603, 7, 0, 0, 1, %(ids)s, 3, 1)",
        {"ids": [COMPANY.id, SHOP.id]},
    )
    done = await export_documents(city, tmp_path / "r", Wish("yearly_bill", 2025, 1, round_id=7), by="test")
    assert done.documents == 2
    audit = await city.db.fetch_one("select detail from audit_event where action = 'statement.export'")
    assert audit is not None and audit["detail"]["documents"] == 2


async def test_mongolian_for_those_who_read_it(city: Runtime, tmp_path: Path) -> None:
    """By the language of the contact or by the label, which says nothing of a company."""
    async with city.db.begin() as conn:
        await conn.execute("update person set language = 'mn' where id = %s", (COMPANY.id,))
        key, labelled = label_key("mongolian_reader"), BitMap([SHOP.id, ELSEWHERE.id])
        await change_set(conn, key, add=labelled, source="测试")
    for mongolian, expected in (
        ("none", set()),
        ("readers", {COMPANY.id, SHOP.id}),
        ("all", {one.id for one in EVERYBODY}),
    ):
        folder = tmp_path / mongolian
        wish = Wish("yearly_bill", 2025, 1, mongolian=mongolian)
        await export_documents(city, folder, wish, by="test")
        found = set()
        for path in folder.glob("*.zip"):
            with zipfile.ZipFile(path) as bundle:
                names = {row[1]: str(row[6]) for row in index_of(bundle.read("目录.xlsx"))}
                for one in await read_documents(city, [one.id for one in EVERYBODY]):
                    name = names.get(one.content["issue"]["number"])
                    if name and bundle.read(name) == render_pdf(
                        one.content, one.digest, city.settings.base_url, mongolian=True
                    ):
                        found.add(one.taxpayer_id)
        assert found == expected
    with pytest.raises(Conflict):
        await export_documents(city, tmp_path / "all", BILLS, by="test")


async def test_large_print_for_the_elderly(city: Runtime, tmp_path: Path) -> None:
    async with city.db.begin() as conn:
        await change_set(conn, label_key("elderly"), add=BitMap([PERSON.id, ELSEWHERE.id]), source="测试")
        await change_set(conn, label_key("special_care"), add=BitMap([SHOP.id]), source="测试")
    for large, expected in (("none", set()), ("readers", {PERSON.id, SHOP.id}), ("all", {1, 2, 3})):
        folder = tmp_path / large
        await export_documents(city, folder, Wish("yearly_bill", 2025, 3, large=large), by="test")
        (path,) = folder.glob("*.zip")
        with zipfile.ZipFile(path) as bundle:
            names = {row[1]: str(row[6]) for row in index_of(bundle.read("目录.xlsx"))}
            found = {
                one.taxpayer_id
                for one in await read_documents(city, [1, 2, 3])
                if bundle.read(names[one.content["issue"]["number"]])
                == render_pdf(one.content, one.digest, city.settings.base_url, large=True)
            }
        assert found == expected


async def test_an_export_begun_before_there_was_mongolian_or_large_print_goes_on(
    city: Runtime, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    await export_documents(city, folder, BILLS, by="test")
    order = orjson.loads((folder / ORDER).read_bytes())
    del order["wish"]["mongolian"], order["wish"]["large"]
    for part in order["parts"]:
        del part["mongolian"], part["large"]
    (folder / ORDER).write_bytes(orjson.dumps(order))
    sorted(folder.glob("*.zip"))[1].unlink()
    again = await export_documents(city, folder, BILLS, by="test")
    assert (again.kept, again.bundles) == (1, 2)


async def test_nothing_to_export_is_said(city: Runtime, tmp_path: Path) -> None:
    for wish, says in ((Wish("yearly_bill", 2020, 1), "没有可导出"), (Wish("yearly_bill", 2025, 99), "机构")):
        with pytest.raises(NotFound, match=says):
            await export_documents(city, tmp_path / "n", wish, by="test")
    assert not (tmp_path / "n" / ORDER).exists()


def test_leaflets_tell_every_rule_in_force_once() -> None:
    for month in (202512, 202603):
        told = [rule.code for topic in topics_in(month) for rule in leaflet(topic, month).rules]
        in_force = {
            code
            for code, rule in catalogue().items()
            if rule.first_month <= month <= (rule.last_month or 999_999)
        }
        assert len(told) == len(set(told)) and set(told) == in_force
    assert "VAT_SS_THRESHOLD_2026" in {rule.code for rule in leaflet("small-scale", 202603).rules}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_leaflet_is_a_page_or_two(topic: str) -> None:
    pdf = render_leaflet(leaflet(topic, 202603), "国家税务总局示例市税务局")
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"stream\n", pdf)) < 20
    assert len(render_leaflet(leaflet(topic, 202603), "国家税务总局示例市税务局", large=True)) > len(pdf)


def test_unknown_leaflets_are_named() -> None:
    with pytest.raises(NotFound, match="small-scale"):
        leaflet("nothing", 202603)


async def test_the_command_issues_and_exports(
    city: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(city.settings).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "cli"
    words = ("--year", "2025", "--org", "1", "--kind", "benefit_bill", "--deadline")
    done = await asyncio.to_thread(outreach, "statements", "issue", *words, "202602=2026-03-31x")
    assert done[0] == 1 and "202610=2026-10-26" in done[1]
    done = await asyncio.to_thread(outreach, "statements", "issue", *words, "202602=2026-02-27")
    assert done[0] == 0 and "4 户" in done[1]
    assert "2026-02-27" in {due["day"] for due in (await read_documents(city, [1]))[1].content["due"]}
    words = (
        "--year",
        "2025",
        "--org",
        "1",
        "--kind",
        "benefit_bill",
        "--merged",
        "--mongolian",
        "all",
        "--large",
        "all",
    )
    done = await asyncio.to_thread(outreach, "statements", "export", str(folder), *words)
    assert done[0] == 0 and list(folder.glob("*.pdf")) and "1 包" in done[1]
    words = ("--month", "202603", "--mongolian", "--large")
    done = await asyncio.to_thread(outreach, "statements", "leaflets", str(folder / "l"), *words)
    assert done[0] == 0 and len(list((folder / "l").glob("*.pdf"))) == len(topics_in(202603))
