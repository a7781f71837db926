"""A hundred thousand rows, one in a hundred broken: exactly those are reported, each with its reason."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from outreach.registry.imports_taxpayers import import_taxpayers
from outreach.registry.imports_units import import_org_units
from outreach.runtime import Runtime
from outreach.sample.city import build_city
from outreach.sample.generate import generate
from outreach.sample.households import settle
from outreach.sample.mess import BREAKAGES
from tests.import_files import BrokenFile, break_rows, fingerprint, table_sizes

SIZE = 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken")


@pytest.fixture(scope="module")
def broken_file(folder: Path) -> BrokenFile:
    generate(folder, 100, 3)
    rng = Random(3)
    city = build_city(100, rng)
    return break_rows(folder / "taxpayers.csv", settle(city, SIZE, rng), 0.01, rng)


@pytest.mark.slow
async def test_exactly_the_broken_rows_are_reported_each_with_its_reason(
    rt: Runtime, folder: Path, broken_file: BrokenFile
) -> None:
    offices = folder / "org_units.csv"
    await import_org_units(rt, offices, name=offices.name, by="test", scope_org_id=None)
    done: list[int] = []
    report = await import_taxpayers(
        rt, broken_file.path, name="t", by="test", scope_org_id=None,
        progress=lambda rows, total: done.append(rows),
    )  # fmt: skip
    ways = Counter(item.way for item in broken_file.broken)
    assert len(broken_file.broken) == SIZE // 100
    assert len(ways) == len(BREAKAGES) + 1
    found = await rt.db.fetch(
        "select row_number, field, reason, refused from import_error where import_id = %(id)s order by 1",
        {"id": report.id},
    )
    expected = {(item.row, item.field, item.refused): item.reason for item in broken_file.broken}
    said = {(row["row_number"], row["field"], row["refused"]): row["reason"] for row in found}
    assert said.keys() == expected.keys()
    assert len(found) == len(said)
    wrong = [(key, said[key], reason) for key, reason in expected.items() if reason not in said[key]]
    assert wrong == []
    refused = sum(item.refused for item in broken_file.broken)
    assert (report.read, report.bad, report.new) == (SIZE, refused, SIZE - refused)
    assert report.left_out == len(broken_file.broken) - refused
    assert (await table_sizes(rt))["taxpayer"] == broken_file.good
    assert done == sorted(done) and done[-1] == SIZE and len(done) > 1

    before = await fingerprint(rt)
    again = await import_taxpayers(rt, broken_file.path, name="t", by="test", scope_org_id=None)
    assert (again.new, again.changed, again.same) == (0, 0, report.good)
    assert again.left_out == report.left_out
    assert await fingerprint(rt) == before
