"""Org units: the tree, its moves, its limits."""

from pathlib import Path

from outreach.imports.report import ImportReport
from outreach.registry.imports_units import import_org_units
from outreach.runtime import Runtime
from tests.import_files import EAST_COUNTY_ID, fingerprint, load_units, problems_of, write_rows

HEADER = ("机构代码", "机构名称", "上级机构代码")


async def load(
    rt: Runtime, folder: Path, rows: list[tuple[str, str, str]], scope: int | None = None
) -> ImportReport:
    path = write_rows(folder / "more.csv", HEADER, rows)
    return await import_org_units(rt, path, name=path.name, by="test", scope_org_id=scope)


async def paths(rt: Runtime) -> dict[str, str]:
    rows = await rt.db.fetch("select code, path, level from org_unit")
    assert all(row["path"].count(".") == row["level"] for row in rows)
    return {row["code"]: row["path"] for row in rows}


async def test_the_order_of_rows_does_not_matter(rt: Runtime, tmp_path: Path) -> None:
    rows = [("111", "网格", "11"), ("11", "县", "1"), ("1", "市", "0"), ("0", "省", "")]
    report = await load(rt, tmp_path, rows)
    assert (report.new, report.bad) == (4, 0)
    assert (await paths(rt))["111"].count(".") == 4


async def test_the_same_file_again_changes_nothing(rt: Runtime, tmp_path: Path) -> None:
    await load_units(rt, tmp_path)
    before = await fingerprint(rt)
    report = await load_units(rt, tmp_path)
    assert (report.new, report.changed, report.same) == (0, 0, 6)
    assert await fingerprint(rt) == before


async def test_a_subtree_moves_with_its_head(rt: Runtime, tmp_path: Path) -> None:
    await load_units(rt, tmp_path)
    await load(rt, tmp_path, [("G1", "第一网格", "1010101")])
    report = await load(rt, tmp_path, [("1010101", "城关税务所", "10102")])
    assert (report.new, report.changed) == (0, 1)
    found = await paths(rt)
    assert found["1010101"].startswith(found["10102"])
    assert found["G1"].startswith(found["1010101"])


async def test_what_does_not_fit_is_told(rt: Runtime, tmp_path: Path) -> None:
    await load_units(rt, tmp_path)
    rows = [
        ("A", "甲", "没有"), ("B", "乙", "C"), ("C", "丙", "B"), ("D", "丁", ""), ("E", "", "101"),
        ("", "己", "101"), ("G", "庚", "1010101"), ("H", "辛", "G"), ("10101", "东河区税务局", "100000000"),
        ("G", "再庚", "1010101"),
    ]  # fmt: skip
    report = await load(rt, tmp_path, rows)
    assert (report.new, report.bad) == (1, 9)
    assert [(row, reason) for row, _, reason, _ in await problems_of(rt, report)] == [
        (2, "上级机构不存在（或上下级循环）"),
        (3, "上级机构不存在（或上下级循环）"),
        (4, "上级机构不存在（或上下级循环）"),
        (5, "已有最高一级机构，请填写上级机构代码"),
        (6, "为空"),
        (7, "机构代码为空"),
        (9, "层级超过五级"),
        (10, "不能把机构移到另一层级"),
        (11, "与本文件前面的机构代码重复，以前面的为准"),
    ]


async def test_a_scope_bounds_what_may_be_written(rt: Runtime, tmp_path: Path) -> None:
    await load_units(rt, tmp_path)
    rows = [
        ("N1", "新所", "10101"),
        ("N2", "外所", "10102"),
        ("1010201", "改名", "10102"),
        ("1010201", "抢走", "10101"),
        ("1010101", "送走", "10102"),
        ("10101", "东河区局", "101"),
    ]
    report = await load(rt, tmp_path, rows[:3], scope=EAST_COUNTY_ID)
    assert (report.new, report.bad) == (1, 2)
    report = await load(rt, tmp_path, rows[3:], scope=EAST_COUNTY_ID)
    assert (report.changed, report.bad) == (1, 2)
    names = {row["code"]: row["name"] for row in await rt.db.fetch("select code, name from org_unit")}
    assert names["1010201"] == "石桥税务所"
    assert names["10101"] == "东河区局"


async def test_the_root_of_a_fresh_installation_gets_its_name(rt: Runtime, tmp_path: Path) -> None:
    await rt.db.execute(
        "insert into org_unit (id, parent_id, level, code, name, path)"
        " values (1, null, 1, '100000000', '本单位', '1.')"
    )
    report = await load_units(rt, tmp_path)
    assert (report.new, report.changed) == (5, 1)
    row = await rt.db.fetch_one("select name from org_unit where id = 1")
    assert row == {"name": "示例省税务局"}
