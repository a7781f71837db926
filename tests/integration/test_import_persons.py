"""Persons files: addresses, languages, care, roles for known taxpayers; and Excel as offices make it."""

from pathlib import Path

import pytest
import xlsxwriter

from outreach.imports.report import ImportReport
from outreach.labels.derived import refresh_derived
from outreach.registry.imports_persons import import_persons
from outreach.runtime import Runtime
from tests.import_files import (
    EAST_COUNTY_ID,
    WEST,
    company,
    contact_of,
    fingerprint,
    load_taxpayers,
    load_units,
    native,
    numbers,
    problems_of,
    table_sizes,
    write_rows,
)

OPENID = "oExample0123456789_abcdefgh-"


@pytest.fixture(autouse=True)
async def units(rt: Runtime, tmp_path: Path) -> None:
    await load_units(rt, tmp_path)


async def load_persons(
    rt: Runtime, folder: Path, rows: list[dict[str, str]], *, scope: int | None = None
) -> ImportReport:
    header = list(dict.fromkeys(name for row in rows for name in row))
    path = write_rows(folder / "p.csv", header, [[row.get(name, "") for name in header] for row in rows])
    return await import_persons(rt, path, name=path.name, by="test", scope_org_id=scope)


async def test_a_natural_person_gets_addresses_language_and_care(rt: Runtime, tmp_path: Path) -> None:
    person = native("娜仁花")
    await load_taxpayers(rt, tmp_path, [person])
    row = {
        "姓名": "娜仁花", "身份证号": person["纳税人识别号"], "手机": "１３８００１３８０００",
        "微信openid": OPENID, "邮箱": "Na.Ren@Example.COM", "语言": "蒙古语", "特殊关怀": "是",
    }  # fmt: skip
    report = await load_persons(rt, tmp_path, [row])
    assert (report.changed, report.bad, report.left_out) == (1, 0, 0)
    assert await contact_of(rt, person["纳税人识别号"]) == (
        "娜仁花",
        {"mobile": "13800138000", "openid": OPENID, "email": "na.ren@example.com"},
    )
    stored = await rt.db.fetch_one("select language, special_care, birth_year from person")
    assert stored == {"language": "mn", "special_care": True, "birth_year": int(person["纳税人识别号"][6:10])}
    before = await fingerprint(rt)
    assert (await load_persons(rt, tmp_path, [row])).same == 1
    assert await fingerprint(rt) == before


async def test_roles_for_several_taxpayers_in_one_cell_and_in_several_rows(
    rt: Runtime, tmp_path: Path
) -> None:
    firms = [company(f"示例{n}公司") for n in "甲乙丙"]
    await load_taxpayers(rt, tmp_path, firms)
    first, second, third = (firm["纳税人识别号"] for firm in firms)
    person = {"姓名": "张伟", "证件号码": numbers.id_no(), "手机号码": "13800138000", "身份": "办税员"}
    report = await load_persons(
        rt, tmp_path, [person | {"纳税人识别号": f"{first}、{second}"}, person | {"纳税人识别号": third}]
    )
    assert (report.read, report.new, report.changed, report.bad) == (2, 1, 1, 0)
    assert await table_sizes(rt) == {"taxpayer": 3, "person": 1, "role": 3, "contact": 3, "address": 1}


async def test_bad_rows_and_bad_values(rt: Runtime, tmp_path: Path) -> None:
    firm = company()
    await load_taxpayers(rt, tmp_path, [firm])
    good = {"纳税人识别号": firm["纳税人识别号"], "身份": "办税员"}
    rows = [
        good | {"姓名": "", "证件号码": numbers.id_no()},
        good | {"姓名": "张伟", "证件号码": "110105194912310021"},
        good | {"姓名": "张伟", "证件号码": "E12345678", "证件类型": "居民身份证"},
        good | {"姓名": "SMITH", "证件号码": "E12345678", "证件类型": "护照"},
        good
        | {"姓名": "李娜", "证件号码": numbers.id_no(), "手机号码": "15400138000", "电子邮箱": "李娜@x.cn"},
        good | {"姓名": "陈静", "证件号码": numbers.id_no(), "语言": "法语", "特殊关怀": "也许"},
        good | {"姓名": "王芳", "证件号码": numbers.id_no(), "身份": "门卫"},
        good | {"姓名": "赵敏", "证件号码": numbers.id_no(), "身份": ""},
        good | {"姓名": "刘洋", "证件号码": numbers.id_no(), "纳税人识别号": numbers.credit_code("91")},
    ]
    report = await load_persons(rt, tmp_path, rows)
    refused = {row for row, _, _, refused in await problems_of(rt, report) if refused}
    assert refused == {2, 3, 4, 8, 9, 10}
    assert (report.good, report.bad) == (3, 6)
    assert (await table_sizes(rt))["person"] == 3


async def test_persons_of_households_elsewhere_are_refused(rt: Runtime, tmp_path: Path) -> None:
    eastern, western = native("王芳"), native("赵敏", WEST)
    await load_taxpayers(rt, tmp_path, [eastern, western])
    before = await contact_of(rt, western["纳税人识别号"])
    rows = [
        {"姓名": "王芳", "证件号码": eastern["纳税人识别号"], "手机号码": "13800138000"},
        {"姓名": "改名", "证件号码": western["纳税人识别号"], "手机号码": "13900139000"},
    ]
    report = await load_persons(rt, tmp_path, rows, scope=EAST_COUNTY_ID)
    assert (report.good, report.bad) == (1, 1)
    assert await contact_of(rt, western["纳税人识别号"]) == before


async def test_an_office_excel_with_title_merged_header_and_full_width_digits(
    rt: Runtime, tmp_path: Path
) -> None:
    firm = company()
    await load_taxpayers(rt, tmp_path, [firm])
    first, second = numbers.id_no(), numbers.id_no()
    path = tmp_path / "联系人.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 5, "示例市税务局联系人登记表")
        sheet.write(1, 0, "填报单位：")
        sheet.merge_range(2, 0, 3, 0, "序号")
        sheet.merge_range(2, 1, 3, 1, "纳税人识别号（必填）")
        sheet.merge_range(2, 2, 2, 4, "联系人信息")
        sheet.write_row(3, 2, ("姓名", "身份证件\n号码", "手机号码"))
        sheet.merge_range(2, 5, 3, 5, "身份")
        sheet.write_row(4, 0, (1, firm["纳税人识别号"], "张　伟　", first, 13800138000, "办税员"))
        sheet.write_row(
            5,
            0,
            (2, f" {firm['纳税人识别号']}", "李娜 ", f"'{second}", "１３９００１３９０００", "法定代表人"),
        )
        sheet.write_row(6, 0, (3, firm["纳税人识别号"], "赵敏", 110105194912310000, "13800138001", "办税员"))
        sheet.write_row(7, 0, (" ",) * 6)
    report = await import_persons(rt, path, name=path.name, by="test", scope_org_id=None)
    assert (report.read, report.new, report.bad) == (3, 2, 1)
    ((row, field, reason, _),) = await problems_of(rt, report)
    assert (row, field) == (7, "证件号码")
    assert "末位丢失" in reason
    assert await contact_of(rt, firm["纳税人识别号"]) == ("张　伟", {"mobile": "13800138000"})


async def test_accounts_of_wecom_and_dingtalk_are_addresses(rt: Runtime, tmp_path: Path) -> None:
    firm = company()
    await load_taxpayers(rt, tmp_path, [firm])
    clerk = {
        "姓名": "张伟",
        "证件号码": numbers.id_no(),
        "身份": "办税员",
        "纳税人识别号": firm["纳税人识别号"],
    }
    wrong = {
        **clerk,
        "姓名": "李娜",
        "证件号码": numbers.id_no(),
        "企业微信账号": "张三|李四",
        "钉钉账号": "a b",
    }
    report = await load_persons(
        rt, tmp_path, [{**clerk, "企业微信账号": "ZhangWei", "钉钉账号": "Zw-0571"}, wrong]
    )
    assert await contact_of(rt, firm["纳税人识别号"]) == (
        "张伟",
        {"wecom_userid": "zhangwei", "dingtalk_userid": "Zw-0571"},
    )
    problems = [(field, refused) for _, field, _, refused in await problems_of(rt, report)]
    assert problems == [("企业微信账号", False), ("钉钉账号", False)]
    async with rt.db.begin() as conn:
        await refresh_derived(conn, source="test")
    rows = await rt.db.fetch(
        "select set_key from set_chunk where set_key like 'reach:%%' and length(data) > 8"
    )
    assert {row["set_key"] for row in rows} == {"reach:wecom", "reach:dingtalk"}
