"""The link of a message opens the document of which it told, and the others can be turned to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outreach.runtime import Runtime
from outreach.statements.bill import issue_yearly_bills
from outreach.statements.issue import issue_documents
from tests.integration.answer_stage import ask_to_confirm
from tests.integration.public_site import Site, open_site
from tests.integration.statement_samples import COMPANY, ELSEWHERE, SHOP


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(rt, tmp_path) as made:
        await issue_yearly_bills(rt, 2024, scope_org_id=1)
        await issue_documents(rt, "benefit_bill", 2025, scope_org_id=1)
        await issue_documents(rt, "benefit_bill", 2024, scope_org_id=1)
        yield made


async def round_of(rt: Runtime, template: str, **variables: str) -> int:
    """A round that told of a document by a template, for a year."""
    _, round_id = await ask_to_confirm(rt, kind="bill")
    (made,) = await rt.db.fetch(
        "insert into template (code, name, channel, org_id) values (%(code)s, '送达', 'rcs', 1) returning id",
        {"code": template},
    )
    await rt.db.execute(
        "insert into round_step (round_id, step, channel, template_id)"
        " values (%(round)s, 1, 'rcs', %(template)s)",
        {"round": round_id, "template": made["id"]},
    )
    for name, value in variables.items():
        await rt.db.execute(
            "update campaign set variables = jsonb_build_object(%(name)s::text, %(value)s::text)",
            {"name": name, "value": value},
        )
    return round_id


@pytest.mark.parametrize(
    ("template", "variables", "opens"),
    [
        ("statement_benefit_bill", {"tax_year": "2025"}, "2025 年度税费优惠红利账单"),
        ("statement_benefit_bill", {"tax_year": "2024"}, "2024 年度税费优惠红利账单"),
        ("statement_benefit_bill", {}, "2025 年度税费优惠红利账单"),
        ("statement_yearly_bill", {"tax_year": "2024"}, "2024 年度纳税缴费账单"),
        ("2026_benefit_bill", {"tax_year": "2025"}, "2025 年度税费优惠红利账单"),
        ("statement_checkup", {"tax_year": "2025"}, "2025 年度纳税缴费账单"),
        ("own", {}, "2025 年度纳税缴费账单"),
    ],
)
async def test_it_opens_what_the_message_told(
    site: Site, template: str, variables: dict[str, str], opens: str
) -> None:
    await site.open(round_id=await round_of(site.rt, template, **variables))
    text = (await site.http.get("/statement")).text
    assert f"{opens}</h1>" in text
    first = (await site.http.get("/statement?n=0")).text
    assert "2025 年度纳税缴费账单</h1>" in first


async def test_of_several_households_the_first_that_has_it(site: Site) -> None:
    await site.rt.db.execute(
        "delete from statement where kind = 'benefit_bill' and taxpayer_id = %(id)s", {"id": SHOP.id}
    )
    round_id = await round_of(site.rt, "statement_benefit_bill", tax_year="2025")
    await site.open(taxpayer_ids=[SHOP.id, COMPANY.id], round_id=round_id)
    text = (await site.http.get("/statement")).text
    assert "红利账单</h1>" in text and f'<p class="name">{COMPANY.name}</p>' in text


async def test_without_a_round_the_newest_yearly_bill(site: Site) -> None:
    await site.open(taxpayer_ids=[ELSEWHERE.id])
    assert "2025 年度纳税缴费账单</h1>" in (await site.http.get("/statement")).text
