"""Invented households with records, for the tests of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from outreach.governance.vault import open_vault
from outreach.registry.people import TAX_NO_PURPOSE
from outreach.runtime import Runtime
from outreach.statements.access import CodeToSend, ask_code
from outreach.statements.links import LinkRequest, issue_links
from outreach.statements.records import Loaded, load_records

HOME = "203.0.113.7"
TAX_HEADER = "纳税人识别号,所属期,税种,申报税额,已缴税额,已退税额,滞纳金"


@dataclass(frozen=True)
class Sample:
    """One household."""

    id: int
    kind: str
    name: str
    tax_no: str
    org_id: int = 3


COMPANY = Sample(1, "enterprise", "示例市春风里新能源装备制造有限公司", "91150100MA0EXAMPL1")
SHOP = Sample(2, "individual_business", "示例市向阳街老王面馆", "92150100MA0EXAMPL2")
PERSON = Sample(3, "natural_person", "张示例", "110101199003070011")
ELSEWHERE = Sample(4, "enterprise", "邻县粮油贸易有限公司", "91150200MA0EXAMPL4", org_id=4)
EVERYBODY = (COMPANY, SHOP, PERSON, ELSEWHERE)


async def seed(rt: Runtime, samples: Sequence[Sample] = EVERYBODY) -> None:
    """A province with a city and two counties, and the households with their persons."""
    units = [
        (1, None, 1, "150000", "国家税务总局示例省税务局", "1."),
        (2, 1, 2, "150100", "国家税务总局示例市税务局", "1.2."),
        (3, 2, 3, "150101", "国家税务总局示例市示例区税务局", "1.2.3."),
        (4, 2, 3, "150102", "国家税务总局示例市邻县税务局", "1.2.4."),
    ]
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        for unit in units:
            await conn.execute(
                "insert into org_unit (id, parent_id, level, code, name, path) values (%s,%s,%s,%s,%s,%s)",
                unit,
            )
        for sample in samples:
            sealed = vault.encrypt("taxpayer", "tax_no_enc", sample.id, sample.tax_no)
            index = vault.blind_index(TAX_NO_PURPOSE, sample.tax_no)
            natural = sample.kind == "natural_person"
            await conn.execute(
                "insert into taxpayer (id, kind, name, tax_no_enc, tax_no_bidx, org_id, digest)"
                " values (%s,%s,%s,%s,%s,%s,'')",
                (sample.id, sample.kind, None if natural else sample.name, sealed, index, sample.org_id),
            )
            await conn.execute(
                "insert into person (id, name_enc, id_no_enc, id_no_bidx, digest) values (%s,%s,%s,%s,'')",
                (sample.id, vault.encrypt("person", "name_enc", sample.id, sample.name), b"", index),
            )
            role = "self" if natural else "legal_representative"
            await conn.execute(
                "insert into role (taxpayer_id, person_id, role) values (%s,%s,%s)",
                (sample.id, sample.id, role),
            )
            await conn.execute(
                "insert into contact (taxpayer_id, person_id) values (%s,%s)", (sample.id, sample.id)
            )


async def load_text(rt: Runtime, folder: Path, text: str, *, encoding: str = "utf-8-sig") -> Loaded:
    """Load records from a text as a file."""
    path = folder / "records.csv"
    path.write_text(text, encoding=encoding)
    return await load_records(rt, path)


def tax_rows() -> str:
    """Two years of taxes; the amounts grow by month so that sums are not trivially equal."""
    lines = [TAX_HEADER]
    for year in (2024, 2025):
        for month in range(1, 13):
            extra = month * 10 + (year - 2024) * 100
            lines.append(f"{COMPANY.tax_no},{year}{month:02d},增值税,{20000 + extra}.50,{20000 + extra}.50,,")
            lines.append(
                f"{COMPANY.tax_no},{year}{month:02d},城市维护建设税,{700 + month}.10,{700 + month}.10,,"
            )
        lines.append(f"{COMPANY.tax_no},{year}12,企业所得税,150000.00,150000.00,3200.00,")
        lines.append(f"{COMPANY.tax_no},{year}06,房产税,10000.00,10000.00,,12.50")
        for month in (3, 6, 9, 12):
            lines.append(
                f"{SHOP.tax_no},{year}{month:02d},个人所得税（经营所得）,{year // 10}.00,{year // 10}.00,,"
            )
        lines.append(f"{PERSON.tax_no},{year}12,个人所得税（综合所得）,5480.00,6200.00,,")
        lines.append(f"{ELSEWHERE.tax_no},{year}05,增值税,88.00,88.00,,")
    return "\n".join(lines) + "\n"


def benefit_rows() -> str:
    """What the households enjoyed, and what they have not claimed."""
    lines = [
        "纳税人识别号,所属期,优惠代码,享受状态,序号,销售额,计税期,应纳税所得额,研发费用,适用税率,应缴税额,设备单价,"
        "残疾职工工资,月数,子女数,分摊比例,住房租金标准,个人养老金缴费,边际税率,在职职工人数,可抵扣进项税额,抵减前应纳税额,核对名单"
    ]

    def add(tax_no: str, month: int, code: str, state: str = "", item: str = "", **cells: str) -> None:
        names = lines[0].split(",")[5:]
        lines.append(
            ",".join([tax_no, str(month), code, state, item, *(cells.get(name, "") for name in names)])
        )

    for year in (2024, 2025):
        add(COMPANY.tax_no, year * 100 + 12, "CIT_SLP_2023", 应纳税所得额=f"{2000000 + year * 100}.00")
        add(COMPANY.tax_no, year * 100 + 12, "CIT_RND_100", 研发费用=f"{year * 200}.00", 适用税率="5%")
        for month in (3, 6, 9, 12):
            add(COMPANY.tax_no, year * 100 + month, "SIX_TAX_HALF", 应缴税额="5,000.00".replace(",", ""))
            add(
                SHOP.tax_no,
                year * 100 + month,
                "VAT_SS_EXEMPT_2023",
                销售额=f"{180000 + month * 1000}",
                计税期="季",
            )
        add(SHOP.tax_no, year * 100 + 12, "IIT_BIZ_HALF_200", 应纳税所得额="86000.00")
        add(PERSON.tax_no, year * 100 + 12, "IIT_SAD_CHILD", 月数="12", 子女数="1", 分摊比例="50%")
        add(PERSON.tax_no, year * 100 + 12, "IIT_PENSION", 个人养老金缴费="12000", 边际税率="10%")
    add(COMPANY.tax_no, 202412, "CIT_DISABLED_WAGE", 残疾职工工资="96000", 适用税率="5%")
    add(COMPANY.tax_no, 202505, "CIT_EQUIP_500", item="1", 设备单价="860000.00")
    add(COMPANY.tax_no, 202505, "CIT_EQUIP_500", item="2", 设备单价="1200000.00")
    for month in range(1, 13):
        add(
            COMPANY.tax_no,
            202500 + month,
            "VAT_ADDDED_ADVMFG",
            可抵扣进项税额=f"{40000 + month * 100}",
            抵减前应纳税额=f"{20000 + month * 100}",
            核对名单="是",
        )
    add(COMPANY.tax_no, 202509, "DPF_SMALL_EXEMPT", "应享未享", 在职职工人数="28", 应缴税额="18600.00")
    add(SHOP.tax_no, 202506, "SIX_TAX_HALF", "应享未享", 应缴税额="240.00")
    add(PERSON.tax_no, 202512, "IIT_SAD_RENT", "应享未享", 月数="12", 住房租金标准="1100")
    return "\n".join(lines) + "\n"


def annual_rows() -> str:
    """Credit grades and the yearly figures of a natural person."""
    return (
        "纳税人识别号,年度,纳税信用级别,综合所得收入额,已预缴税额,应纳税额,是否依法预扣\n"
        f"{COMPANY.tax_no},2024,B,,,,\n{COMPANY.tax_no},2025,A,,,,\n"
        f"{PERSON.tax_no},2025,,168000.00,6200.00,5480.00,是\n"
    )


async def load_all(rt: Runtime, folder: Path) -> None:
    """Everything above."""
    for text in (tax_rows(), benefit_rows(), annual_rows()):
        loaded = await load_text(rt, folder, text)
        assert loaded.bad == 0, loaded


async def one_link(rt: Runtime, *, days: float = 60, **fields: Any) -> str:
    """A link to the company's statement, or to what `fields` say. Its person acts for all its households."""
    now = await rt.now()
    request = LinkRequest(
        fields.pop("taxpayer_ids", [COMPANY.id]),
        fields.pop("round_id", None),
        None,
        now + timedelta(days=days),
        **fields,
    )
    async with rt.db.begin() as conn:
        for taxpayer_id in request.taxpayer_ids:
            await conn.execute(
                "insert into role (taxpayer_id, person_id, role) values (%s, %s, 'tax_filer')"
                " on conflict do nothing",
                (taxpayer_id, request.person_id or request.taxpayer_ids[0]),
            )
        return (await issue_links(conn, open_vault(rt.settings), [request]))[0]


async def events(rt: Runtime) -> list[str]:
    """What the audit holds, in order."""
    return [row["event"] for row in await rt.db.fetch("select event from statement_access order by id")]


async def ask(rt: Runtime, token: str) -> CodeToSend:
    """A code for a link that must be alive."""
    sent = await ask_code(rt, token, HOME)
    assert sent is not None
    return sent


def other_than(code: str) -> str:
    """A code that is certainly wrong."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def make_city(rt: Runtime, folder: Path) -> None:
    """Households with two years of records; the business clock stands in January 2026."""
    await rt.db.execute(
        "insert into business_clock (real_at, business_at, speed) values (now(), '2026-01-20 09:30+08', 1)"
    )
    await seed(rt)
    await load_all(rt, folder)
