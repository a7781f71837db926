"""Files of benefits and what the law allows within a year: bad rows are told, good ones stay."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from outreach.db import migrate
from outreach.runtime import Runtime
from outreach.statements.benefits import compute_line
from outreach.statements.documents import read_documents
from outreach.statements.issue import issue_documents
from outreach.statements.records import Loaded
from tests.integration.statement_samples import COMPANY, PERSON, SHOP, load_text, seed

HEADER = (
    "纳税人识别号,所属期,优惠代码,享受状态,序号,月数,子女数,分摊比例,自付医药费,个人养老金缴费,边际税率,"
    "应纳税所得额,销售额,计税期"
)
MIGRATION = Path(migrate.__file__).parent / "migrations" / "0041_figures_reported.sql"
_CELLS = HEADER.split(",")[5:]


@pytest.fixture
async def city(rt: Runtime) -> Runtime:
    """Households without records; the business clock stands in January 2026."""
    await rt.db.execute(
        "insert into business_clock (real_at, business_at, speed) values (now(), '2026-01-20 09:30+08', 1)"
    )
    await seed(rt)
    return rt


def row(tax_no: str, month: int, code: str, state: str = "", item: str = "", **cells: str) -> str:
    return ",".join([tax_no, str(month), code, state, item, *(cells.get(name, "") for name in _CELLS)])


async def load(rt: Runtime, folder: Path, *lines: str) -> Loaded:
    return await load_text(rt, folder, "\n".join([HEADER, *lines]) + "\n")


async def told(rt: Runtime, loaded: Loaded) -> list[tuple[int, str, str]]:
    rows = await rt.db.fetch(
        "select row_number, field, reason from import_error where import_id = %(id)s order by row_number",
        {"id": loaded.import_id},
    )
    return [(row["row_number"], row["field"], row["reason"]) for row in rows]


async def amounts(rt: Runtime, code: str) -> list[Decimal]:
    query = "select amount from benefit_record where benefit_code = %(code)s order by month, item"
    return [row["amount"] for row in await rt.db.fetch(query, {"code": code})]


async def bill_of(rt: Runtime, household: int) -> dict[str, Any]:
    await issue_documents(rt, "yearly_bill", 2025, scope_org_id=1, taxpayer_ids=[household])
    return dict((await read_documents(rt, [household]))[0].content)


def child(month: int, months: str) -> str:
    return row(PERSON.tax_no, month, "IIT_SAD_CHILD", 月数=months, 子女数="2", 分摊比例="100%")


async def test_months_must_be_told_and_make_a_year(city: Runtime, tmp_path: Path) -> None:
    silent = [child(202500 + month, "") for month in range(1, 13)]
    loaded = await load(city, tmp_path, *silent)
    assert (loaded.good, loaded.bad) == (0, 12)
    assert (await told(city, loaded))[0] == (2, "月数", "缺少「月数」，请补齐该列后重新导入。")
    twelve = [child(202500 + month, "12") for month in range(1, 13)]
    loaded = await load(city, tmp_path, *twelve)
    assert (loaded.new, loaded.bad) == (1, 11) and "24 个月" in (await told(city, loaded))[0][2]
    loaded = await load(city, tmp_path, *(child(202500 + month, "1") for month in range(1, 13)))
    assert (loaded.new, loaded.changed, loaded.bad) == (11, 1, 0), "a right file puts right the wrong one"
    bill = await bill_of(city, PERSON.id)
    assert bill["enjoyed"]["deduction"]["total"] == "48000.00"
    assert sum(await amounts(city, "IIT_SAD_CHILD")) == Decimal("48000.00")


async def test_floors_and_caps_of_a_year_are_used_once(city: Runtime, tmp_path: Path) -> None:
    lines = [
        row(PERSON.tax_no, 202506, "IIT_SAD_ILLNESS", 自付医药费="60000"),
        row(PERSON.tax_no, 202512, "IIT_SAD_ILLNESS", 自付医药费="60000"),
        *(
            row(PERSON.tax_no, 202500 + month, "IIT_PENSION", 个人养老金缴费="2000", 边际税率="20%")
            for month in range(1, 13)
        ),
        row(PERSON.tax_no, 202412, "IIT_PENSION", 个人养老金缴费="12000", 边际税率="20%"),
        *(
            row(COMPANY.tax_no, month, "CIT_SLP_2023", 应纳税所得额="2000000")
            for month in (202503, 202506, 202509, 202512)
        ),
    ]
    loaded = await load(city, tmp_path, *lines)
    assert (loaded.good, loaded.bad) == (4, 15)
    faults = await told(city, loaded)
    assert [number for number, _, _ in faults] == [3, *range(5, 16), 18, 19, 20]
    assert all(field == "所属期" and "每年只填一行" in reason for _, field, reason in faults)
    again = await load(city, tmp_path, *lines)
    assert (again.same, again.new, again.changed, again.bad) == (4, 0, 0, 15)
    assert await amounts(city, "IIT_SAD_ILLNESS") == [Decimal("45000.00")]


async def test_loan_and_rent_exclude_each_other(city: Runtime, tmp_path: Path) -> None:
    loan = row(PERSON.tax_no, 202512, "IIT_SAD_LOAN", 月数="12")
    rent = loan.replace("IIT_SAD_LOAN", "IIT_SAD_RENT")
    header = HEADER + ",住房租金标准"
    loaded = await load_text(city, tmp_path, f"{header}\n{loan},\n{rent},1500\n")
    ((number, field, reason),) = await told(city, loaded)
    assert (number, field) == (3, "优惠代码")
    assert "住房租金专项附加扣除" in reason and "住房贷款利息专项附加扣除" in reason and "作废" in reason
    withdrawn = row(PERSON.tax_no, 202512, "IIT_SAD_LOAN", "作废")
    text = f"{header}\n{rent},1500\n{withdrawn},\n"
    loaded = await load_text(city, tmp_path, text)
    assert (loaded.new, loaded.changed, loaded.bad) == (1, 1, 0)
    assert await amounts(city, "IIT_SAD_LOAN") == [] and await amounts(city, "IIT_SAD_RENT") == [
        Decimal("18000.00")
    ]
    again = await load_text(city, tmp_path, text)
    assert (again.same, again.new, again.changed) == (2, 0, 0)


async def test_a_threshold_needs_its_period(city: Runtime, tmp_path: Path) -> None:
    loaded = await load(
        city,
        tmp_path,
        row(SHOP.tax_no, 202503, "VAT_SS_EXEMPT_2023", 销售额="300000"),
        row(SHOP.tax_no, 202506, "VAT_SS_EXEMPT_2023", 销售额="300000", 计税期="季"),
        row(SHOP.tax_no, 202506, "VAT_SS_EXEMPT_2023", item="2", 销售额="300000", 计税期="季"),
        row(SHOP.tax_no, 202506, "NO_SUCH", "作废"),
    )
    assert [(number, field) for number, field, _ in await told(city, loaded)] == [
        (2, "计税期"),
        (4, "计税期"),
        (5, "优惠代码"),
    ]
    assert await amounts(city, "VAT_SS_EXEMPT_2023") == [Decimal("9000.00")]


async def test_what_is_open_must_be_worth_something(city: Runtime, tmp_path: Path) -> None:
    """A claim of nothing is stored, because the scan judges it, and told in no document."""
    over = {"销售额": "300000", "计税期": "月"}
    loaded = await load(
        city,
        tmp_path,
        row(SHOP.tax_no, 202503, "VAT_SS_EXEMPT_2023", "应享未享", **over),
        row(SHOP.tax_no, 202504, "VAT_SS_EXEMPT_2023", **over),
    )
    ((number, field, reason),) = await told(city, loaded)
    assert (number, field, loaded.new) == (2, "享受状态", 1)
    assert "300,000.00 元超过 100,000.00 元" in reason and "作废" in reason
    bill = await bill_of(city, SHOP.id)
    assert bill["unclaimed"]["lines"] == [] and bill["enjoyed"]["reduction"]["count"] == 0


@pytest.mark.parametrize(
    ("cell", "outcome"), [("是", "exempt"), ("否", "top_up"), ("", "unsettled"), (None, "unsettled")]
)
async def test_whether_tax_was_withheld_is_reported(
    city: Runtime, tmp_path: Path, cell: str | None, outcome: str
) -> None:
    header = "纳税人识别号,年度,纳税信用级别,综合所得收入额,已预缴税额,应纳税额"
    line = f"{PERSON.tax_no},2025,,90000,0,1000"
    text = f"{header}\n{line}\n" if cell is None else f"{header},是否依法预扣\n{line},{cell}\n"
    assert (await load_text(city, tmp_path, text)).new == 1
    assert (await load_text(city, tmp_path, text)).same == 1
    assert (await bill_of(city, PERSON.id))["person"]["outcome"] == outcome


async def test_withholding_is_yes_no_or_unknown(city: Runtime, tmp_path: Path) -> None:
    header = "纳税人识别号,年度,纳税信用级别,综合所得收入额,已预缴税额,应纳税额,是否依法预扣"
    loaded = await load_text(city, tmp_path, f"{header}\n{PERSON.tax_no},2025,,90000,0,1000,有\n")
    assert [(number, field) for number, field, _ in await told(city, loaded)] == [(2, "是否依法预扣")]


async def test_records_of_before_keep_their_amounts(city: Runtime) -> None:
    """What was taken for granted once is written into the record: it computes to what was stored."""
    before = [
        (202503, "VAT_SS_EXEMPT_2023", {"sales": "90000"}, "2700"),
        (202506, "VAT_SS_EXEMPT_2023", {"sales": "290000", "period": "季"}, "8700"),
        (202501, "SURCHARGE_10W_EXEMPT", {"sales": "90000", "due": "7"}, "7"),
        (202512, "CIT_DISABLED_WAGE", {"wages": "100"}, "25"),
        (202512, "EMP_VETERAN_SELF", {"due": "18000"}, "18000"),
        (202512, "IIT_SAD_CHILD", {"children": "2"}, "48000"),
        (202512, "IIT_SAD_CHILD", {"children": "2", "share": "0.5", "months": "3"}, "6000"),
        (202512, "IIT_SAD_CONTEDU", {"education": "学历"}, "4800"),
        (202512, "IIT_SAD_CONTEDU", {"education": "证书"}, "3600"),
        (202512, "IIT_SAD_LOAN", {}, "12000"),
        (202512, "IIT_SAD_ELDER", {"only_child": "是"}, "36000"),
        (202512, "IIT_RECON_EXEMPT", {"annual_income": "90000", "top_up": "300"}, "300"),
    ]
    for item, (month, code, inputs, amount) in enumerate(before, start=1):
        await city.db.execute(
            "insert into benefit_record (taxpayer_id, month, benefit_code, item, inputs, amount)"
            " values (3, %(month)s, %(code)s, %(item)s, %(inputs)s, %(amount)s)",
            {"month": month, "code": code, "item": item, "inputs": Jsonb(inputs), "amount": amount},
        )
    for statement in MIGRATION.read_text(encoding="utf-8").split(";"):
        if "update benefit_record" in statement:
            await city.db.execute(statement)
    rows = await city.db.fetch("select month, benefit_code, inputs, amount from benefit_record order by item")
    assert len(rows) == len(before)
    for one, (_, _, inputs, _) in zip(rows, before, strict=True):
        assert compute_line(one["benefit_code"], one["month"], one["inputs"]).amount == one["amount"]
        assert inputs.items() <= one["inputs"].items()
