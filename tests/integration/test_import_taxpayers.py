"""Taxpayers and those who act for them: what is written, what is refused, what stays untouched."""

import asyncio
from pathlib import Path

import pytest

from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.imports.mapping import save_mapping
from outreach.imports.report import open_run
from outreach.imports.source import open_source
from outreach.registry.fields import TAXPAYER_FIELDS
from outreach.registry.imports_taxpayers import import_taxpayers
from outreach.registry.writing import LOCK_GROUP
from outreach.runtime import Runtime
from tests.import_files import (
    EAST,
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


@pytest.fixture(autouse=True)
async def units(rt: Runtime, tmp_path: Path) -> None:
    await load_units(rt, tmp_path)


def head(role: str, name: str, id_no: str, mobile: str = "") -> dict[str, str]:
    return {f"{role}姓名": name, f"{role}证件号码": id_no, f"{role}手机号码": mobile}


async def test_one_person_with_three_companies_is_one_person(rt: Runtime, tmp_path: Path) -> None:
    id_no = numbers.id_no()
    rows = [company(f"示例{n}公司", **head("法定代表人", "张伟", id_no, "13800138000")) for n in "甲乙丙"]
    rows.append(native("张伟") | {"纳税人识别号": id_no, "手机号码": "138-0013-8000"})
    report = await load_taxpayers(rt, tmp_path, rows)
    assert (report.read, report.good, report.new, report.bad) == (4, 4, 4, 0)
    sizes = {"taxpayer": 4, "person": 1, "role": 4, "contact": 4, "address": 1}
    assert await table_sizes(rt) == sizes
    assert await contact_of(rt, rows[2]["纳税人识别号"]) == ("张伟", {"mobile": "13800138000"})


async def test_the_same_file_again_changes_nothing(rt: Runtime, tmp_path: Path) -> None:
    rows = [native(手机号码="13800138000"), company(**head("办税员", "李强", numbers.id_no(), "13900139000"))]
    await load_taxpayers(rt, tmp_path, rows)
    before = await fingerprint(rt)
    report = await load_taxpayers(rt, tmp_path, rows)
    assert (report.read, report.new, report.changed, report.same) == (2, 0, 0, 2)
    assert await fingerprint(rt) == before
    files = await rt.db.fetch("select distinct sha256 from import_file where kind = 'taxpayers'")
    assert len(files) == 1


async def test_personal_data_are_not_readable_in_the_tables(rt: Runtime, tmp_path: Path) -> None:
    person = native("欧阳明月", 手机号码="13800138000")
    await load_taxpayers(rt, tmp_path, [person, company(**head("法定代表人", "诸葛英", numbers.id_no()))])
    text = ""
    for table in ("taxpayer", "person", "address", "role", "import_file"):
        for row in await rt.db.fetch(f"select {table}::text as row from {table}"):
            text += row["row"]
    for secret in (person["纳税人识别号"], "欧阳明月", "诸葛英", "13800138000"):
        assert secret not in text
        assert secret.encode().hex() not in text


async def test_only_what_differs_is_written(rt: Runtime, tmp_path: Path) -> None:
    rows = [company("甲公司"), company("乙公司"), native("王芳", 手机号码="13800138000"), native("赵敏")]
    await load_taxpayers(rt, tmp_path, rows)
    rows[0]["纳税人名称"] = "甲新公司"
    rows[2]["手机号码"] = "13900139000"
    report = await load_taxpayers(rt, tmp_path, [*rows, company("丙公司")])
    assert (report.new, report.changed, report.same) == (1, 2, 2)
    assert await contact_of(rt, rows[2]["纳税人识别号"]) == ("王芳", {"mobile": "13900139000"})
    names = await rt.db.fetch("select name from taxpayer where name is not null order by name")
    assert {row["name"] for row in names} == {"甲新公司", "乙公司", "丙公司"}


async def test_a_new_number_forgets_what_was_learned_of_the_old_one(rt: Runtime, tmp_path: Path) -> None:
    person = native(手机号码="13800138000")
    await load_taxpayers(rt, tmp_path, [person])
    await rt.db.execute(
        "update address set usable = false, unusable_reason = 'empty number', rcs = true, verified_at = now()"
    )
    await load_taxpayers(rt, tmp_path, [person])
    row = await rt.db.fetch_one("select usable, rcs from address")
    assert row == {"usable": False, "rcs": True}
    await load_taxpayers(rt, tmp_path, [person | {"手机号码": "13900139000"}])
    row = await rt.db.fetch_one("select usable, unusable_reason, rcs, verified_at from address")
    assert row == {"usable": True, "unusable_reason": None, "rcs": None, "verified_at": None}


async def test_the_person_named_in_a_role_takes_the_place_of_the_former(rt: Runtime, tmp_path: Path) -> None:
    firm = company(**head("法定代表人", "张伟", numbers.id_no(), "13800138000"))
    await load_taxpayers(rt, tmp_path, [firm])
    report = await load_taxpayers(
        rt, tmp_path, [firm | head("法定代表人", "刘洋", numbers.id_no(), "13900139000")]
    )
    assert (report.new, report.changed) == (0, 1)
    roles = await rt.db.fetch("select role from role")
    assert [row["role"] for row in roles] == ["legal_representative"]
    assert (await contact_of(rt, firm["纳税人识别号"]))[0] == "刘洋"


async def test_blank_cells_take_nothing_away(rt: Runtime, tmp_path: Path) -> None:
    firm = company(**head("法定代表人", "张伟", numbers.id_no(), "13800138000"))
    await load_taxpayers(rt, tmp_path, [firm])
    before = await fingerprint(rt)
    report = await load_taxpayers(rt, tmp_path, [firm | head("法定代表人", "", "", "")])
    assert report.same == 1
    assert await fingerprint(rt) == before


async def test_the_contact_is_chosen_by_role_among_those_who_can_be_reached(
    rt: Runtime, tmp_path: Path
) -> None:
    firm = company(
        **head("法定代表人", "张伟", numbers.id_no(), "13800138001"),
        **head("财务负责人", "李娜", numbers.id_no(), "13800138002"),
        **head("办税员", "陈静", numbers.id_no()),
    )
    await load_taxpayers(rt, tmp_path, [firm])
    assert (await contact_of(rt, firm["纳税人识别号"]))[0] == "李娜"
    await load_taxpayers(rt, tmp_path, [firm | {"办税员手机号码": "13800138003"}])
    assert (await contact_of(rt, firm["纳税人识别号"]))[0] == "陈静"


async def test_bad_contacts_are_left_out_and_the_household_is_kept(rt: Runtime, tmp_path: Path) -> None:
    rows = [
        company(**head("法定代表人", "张伟", "110105194912310021", "13800138000")),
        company(**head("财务负责人", "李娜", numbers.id_no(), "15400138000")),
        company(**head("办税员", "陈静", "")),
        company(**head("办税员", "", numbers.id_no())),
        company(手机号码="13800138000"),
        native(登记日期="2999-01-01", 行业代码="第三产业"),
    ]
    report = await load_taxpayers(rt, tmp_path, rows)
    assert (report.good, report.bad, report.left_out) == (6, 0, 7)
    found = await problems_of(rt, report)
    assert [(row, field, reason.split("，")[0], refused) for row, field, reason, refused in found] == [
        (2, "法定代表人证件号码", "校验位不对", False),
        (3, "财务负责人手机号码", "号段不存在", False),
        (4, "办税员证件号码", "缺少证件号码", False),
        (5, "办税员姓名", "缺少姓名", False),
        (6, "手机号码", "单位的手机号码应写在法定代表人、财务负责人或办税员的列中", False),
        (7, "登记日期", "日期不在合理范围内", False),
        (7, "行业代码", "不是国民经济行业代码（GB/T 4754", False),
    ]  # fmt: skip
    assert (await table_sizes(rt))["person"] == 2


async def test_disagreement_within_a_file_is_reported_and_the_first_row_wins(
    rt: Runtime, tmp_path: Path
) -> None:
    id_no = numbers.id_no()
    first = company("甲公司", **head("法定代表人", "张伟", id_no, "13800138001"))
    again = [
        first | {"纳税人名称": "另一名称"},
        company("乙公司", **head("法定代表人", "张薇", id_no, "13800138001")),
        company("丙公司", **head("法定代表人", "张伟", id_no, "13800138002")),
    ]
    report = await load_taxpayers(rt, tmp_path, [first, *again])
    assert (report.good, report.bad, report.left_out) == (3, 1, 2)
    assert await contact_of(rt, first["纳税人识别号"]) == ("张伟", {"mobile": "13800138001"})
    assert await table_sizes(rt) == {"taxpayer": 3, "person": 1, "role": 3, "contact": 3, "address": 1}


async def test_rows_out_of_scope_are_refused(rt: Runtime, tmp_path: Path) -> None:
    western = company("西山公司", WEST, **head("法定代表人", "张伟", numbers.id_no(), "13800138000"))
    await load_taxpayers(rt, tmp_path, [western])
    before = await table_sizes(rt)
    stolen = western | {"主管税务机关代码": EAST, "法定代表人姓名": "改名"}
    rows = [company("东河公司", EAST), company("外区公司", WEST), company("无名公司", "999"), stolen]
    report = await load_taxpayers(rt, tmp_path, rows, scope=EAST_COUNTY_ID)
    assert (report.good, report.bad) == (1, 3)
    reasons = [reason for _, _, reason, _ in await problems_of(rt, report)]
    assert reasons == [
        "该机构不在您的数据范围内",
        "没有这个税务机关代码，请先导入机构或更正代码",
        "该户现由您数据范围以外的机构主管，请由上级税务机关导入",
    ]
    assert (await table_sizes(rt))["person"] == before["person"]
    assert (await contact_of(rt, western["纳税人识别号"]))[0] == "张伟"


async def test_an_unknown_scope_is_no_scope(rt: Runtime, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await load_taxpayers(rt, tmp_path, [company()], scope=99)


async def test_legacy_numbers_and_other_documents(rt: Runtime, tmp_path: Path) -> None:
    owner = numbers.id_no()
    rows = [
        company() | {"纳税人识别号": "150102701234567"},
        company() | {"纳税人识别号": owner, "纳税人类型": "个体工商户"},
        company() | {"纳税人识别号": numbers.id_no() + "01", "纳税人类型": "个体"},
        native("SMITH JOHN") | {"纳税人识别号": "E12345678"},
        company(),
    ]
    report = await load_taxpayers(rt, tmp_path, rows)
    assert report.bad == 0
    kinds = await rt.db.fetch("select kind, number_kind from taxpayer order by id")
    assert [(row["kind"], row["number_kind"]) for row in kinds] == [
        ("enterprise", "legacy"),
        ("individual_business", "identity_card"),
        ("individual_business", "legacy"),
        ("natural_person", "other"),
        ("enterprise", "credit_code"),
    ]


async def test_kinds_follow_from_numbers_when_the_file_has_no_column(rt: Runtime, tmp_path: Path) -> None:
    rows = [native(), company(), company() | {"纳税人识别号": numbers.credit_code("92")}]
    for row in rows:
        del row["纳税人类型"]
    await load_taxpayers(rt, tmp_path, rows)
    kinds = await rt.db.fetch("select kind from taxpayer order by id")
    assert [row["kind"] for row in kinds] == ["natural_person", "enterprise", "individual_business"]


async def test_newer_mobile_prefixes_in_gbk_with_a_blank_last_row(rt: Runtime, tmp_path: Path) -> None:
    prefixes = ("162", "165", "167", "190", "192", "193", "195", "196", "197")
    rows = [native(手机号码=f"{prefix}00138000") for prefix in prefixes]
    blank = dict.fromkeys(rows[0], "")
    report = await load_taxpayers(rt, tmp_path, [*rows, blank])
    assert (report.read, report.good, report.left_out) == (9, 9, 0)
    assert (await table_sizes(rt))["address"] == 9
    assert report.errors_path is None


async def test_the_list_of_errors_masks_values_and_computes_nothing(rt: Runtime, tmp_path: Path) -> None:
    rows = [
        company("=HYPERLINK(1)") | {"纳税人识别号": "=1+1"},
        native() | {"纳税人识别号": "110105194912310021"},
    ]
    report = await load_taxpayers(rt, tmp_path, rows)
    assert report.errors_path is not None
    data = report.errors_path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    text = data.decode("utf-8-sig")
    assert "110***********0021" in text
    assert "110105194912310021" not in text
    assert not [
        cell for line in text.splitlines() for cell in line.split(",") if cell.startswith(("=", "+", "@"))
    ]
    assert "整行未导入" in text


async def test_a_remembered_mapping(rt: Runtime, tmp_path: Path) -> None:
    async with rt.db.begin() as conn:
        await save_mapping(conn, "taxpayers", "三所台账", {"org_code": "片区", "name": "户主"})
    row = native("王芳")
    path = write_rows(
        tmp_path / "a.csv", ("识别码", "税号", "户主", "片区"), [["1", row["纳税人识别号"], "王芳", EAST]]
    )
    report = await import_taxpayers(
        rt, path, name="台账.csv", by="test", scope_org_id=None, mapping="三所台账"
    )
    assert (report.new, report.unused) == (1, ("识别码",))
    with pytest.raises(NotFound, match="没有名为“四所台账”的列映射"):
        await import_taxpayers(rt, path, name="x", by="test", scope_org_id=None, mapping="四所台账")
    with pytest.raises(InvalidInput, match="缺少列"):
        await import_taxpayers(rt, path, name="x", by="test", scope_org_id=None)


async def test_two_imports_at_once_do_not_mix(rt: Runtime, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "b.csv", tuple(company()), [tuple(company().values())])
    source = open_source(path, TAXPAYER_FIELDS)
    options = {"group": LOCK_GROUP, "name": "b", "by": "test", "org_id": None}
    async with open_run(rt, "taxpayers", source, **options):  # type: ignore[arg-type]
        with pytest.raises(Conflict, match="正在导入"):
            await load_taxpayers(rt, tmp_path, [company()])
    assert (await load_taxpayers(rt, tmp_path, [company()])).new == 1


async def test_an_import_that_was_cut_off_is_repeated_without_loss(rt: Runtime, tmp_path: Path) -> None:
    rows = [native(f"人{n}", 手机号码=f"138{n:08}") for n in range(3000)]
    path = write_rows(tmp_path / "c.csv", tuple(rows[0]), [tuple(row.values()) for row in rows])

    def stop(done: int, _: int | None) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await import_taxpayers(rt, path, name="c", by="test", scope_org_id=None, progress=stop)
    states = await rt.db.fetch("select state, rows_read from import_file where name = 'c'")
    assert states == [{"state": "failed", "rows_read": 3000}]
    await rt.db.execute("update import_file set state = 'running', finished_at = null where name = 'c'")
    seen: list[tuple[int, int | None]] = []
    report = await import_taxpayers(
        rt,
        path,
        name="c",
        by="test",
        scope_org_id=None,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (report.new, report.same) == (0, 3000)
    assert seen == [(3000, 3000)]
    states = await rt.db.fetch("select state from import_file where name = 'c' order by id")
    assert [row["state"] for row in states] == ["failed", "finished"]
    assert (await table_sizes(rt))["taxpayer"] == 3000
