"""Label and attribute files: wide, long, differences only."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from outreach.errors import InvalidInput
from outreach.imports.report import ImportReport
from outreach.labels.cache import SetCache
from outreach.labels.catalogue import load_builtin
from outreach.labels.imports import import_attributes, import_labels
from outreach.labels.keys import label_key
from outreach.labels.slices import read_values
from outreach.runtime import Runtime
from tests.import_files import (
    EAST_COUNTY_ID,
    WEST,
    company,
    load_taxpayers,
    load_units,
    problems_of,
    write_rows,
)

NUMBERS = [company(f"第{n}公司", WEST if n == 3 else "1010101") for n in range(4)]
ONE, TWO, THREE, FOUR = (row["纳税人识别号"] for row in NUMBERS)
"""Imported in this order they have the ids 1 to 4; the fourth belongs to another county."""


@pytest.fixture(autouse=True)
async def taxpayers(rt: Runtime, tmp_path: Path) -> None:
    async with rt.db.begin() as conn:
        await load_builtin(conn)
    await load_units(rt, tmp_path)
    await load_taxpayers(rt, tmp_path, NUMBERS)


async def load(
    rt: Runtime, folder: Path, header: tuple[str, ...], *rows: tuple[str, ...], scope: int | None = None
) -> ImportReport:
    path = write_rows(folder / "l.csv", ("纳税人识别号", *header), rows)
    return await import_labels(
        rt, path, name="标签.csv", by="test", scope_org_id=scope, as_of=date(2026, 3, 1)
    )


async def load_numbers(
    rt: Runtime,
    folder: Path,
    header: tuple[str, ...],
    *rows: tuple[str, ...],
    mapping: dict[str, str] | None = None,
) -> ImportReport:
    path = write_rows(folder / "a.csv", ("纳税人识别号", *header), rows)
    return await import_attributes(rt, path, name="指标.csv", by="test", scope_org_id=None, mapping=mapping)


async def members(rt: Runtime, code: str, value: str | None = None) -> list[int]:
    key = label_key(code, value)
    return list((await SetCache().load(rt, [key]))[key])


async def values(rt: Runtime, code: str) -> list[int | None]:
    found, present = await read_values(rt, SetCache(), code, np.arange(1, 5, dtype=np.uint32))
    return [int(value) if there else None for value, there in zip(found, present, strict=True)]


async def test_a_column_for_each_label_by_name_or_code(rt: Runtime, tmp_path: Path) -> None:
    header = ("高新技术企业", "sme_low_profit", "纳税信用等级")
    report = await load(
        rt, tmp_path, header, (ONE, "是", "0", "A级"), (TWO, "Y", "1", "M"), (THREE, "", "", "")
    )
    assert (report.read, report.changed, report.same, report.bad) == (3, 2, 1, 0)
    assert await members(rt, "hnte") == [1, 2]
    assert await members(rt, "sme_low_profit") == [2]
    assert await members(rt, "credit_grade", "A") == [1]
    assert await members(rt, "credit_grade", "M") == [2]


async def test_only_differences_are_written_and_logged(rt: Runtime, tmp_path: Path) -> None:
    header = ("高新技术企业", "纳税信用等级")
    await load(rt, tmp_path, header, (ONE, "是", "A"), (TWO, "是", "B"), (THREE, "否", "B"))
    logged = await rt.db.fetch("select set_key, as_of, source, import_id from set_change order by set_key")
    assert [(row["set_key"], row["as_of"], row["source"]) for row in logged] == [
        ("label:credit_grade=A", date(2026, 3, 1), "导入文件“标签.csv”"),
        ("label:credit_grade=B", date(2026, 3, 1), "导入文件“标签.csv”"),
        ("label:hnte", date(2026, 3, 1), "导入文件“标签.csv”"),
    ]
    report = await load(rt, tmp_path, header, (ONE, "是", "A"), (TWO, "是", "B"), (THREE, "否", "B"))
    assert (report.changed, report.same) == (0, 3)
    assert len(await rt.db.fetch("select 1 as one from set_change")) == 3
    report = await load(rt, tmp_path, header, (ONE, "否", "B"), (TWO, "", ""))
    assert (report.changed, report.same) == (1, 1)
    assert len(await rt.db.fetch("select 1 as one from set_change")) == 6
    assert await members(rt, "credit_grade", "A") == []
    assert await members(rt, "credit_grade", "B") == [1, 2, 3]
    assert await members(rt, "hnte") == [2]


async def test_the_long_form(rt: Runtime, tmp_path: Path) -> None:
    report = await load(
        rt, tmp_path, ("标签", "值"), (ONE, "高新技术企业", "是"), (ONE, "credit_grade", "A级"),
        (TWO, "高新技术企业", "是"), (TWO, "高新技术企业", "否"), (TWO, "不存在的标签", "是"),
    )  # fmt: skip
    assert (report.good, report.bad) == (3, 2)
    assert await members(rt, "hnte") == [1, 2]
    assert [(row, reason) for row, _, reason, _ in await problems_of(rt, report)] == [
        (5, "与本文件前面的行重复，以前面的为准"),
        (6, "目录中没有这个标签或指标"),
    ]


async def test_a_taxpayer_named_twice_the_first_row_counts(rt: Runtime, tmp_path: Path) -> None:
    report = await load(
        rt, tmp_path, ("高新技术企业", "出口退税企业"), (ONE, "是", ""), (TWO, "否", ""), (ONE, "否", "是")
    )
    assert (report.good, report.bad) == (2, 1)
    assert await members(rt, "hnte") == [1]
    assert await members(rt, "export") == []


async def test_wrong_numbers_and_values(rt: Runtime, tmp_path: Path) -> None:
    report = await load(
        rt, tmp_path, ("高新技术企业", "纳税信用等级"), (ONE, "也许", "E级"), ("", "是", "A"),
        ("911501000000000000", "是", "A"), ("9.11E+17", "是", "A"), (FOUR, "是", "A"),
        scope=EAST_COUNTY_ID,
    )  # fmt: skip
    assert (report.good, report.bad, report.left_out) == (1, 4, 2)
    assert [
        (row, field, reason.split("，")[0]) for row, field, reason, _ in await problems_of(rt, report)
    ] == [
        (2, "纳税信用等级", "应为：A级、B级、C级、D级、M级"),
        (2, "高新技术企业", "应填是或否（也可用1/0、Y/N）"),
        (3, "纳税人识别号", "为空"),
        (4, "纳税人识别号", "没有这个纳税人识别号的户"),
        (5, "纳税人识别号", "数字已被表格软件改成科学计数"),
        (6, "纳税人识别号", "该户不在您的数据范围内"),
    ]
    assert await members(rt, "hnte") == []


async def test_a_file_without_any_known_label_is_refused(rt: Runtime, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="没有一列对应目录"):
        await load(rt, tmp_path, ("幸运数字",), (ONE, "7"))


async def test_industries_may_be_finer_than_the_catalogue(rt: Runtime, tmp_path: Path) -> None:
    await load(rt, tmp_path, ("行业",), (ONE, "H6229"), (TWO, "软件和信息技术服务业"))
    assert await members(rt, "industry", "6229") == [1]
    assert await members(rt, "industry", "I65") == [2]


async def test_attributes_are_exact(rt: Runtime, tmp_path: Path) -> None:
    report = await load_numbers(
        rt, tmp_path, ("应补税额", "从业人数", "税负率", "登记日期", "利润总额（元）"),
        (ONE, "400.00", "12", "3.5%", "2026年3月15日", "-12345.67"),
        (TWO, "400.01", "300.0", "12.25", "20260315", "0"),
        (THREE, "", "", "", "", ""),
    )  # fmt: skip
    assert (report.good, report.changed, report.left_out) == (3, 2, 0)
    assert await values(rt, "amount_due") == [40_000, 40_001, None, None]
    assert await values(rt, "employees") == [12, 300, None, None]
    assert await values(rt, "tax_burden") == [350, 1225, None, None]
    assert await values(rt, "registered_on") == [date(2026, 3, 15).toordinal()] * 2 + [None, None]
    assert await values(rt, "profit") == [-1_234_567, 0, None, None]
    again = await load_numbers(rt, tmp_path, ("应补税额",), (ONE, "400.00"), (TWO, "400.02"))
    assert (again.changed, again.same) == (1, 1)
    assert await values(rt, "amount_due") == [40_000, 40_002, None, None]


async def test_ten_thousands_are_read_only_where_the_mapping_says_so(rt: Runtime, tmp_path: Path) -> None:
    rows = ((ONE, "12.345678"), (TWO, "3"))
    with pytest.raises(InvalidInput):
        await load_numbers(rt, tmp_path, ("年销售额（万元）",), *rows)
    await load_numbers(
        rt, tmp_path, ("年销售额（万元）",), *rows, mapping={"annual_sales": "年销售额（万元）"}
    )
    assert await values(rt, "annual_sales") == [12_345_678, 3_000_000, None, None]


async def test_bad_amounts_are_told(rt: Runtime, tmp_path: Path) -> None:
    report = await load_numbers(
        rt,
        tmp_path,
        ("年销售额", "登记日期"),
        (ONE, "12万", "昨天"),
        (TWO, "1.234", ""),
        (THREE, "9" * 16, ""),
    )
    assert report.left_out == 4
    assert [reason for _, _, reason, _ in await problems_of(rt, report)] == [
        "金额带有“万”或“亿”，请换算成元后再导入",
        "不是有效日期，可写2026-03-15、2026/3/15、20260315或2026年3月15日",
        "不是有效金额，应为以元为单位的数字，最多两位小数",
        "数字太大",
    ]
