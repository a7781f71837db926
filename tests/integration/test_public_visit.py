"""What a visit opens: the document that is shown, and of other households no more than their names."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.statements.canonical import canonical_bytes
from outreach.statements.documents import read_documents
from outreach.statements.issue import issue_documents
from outreach.statements.pdf import render_pdf, set_paper
from outreach.statements.pdf_blocks import WITHDRAWN
from outreach.statements.pdf_sheet import Text
from tests.integration.finding_stage import HEADER, row
from tests.integration.public_site import Site, open_site
from tests.integration.statement_samples import COMPANY, PERSON, SHOP, events, load_text


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(rt, tmp_path) as made:
        await issue_documents(rt, "benefit_bill", 2025, scope_org_id=1)
        yield made


async def test_all_households_stand_in_the_switch(site: Site) -> None:
    await site.open(taxpayer_ids=[SHOP.id, COMPANY.id])
    text = (await site.http.get("/statement?n=2")).text
    households = re.findall(r'<optgroup label="(.*?)">(.*?)</optgroup>', text, re.S)
    assert [(name, inside.count("<option")) for name, inside in households] == [
        (SHOP.name, 2),
        (COMPANY.name, 2),
    ]
    assert '<option value="2" selected>' in text and f'<p class="name">{COMPANY.name}</p>' in text


async def test_what_does_not_open_is_neither_shown_nor_noted(site: Site) -> None:
    await site.open(taxpayer_ids=[COMPANY.id])
    await site.rt.db.execute(
        "update statement set content_hash = sha256('') where taxpayer_id = %(id)s and kind = 'benefit_bill'",
        {"id": COMPANY.id},
    )
    whole, broken = await site.http.get("/statement?n=0"), await site.http.get("/statement?n=1")
    assert whole.status_code == 200 and broken.status_code == 500 and COMPANY.name not in broken.text
    assert [event for event in await events(site.rt) if event == "viewed"] == ["viewed"]


async def test_every_part_is_compared_with_last_year_and_over_all_years(site: Site) -> None:
    """A person's deductions as much as reductions, a part that only last year had, her income, each tax."""
    records = [
        (202412, "IIT_SAD_CHILD", '{"children": "2"}', 48000),
        (202312, "IIT_SAD_CHILD", '{"children": "2"}', 36000),
        (202406, "IIT_HOUSE_SWAP", '{"old_price": "1"}', 4500),
    ]
    await site.rt.db.execute("delete from benefit_record where taxpayer_id = 3 and month < 202501")
    for month, code, inputs, amount in records:
        await site.rt.db.execute(
            "insert into benefit_record (taxpayer_id, month, benefit_code, inputs, amount)"
            " values (3, %(month)s, %(code)s, %(inputs)s, %(amount)s)",
            {"month": month, "code": code, "inputs": inputs, "amount": amount},
        )
    await site.rt.db.execute("insert into annual_record values (3, 2024, null, 151234.00, 5100.00, 4900.00)")
    for kind in ("yearly_bill", "benefit_bill"):
        await issue_documents(site.rt, kind, 2025, scope_org_id=3)
    await site.open(taxpayer_ids=[PERSON.id])
    for n, document in enumerate(await read_documents(site.rt, [PERSON.id])):
        page = (await site.http.get(f"/statement?n={n}")).text
        printed = _printed(document.content, document.digest)
        wanted = ["48,000.00", "96,000.00", "4,500.00", "数据截至 2026-01-20"]
        for text in wanted + (["151,234.00", "6,200.00"] if document.kind == "yearly_bill" else []):
            assert text in page and text.replace(" ", "") in printed, (document.kind, text)


def _printed(content: Mapping[str, Any], digest: str) -> str:
    """What stands on the paper, without blanks."""
    sheet = set_paper(content, digest, "https://t.example.gov.cn").sheet
    texts = [mark.text for marks in sheet.pages for mark in marks if isinstance(mark, Text)]
    return re.sub(r"\s", "", "".join(texts))


async def test_the_pdf_is_printed_as_large_as_the_page(site: Site) -> None:
    await site.open(taxpayer_ids=[PERSON.id])
    (bill, _) = await read_documents(site.rt, [PERSON.id])
    for size, large in (("large", True), ("normal", False)):
        found = (await site.http.get(f"/statement.pdf?size={size}")).content
        assert found == render_pdf(bill.content, bill.digest, site.rt.settings.base_url, large=large)


async def test_each_benefit_leads_to_its_leaflet(site: Site) -> None:
    await site.open(taxpayer_ids=[PERSON.id])
    for n in (0, 1):
        page = (await site.http.get(f"/statement?n={n}")).text
        found = dict(re.findall(r'href="(/leaflet/[a-z-]+)#(\w+)"', page))
        assert set(found) == {"/leaflet/special-deductions", "/leaflet/personal"}
        for address, code in found.items():
            assert f'id="{code}"' in (await site.http.get(address)).text


async def test_a_document_from_before_the_comparisons_is_still_shown(site: Site) -> None:
    await site.open(taxpayer_ids=[PERSON.id])
    (old,) = [one for one in await read_documents(site.rt, [PERSON.id]) if one.kind == "yearly_bill"]
    content = {name: part for name, part in old.content.items() if name != "person_last_year"}
    content["issue"] = {name: part for name, part in content["issue"].items() if name != "data_as_of"}
    for tax in content["paid"]["rows"]:
        del tax["last_year"]
    text = canonical_bytes(content)
    (sealed,) = open_vault(site.rt.settings).seal_many("statement", "content_enc", [old.id], [text])
    await site.rt.db.execute(
        "update statement set content_enc = %(sealed)s, content_hash = sha256(%(text)s) where id = %(id)s",
        {"sealed": sealed, "text": text, "id": old.id},
    )
    page, pdf = await site.http.get("/statement"), await site.http.get("/statement.pdf")
    assert page.status_code == pdf.status_code == 200
    assert "数据截至" not in page.text and "上年已缴" not in page.text and "6,200.00" in page.text


async def test_the_offer_of_wechat_follows_the_gateway(site: Site) -> None:
    await site.open(taxpayer_ids=[COMPANY.id])
    assert '"/wechat"' not in (await site.http.get("/statement")).text
    await site.rt.db.execute(
        "insert into gateway (name, adapter, channel, config_enc, secret, rate, burst)"
        " values ('公众号', 'wechat_official', 'wechat', '', 'x', 1, 1)"
    )
    assert '"/wechat"' in (await site.http.get("/statement")).text


async def test_a_document_of_which_nothing_is_left_is_withdrawn(site: Site, tmp_path: Path) -> None:
    def one_line(state: str) -> str:
        line = row(SHOP.tax_no, 202303, "VAT_SS_EXEMPT_2023", state, 销售额="90000", 计税期="季")
        return f"{HEADER}\n{line}\n"

    async def issue() -> tuple[int, int, int]:
        made = await issue_documents(site.rt, "benefit_bill", 2023, scope_org_id=1, taxpayer_ids=[SHOP.id])
        assert made.households == made.documents + made.unchanged + made.empty
        return made.documents, made.corrections, made.empty

    await load_text(site.rt, tmp_path, one_line("已享受"))
    assert await issue() == (1, 0, 0)
    (first,) = [one for one in await read_documents(site.rt, [SHOP.id]) if one.year == 2023]
    await load_text(site.rt, tmp_path, one_line("应享未享"))
    assert await issue() == (1, 1, 0)
    assert await issue() == (0, 0, 1), "once is enough"
    documents = await read_documents(site.rt, [SHOP.id])
    (place,) = [place for place, one in enumerate(documents) if one.year == 2023]
    await site.open(taxpayer_ids=[SHOP.id])
    shown = (await site.http.get(f"/statement?n={place}")).text
    assert WITHDRAWN in shown and first.content["issue"]["number"] in shown and "2,700.00" not in shown
    paper = await site.http.get(f"/statement.pdf?n={place}")
    assert paper.status_code == 200 and paper.content.startswith(b"%PDF")
    for digest in (first.digest, documents[place].digest):
        assert "已撤回" in (await site.http.get(f"/check?d={digest}")).text
    await load_text(site.rt, tmp_path, one_line("已享受"))
    assert await issue() == (1, 1, 0), "and it may come back"
    assert "已撤回" not in (await site.http.get(f"/check?d={first.digest}")).text
