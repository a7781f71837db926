"""A scan over labels and records: what is found, with which evidence, and what a second scan changes."""

from pathlib import Path

import pytest

from outreach.errors import InvalidInput, NotFound
from outreach.governance.audit import verify_audit
from outreach.labels.catalogue import load_builtin
from outreach.labels.derived import refresh_derived
from outreach.runtime import Runtime
from outreach.statements.scan_run import run_scan
from tests.integration.finding_stage import HEADER, findings, give, mark, row
from tests.integration.statement_samples import COMPANY, ELSEWHERE, PERSON, SHOP, load_text, make_city


@pytest.fixture
async def city(rt: Runtime, tmp_path: Path) -> Runtime:
    """Households with two years of records; the business clock stands in January 2026."""
    await make_city(rt, tmp_path)
    async with rt.db.begin() as conn:
        await load_builtin(conn)
        await refresh_derived(conn, source="测试")
    return rt


async def scan(rt: Runtime, year: int = 2025, org: int = 1) -> dict[str, int]:
    made = await run_scan(rt, year, scope_org_id=org, by="test")
    return {
        name: getattr(made, name) for name in ("households", "found", "kept", "changed", "closed", "refused")
    }


async def test_both_directions_with_their_evidence(city: Runtime, tmp_path: Path) -> None:
    await load_text(
        city,
        tmp_path,
        f"{HEADER}\n{row(ELSEWHERE.tax_no, 202512, 'CIT_SLP_2023', 应纳税所得额='3000001')}\n",
    )
    assert await scan(city) == {
        "households": 4, "found": 5, "kept": 0, "changed": 0, "closed": 0, "refused": 0,
    }  # fmt: skip
    open_ = (await findings(city, COMPANY.id))["DPF_SMALL_EXEMPT", "unclaimed"]
    wrong = (await findings(city, ELSEWHERE.id))["CIT_SLP_2023", "wrong"]
    assert open_["state"] == wrong["state"] == "found" and open_["verified_by"] is None
    evidence = open_["evidence"]
    assert (evidence["amount"], evidence["since"], evidence["legal_doc"]) == (
        "18600.00",
        "2023-01-01",
        "财政部公告2023年第8号",
    )
    (entry,) = evidence["entries"]
    assert entry["month"] == 202509 and "28 人不超过 30 人" in entry["formula"]
    assert entry["inputs"] == {"在职职工人数": "28", "应缴税额": "18600.00"}
    assert "3,000,001.00 元超过 300 万元" in wrong["evidence"]["entries"][0]["reason"]
    assert "18600" not in bytes(open_["evidence_enc"]).decode("latin-1")
    assert set(await findings(city, PERSON.id)) == {("IIT_SAD_RENT", "unclaimed")}


async def test_the_border_of_three_million_is_told_on_both_sides(city: Runtime, tmp_path: Path) -> None:
    for income, expected in (
        ("3000000.00", {("CIT_SLP_2023", "cliff"): "0.00"}),
        ("3000001.00", {("CIT_SLP_2023", "wrong"): None}),
        ("2849999.99", {}),
    ):
        text = row(ELSEWHERE.tax_no, 202512, "CIT_SLP_2023", 应纳税所得额=income)
        await load_text(city, tmp_path, f"{HEADER}\n{text}\n")
        await scan(city, org=4)
        live = {
            key: one["evidence"]["entries"][0].get("distance")
            for key, one in (await findings(city, ELSEWHERE.id)).items()
            if one["state"] != "closed"
        }
        assert live == expected


async def test_labels_say_entitled_where_no_record_speaks(city: Runtime) -> None:
    """100,000 yuan a month are exempt up to December 2025 and taxed from January 2026."""
    await mark(city, ELSEWHERE.id, "vat_status=small_scale")
    await give(city, ELSEWHERE.id, monthly_sales=10_000_000)
    await scan(city, 2025)
    december = await findings(city, ELSEWHERE.id)
    assert set(december) == {("VAT_SS_EXEMPT_2023", "unclaimed"), ("VAT_SS_EXEMPT_2023", "cliff")}
    told = december["VAT_SS_EXEMPT_2023", "unclaimed"]["evidence"]
    assert (told["source"], told["amount"]) == ("labels", "3000.00")
    assert told["entries"][0]["condition"] == "vat_status = small_scale and monthly_sales <= 100000"
    await scan(city, 2026)
    january = {key for key, one in (await findings(city, ELSEWHERE.id)).items() if one["year"] == 2026}
    assert january == {("VAT_SS_THRESHOLD_2026", "cliff"), ("VAT_SS_3TO1_2026", "unclaimed")}


async def test_four_hundred_yuan_owed_is_a_reminder_and_no_more(city: Runtime) -> None:
    await give(city, PERSON.id, amount_due=40_001, income_total=15_000_000)
    await scan(city)
    cliff = (await findings(city, PERSON.id))["IIT_RECON_EXEMPT", "cliff"]["evidence"]["entries"][0]
    assert (cliff["value"], cliff["limit"], cliff["distance"]) == ("400.01", "400", "-0.01")


async def test_a_benefit_by_list_is_never_inferred(city: Runtime, tmp_path: Path) -> None:
    """High-tech manufacturing is not the list. Only once the list is there, being absent from it counts."""
    await mark(city, ELSEWHERE.id, "manufacturing", "hnte")
    listed = row(
        ELSEWHERE.tax_no, 202512, "VAT_ADDDED_ADVMFG", "应享未享", 可抵扣进项税额="9000", 核对名单="是"
    )
    await load_text(city, tmp_path, f"{HEADER}\n{listed}\n")
    await scan(city)
    assert not {key for key in await findings(city, ELSEWHERE.id) if key[0].startswith("VAT_ADDDED")}
    assert ("VAT_ADDDED_ADVMFG", "wrong") not in await findings(city, COMPANY.id)
    await mark(city, ELSEWHERE.id, "advanced_manufacturing")
    await scan(city)
    assert ("VAT_ADDDED_ADVMFG", "unclaimed") in await findings(city, ELSEWHERE.id)
    wrong = (await findings(city, COMPANY.id))["VAT_ADDDED_ADVMFG", "wrong"]["evidence"]
    assert len(wrong["entries"]) == 12 and "名单" in wrong["entries"][0]["reason"]


async def test_a_status_or_kind_that_excludes_is_found(city: Runtime) -> None:
    await mark(city, SHOP.id, "vat_status=general")
    await scan(city)
    wrong = (await findings(city, SHOP.id))["VAT_SS_EXEMPT_2023", "wrong"]["evidence"]
    assert len(wrong["entries"]) == 4 and "小规模" in wrong["entries"][0]["reason"]


async def test_a_rule_out_of_force_is_refused(city: Runtime) -> None:
    await city.db.execute(
        "insert into benefit_record (taxpayer_id, month, benefit_code, inputs, amount)"
        " values (4, 202506, 'VAT_SS_EXEMPT_2021', '{\"sales\": \"900000\"}', 0),"
        " (4, 202506, 'NO_SUCH', '{}', 0)"
    )
    assert (await scan(city, org=4))["refused"] == 2
    assert await findings(city, ELSEWHERE.id) == {}


async def test_scanning_again_changes_nothing(city: Runtime) -> None:
    first = await scan(city)
    before = await city.db.fetch("select * from finding order by id")
    assert await scan(city) == {**first, "found": 0, "kept": first["found"]}
    assert await city.db.fetch("select * from finding order by id") == before
    assert await verify_audit(city) is None


async def test_what_is_claimed_after_all_is_closed(city: Runtime, tmp_path: Path) -> None:
    await scan(city)
    claimed = row(COMPANY.tax_no, 202509, "DPF_SMALL_EXEMPT", 在职职工人数="28", 应缴税额="18600.00")
    await load_text(city, tmp_path, f"{HEADER}\n{claimed}\n")
    assert (await scan(city))["closed"] == 1
    gone = (await findings(city, COMPANY.id))["DPF_SMALL_EXEMPT", "unclaimed"]
    assert (gone["state"], gone["reason"], gone["version"]) == ("closed", "已享受", 1)


async def test_a_scope_holds_its_households_only(city: Runtime) -> None:
    assert (await scan(city, org=4))["households"] == 1
    assert await findings(city, COMPANY.id) == {}


async def test_a_year_or_unit_that_is_not_there(city: Runtime) -> None:
    with pytest.raises(InvalidInput, match="还没有开始"):
        await scan(city, 2027)
    with pytest.raises(NotFound):
        await scan(city, org=99)
