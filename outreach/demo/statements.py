"""The year's bills and gift packs for the whole city, and a link to one household's."""

from datetime import timedelta

from rich.console import Console

from outreach.clock import utc_now
from outreach.demo.season import TAX_YEAR
from outreach.demo.stage import Stage
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.statements.bill import issue_yearly_bills
from outreach.statements.issue import issue_documents
from outreach.statements.links import LinkRequest, issue_links

_PICK = """
select b.taxpayer_id, c.person_id
from benefit_record b
join taxpayer t on t.id = b.taxpayer_id and t.kind = 'enterprise'
join contact c on c.taxpayer_id = b.taxpayer_id
join address a on a.person_id = c.person_id and a.kind = 'mobile' and a.usable
group by b.taxpayer_id, c.person_id order by count(distinct b.benefit_code) desc, b.taxpayer_id limit 1
"""

_COMPANIES = """
select distinct b.taxpayer_id from benefit_record b
join taxpayer t on t.id = b.taxpayer_id and t.kind <> 'natural_person'
order by b.taxpayer_id limit 5000
"""
"""For whom the demo makes a pack: enough to look at, and soon done."""


async def issue_bills(rt: Runtime, stage: Stage, console: Console) -> str:
    """Issue every household's bill and some companies' gift packs; the address of one enterprise's."""
    issued = await issue_yearly_bills(rt, TAX_YEAR, scope_org_id=stage.city.root, by="demo")
    console.print(
        f"      {issued.households:,} 户，{issued.documents:,} 份账单，{issued.benefits:,} 项优惠",
        highlight=False,
    )
    companies = [row["taxpayer_id"] for row in await rt.db.fetch(_COMPANIES)]
    packs = await issue_documents(
        rt, "gift_pack", TAX_YEAR, scope_org_id=stage.city.root, taxpayer_ids=companies, by="demo"
    )
    console.print(f"      {packs.documents:,} 份政策大礼包", highlight=False)
    row = await rt.db.fetch_one(_PICK)
    if row is None:
        return ""
    wish = LinkRequest([row["taxpayer_id"]], None, None, utc_now() + timedelta(days=30), row["person_id"])
    async with rt.db.begin() as conn:
        (token,) = await issue_links(conn, open_vault(rt.settings), [wish])
    return f"{rt.settings.base_url}/t/{token}"
