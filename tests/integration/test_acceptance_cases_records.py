"""The acceptance cases of the domain requirements (section 7) that are about limits, powers, records and
documents, each end to end in its own words."""

from datetime import date
from pathlib import Path

import numpy as np
import psycopg
import pytest

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.rounds import tick
from outreach.errors import NotAllowed
from outreach.governance.audit import append_audit, verify_audit
from outreach.labels.slices import write_values
from outreach.registry.working_days import load_calendar
from outreach.runtime import Runtime
from outreach.statements.benefits import compute_line
from outreach.statements.bill import issue_yearly_bills
from outreach.statements.documents import read_documents
from outreach.statements.rules import CATALOGUE_VERSION, rule_in_force
from tests import town as village
from tests.import_files import load_taxpayers, load_units, native, table_sizes
from tests.integration.api_town import SISTER, SISTER_BRANCH, Town
from tests.integration.statement_samples import EVERYBODY, SHOP, load_text, make_city
from tests.integration.test_acceptance_cases import at_the_start, told
from tests.integration.test_api_access import as_staff, staff
from tests.integration.test_ledger import assert_sums
from tests.town import BRANCH, CITY, COUNTY, GRID, PROVINCE

PREFIXES = ("162", "165", "167", "190", "192", "193", "195", "196", "197")


async def give(rt: Runtime, attribute: str, fen: dict[int, int]) -> None:
    """Amounts of households, in fen."""
    async with rt.db.begin() as conn:
        ids, values = np.array(list(fen), dtype=np.int64), np.array(list(fen.values()), dtype=np.int64)
        await write_values(conn, attribute, ids, values, source="test")


async def test_case_04_one_fen_decides_who_is_reminded(rt: Runtime) -> None:
    await at_the_start(rt, village.households(4))
    await give(rt, "amount_due", {1: 400_00, 2: 400_01, 3: 900_000, 4: 900_000})
    await give(rt, "income_total", {1: 15_000_000, 2: 15_000_000, 3: 120_000_00, 4: 120_000_01})
    campaign = await village.launch(
        rt, ["sms"], exempt_segment="amount_due <= 400.00 or income_total <= 120000.00"
    )
    async with village.wired(rt):
        assert await tick(village.ticker(rt)) == 2
    assert await told(rt, campaign) == {2, 4}
    await assert_sums(rt)


@pytest.mark.parametrize(
    ("code", "month", "payable"),
    [("VAT_SS_EXEMPT_2023", 202512, 0), ("VAT_SS_THRESHOLD_2026", 202601, 1000)],
)
def test_case_04_sales_of_100_000_are_exempt_in_december_and_taxed_in_january(
    code: str, month: int, payable: int
) -> None:
    assert rule_in_force(code, month).code == code
    assert compute_line(code, month, {"sales": "100000", "period": "月"}).figures["payable"] == payable


async def test_case_08_the_three_powers_and_the_two_persons(town: Town) -> None:
    rt = town.rt
    await town.running_round(PROVINCE)
    guard, guard_csrf = await staff(town, "guard", "security_admin")
    for path in ("/rounds/1/messages", "/templates", "/taxpayers/1"):
        assert (await as_staff(town, "GET", path, guard, guard_csrf)).status_code == 403, path
    page = await town.client.get("/console/messages", headers={"cookie": f"session={guard['session']}"})
    assert page.status_code == 403

    auditor, auditor_csrf = await staff(town, "auditor", "audit_admin")
    cookie = {"cookie": f"session={auditor['session']}"}
    assert (await town.client.get("/console/settings/audit", headers=cookie)).status_code == 200
    assert (await as_staff(town, "POST", "/campaigns/1/cancel", auditor, auditor_csrf)).status_code == 403
    for statement in ("delete from audit_event", "update audit_event set actor = 'x'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await rt.db.execute(statement)

    own = await town.campaign(COUNTY)
    await submit_campaign(rt, own, "maker")
    with pytest.raises(NotAllowed, match="不能审批自己"):
        await approve_campaign(rt, own, "maker")


async def test_case_09_one_changed_byte_is_named_by_its_row(rt: Runtime) -> None:
    async with rt.db.begin() as conn:
        for number in range(1, 6):
            await append_audit(conn, "tester", "campaign.approve", f"campaign:{number}", {"note": "同意"})
    assert await verify_audit(rt) is None
    async with rt.db.begin() as conn:
        await conn.execute("alter table audit_event disable trigger user")
        await conn.execute("update audit_event set actor = 'testes' where id = 3")
    assert await verify_audit(rt) == 3


async def test_case_10_five_levels_show_what_the_lists_of_the_branches_add_up_to(town: Town) -> None:
    campaign, number = await town.running_round(PROVINCE)
    everybody = len(town.in_county) + len(town.in_sister)
    shown, listed = {}, {}
    for unit in (PROVINCE, CITY, COUNTY, BRANCH, GRID, SISTER, SISTER_BRANCH):
        figures = (await town.get(f"/rounds/{number}", unit=unit)).json()
        rows = (await town.get(f"/rounds/{number}/messages", unit=unit)).json()["rows"]
        report = (await town.get(f"/campaigns/{campaign}/report", unit=unit)).json()
        shown[unit], listed[unit] = figures["planned"], len(rows)
        assert report["households_targeted"] == figures["planned"]
    branches = listed[BRANCH] + listed[SISTER_BRANCH]
    assert shown[PROVINCE] == shown[CITY] == shown[COUNTY] + shown[SISTER] == branches == everybody
    assert shown[COUNTY] == shown[BRANCH] == shown[GRID] == listed[GRID]


async def test_case_11_what_is_due_on_a_holiday_rolls_over(rt: Runtime) -> None:
    await village.settle_town(rt, village.households(1))
    async with rt.db.begin() as conn:
        calendar = await load_calendar(conn, village.COUNTY)
    assert calendar.roll_over(date(2026, 10, 1)) == date(2026, 10, 8)
    # From the Friday before Spring Festival; both make-up Saturdays are working days.
    assert [calendar.is_workday(date(2026, 2, day)) for day in (14, 28)] == [True, True]
    assert calendar.add_workdays(date(2026, 2, 13), 5) == date(2026, 2, 27)


async def test_case_12_every_line_of_a_bill_cites_a_rule_of_its_period(rt: Runtime, tmp_path: Path) -> None:
    await make_city(rt, tmp_path)
    expired = f"纳税人识别号,所属期,优惠代码,销售额\n{SHOP.tax_no},202601,VAT_SS_EXEMPT_2023,90000\n"
    loaded = await load_text(rt, tmp_path, expired)
    error = await rt.db.fetch_one(
        "select reason from import_error where import_id = %(id)s", {"id": loaded.import_id}
    )
    assert loaded.bad == 1 and error is not None and "VAT_SS_THRESHOLD_2026" in error["reason"]

    await issue_yearly_bills(rt, 2025, scope_org_id=1)
    lines = 0
    for document in await read_documents(rt, [one.id for one in EVERYBODY]):
        for part in document.content["enjoyed"].values():
            for line in part["lines"]:
                rule = rule_in_force(line["code"], 202512)
                assert line["basis"] == rule.basis and rule.legal_doc in line["basis"], line
                assert rule.since in line["basis"] and CATALOGUE_VERSION in line["basis"]
                lines += 1
    assert lines >= 8


async def test_case_14_a_gbk_file_with_the_newer_prefixes_and_a_blank_last_row(
    rt: Runtime, tmp_path: Path
) -> None:
    await load_units(rt, tmp_path)
    rows = [native(手机号码=f"{prefix}00138000") for prefix in PREFIXES]
    report = await load_taxpayers(rt, tmp_path, [*rows, dict.fromkeys(rows[0], "")])
    assert "纳税人识别号".encode("gbk") in (tmp_path / "t.csv").read_bytes()
    assert (report.read, report.good, report.bad, report.left_out) == (9, 9, 0, 0)
    assert (await table_sizes(rt))["address"] == len(PREFIXES)
