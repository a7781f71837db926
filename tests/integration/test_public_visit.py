"""What a visit opens: the document that is shown, and of other households no more than their names."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outreach.runtime import Runtime
from outreach.statements.issue import issue_documents
from tests.integration.public_site import Site, open_site
from tests.integration.statement_samples import COMPANY, SHOP, events


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


async def test_the_offer_of_wechat_follows_the_gateway(site: Site) -> None:
    await site.open(taxpayer_ids=[COMPANY.id])
    assert '"/wechat"' not in (await site.http.get("/statement")).text
    await site.rt.db.execute(
        "insert into gateway (name, adapter, channel, config_enc, secret, rate, burst)"
        " values ('公众号', 'wechat_official', 'wechat', '', 'x', 1, 1)"
    )
    assert '"/wechat"' in (await site.http.get("/statement")).text
