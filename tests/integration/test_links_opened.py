"""Opened and read: grown with each event, folded or not, cut to the scope, without what previewers fetch."""

from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from outreach.analytics.opened import LinksOpened
from outreach.analytics.report import campaign_report
from outreach.analytics.tables import reach_table
from outreach.labels.cache import SetCache
from outreach.labels.derived import refresh_derived
from outreach.ledger.audit import SQL as AUDIT
from outreach.ledger.audit import Check, check_opened
from outreach.ledger.opened import fold_opened
from outreach.runtime import Runtime
from outreach.web.api.report_csv import report_csv
from outreach.web.console.report_sheet import report_workbook
from tests.integration.answer_stage import ask_to_confirm
from tests.integration.public_site import Site, open_site
from tests.integration.statement_samples import COMPANY, ELSEWHERE, PERSON, SHOP, one_link


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(rt, tmp_path) as made:
        async with rt.db.begin() as conn:
            await refresh_derived(conn, source="登记")
        yield made


async def reported(rt: Runtime, campaign: int, scope: int = 1) -> tuple[LinksOpened, list[LinksOpened]]:
    report = await campaign_report(rt, SetCache(), campaign, scope)
    return report.links, [part.links for part in report.rounds]


async def read(site: Site, round_id: int, *taxpayers: int) -> None:
    await site.open(round_id=round_id, taxpayer_ids=taxpayers)
    for n in range(len(taxpayers)):
        assert (await site.http.get(f"/statement?n={n}")).status_code == 200


async def test_opened_is_read_and_only_opened(site: Site) -> None:
    campaign, round_id = await ask_to_confirm(site.rt, kind="bill")
    for token in [await one_link(site.rt, round_id=round_id, taxpayer_ids=[PERSON.id]) for _ in range(2)]:
        assert (await site.http.get(f"/t/{token}")).status_code == 200
        assert await reported(site.rt, campaign) == (LinksOpened(), [LinksOpened()])
    for _ in range(2):
        await site.http.post(f"/t/{token}/code")
    whole, (part,) = await reported(site.rt, campaign)
    assert (whole.opened, whole.read, whole.only_opened) == (1, 0, 1)
    await read(site, round_id, COMPANY.id, SHOP.id)
    await read(site, round_id, COMPANY.id)
    whole, (part,) = await reported(site.rt, campaign)
    assert whole == part == LinksOpened(3, 2, {"yearly_bill": 2})
    assert (part.only_opened, part.read_documents) == (1, 2)


async def test_folding_changes_nothing_and_looking_again_adds_nothing(site: Site) -> None:
    campaign, round_id = await ask_to_confirm(site.rt, kind="bill")
    await read(site, round_id, COMPANY.id)
    for path in ("/statement", "/statement.pdf", "/statement"):
        await site.http.get(path)
    (rows,) = await site.rt.db.fetch("select count(*)::int as n from opened_delta")
    assert rows["n"] == 2
    await site.rt.db.execute(
        "insert into opened_delta (round_id, what, taxpayer_ids)"
        " select %(round_id)s, 'opened', array[%(id)s::int] from generate_series(1, 600)",
        {"round_id": round_id, "id": SHOP.id},
    )
    before = await reported(site.rt, campaign)
    await fold_opened(site.rt)
    (rows,) = await site.rt.db.fetch("select count(*)::int as n from opened_delta")
    assert rows["n"] == 1
    assert await reported(site.rt, campaign) == before
    assert before[0] == LinksOpened(2, 1, {"yearly_bill": 1})


async def test_a_household_of_two_rounds_counts_once_in_the_campaign(site: Site) -> None:
    campaign, first = await ask_to_confirm(site.rt, kind="bill")
    (made,) = await site.rt.db.fetch(
        "insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment, state, period)"
        " select campaign_id, 2, '二', starts_at, ends_at, '', 'running', period from round returning id"
    )
    await read(site, first, COMPANY.id)
    await read(site, made["id"], COMPANY.id, SHOP.id)
    await site.open(round_id=first, taxpayer_ids=[COMPANY.id, ELSEWHERE.id])
    whole, parts = await reported(site.rt, campaign)
    assert [(part.opened, part.read) for part in parts] == [(2, 1), (2, 2)]
    assert whole == LinksOpened(3, 2, {"yearly_bill": 2})
    own = (await reported(site.rt, campaign, ELSEWHERE.org_id))[0]
    assert own == LinksOpened(1, 0, {})


async def test_the_files_say_the_same(site: Site) -> None:
    campaign, round_id = await ask_to_confirm(site.rt, kind="bill")
    await read(site, round_id, COMPANY.id)
    report = await campaign_report(site.rt, SetCache(), campaign, 1)
    lines = report_csv(report).decode("utf-8-sig").splitlines()
    told = {line.split(",")[3]: line.split(",")[4] for line in lines[1:]}
    assert (told["打开链接"], told["已读账单"], told["只打开未读"]) == ("1", "1", "0")
    assert told["已读·年度纳税缴费账单"] == "1"
    assert len(report_workbook(report)) > 5_000


async def test_the_terminal_says_the_same(site: Site) -> None:
    campaign, round_id = await ask_to_confirm(site.rt, kind="bill")
    assert "打开户" not in await printed(site, campaign)
    await read(site, round_id, COMPANY.id, SHOP.id)
    await site.http.post(f"/t/{await one_link(site.rt, round_id=round_id, taxpayer_ids=[PERSON.id])}/code")
    lines = [line.split() for line in (await printed(site, campaign)).splitlines()]
    assert ["打开户", "3"] in lines
    assert ["已读户", "2"] in lines


async def printed(site: Site, campaign: int) -> str:
    console = Console(file=StringIO(), width=120)
    for table in reach_table(await campaign_report(site.rt, SetCache(), campaign, 1)):
        table.box = None
        console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


async def opened_check(site: Site, round_id: int) -> list[Check]:
    async with site.rt.db.begin() as conn:
        row = await (await conn.execute(AUDIT["round_of"], {"round_id": round_id})).fetchone()
        assert row is not None
        return await check_opened(conn, row)


async def test_an_audit_recounts_the_links(site: Site) -> None:
    _, round_id = await ask_to_confirm(site.rt, kind="bill")
    assert await opened_check(site, round_id) == []
    await read(site, round_id, COMPANY.id, SHOP.id)
    await one_link(site.rt, round_id=round_id, taxpayer_ids=[PERSON.id])
    (check,) = await opened_check(site, round_id)
    assert (check.name, check.agrees) == ("已打开户逐条清点与汇总的差异数为零", True)
    await site.rt.db.execute(
        "insert into opened_delta (round_id, what, taxpayer_ids)"
        " values (%(round)s, 'opened', array[%(id)s::int])",
        {"round": round_id, "id": PERSON.id},
    )
    (check,) = await opened_check(site, round_id)
    assert (check.left, check.right) == (1, 0), "counted, and no link says so"
    await site.rt.db.execute(
        "delete from opened_delta where taxpayer_ids <> array[%(id)s::int]", {"id": PERSON.id}
    )
    (check,) = await opened_check(site, round_id)
    assert (check.left, check.right) == (3, 0), "opened, and not counted"
    await site.rt.db.execute("delete from link")
    (check,) = await opened_check(site, round_id)
    assert check.agrees, "links that have left are not compared"
