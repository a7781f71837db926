"""The links of a campaign revoked by staff: whose they are, what it takes, and that all of them end."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.statements.links import LinkRequest, issue_links
from tests import town as small
from tests.integration.api_town import SISTER, Town, open_town
from tests.integration.test_console_statements import officer

_MANY = 5_003
CODE = f"c{small.COUNTY}"


@pytest.fixture
async def town(rt: Runtime) -> AsyncIterator[Town]:
    """A town whose county has a campaign that began (the first) with 5,003 links, and the city one with
    two."""
    async with open_town(rt) as opened:
        await small.set_clock(rt, small.START)
        for unit, count in ((small.COUNTY, _MANY), (small.CITY, 2)):
            campaign = await opened.campaign(unit)
            row = await rt.db.fetch_one(
                "update round set started_at = business_now() where campaign_id = %(id)s returning id",
                {"id": campaign},
            )
            assert row is not None
            wish = LinkRequest([1], row["id"], None, small.START + timedelta(days=60))
            async with rt.db.begin() as conn:
                await issue_links(conn, open_vault(rt.settings), [wish] * count)
        yield opened


async def alive(town: Town) -> list[int]:
    rows = await town.rt.db.fetch(
        "select count(*) filter (where l.revoked_at is null)::int as n"
        " from link l join round r on r.id = l.round_id group by r.campaign_id order by r.campaign_id"
    )
    return [row["n"] for row in rows]


async def test_a_reason_and_the_code_end_all_links_of_one_campaign(town: Town) -> None:
    her = await officer(town, "planner", small.COUNTY)
    assert "/console/campaigns/1/links" in (await her.get("/campaigns/1")).text
    assert "作废 5,003 个链接，不能恢复" in (await her.get("/campaigns/1/links")).text
    for fields in ({"typed": CODE, "reason": " "}, {"typed": "c", "reason": "发错了"}, {}):
        answer = await her.post("/campaigns/1/links/revoke", **fields)
        assert answer.status_code == 422 and "作废 5,003 个链接" in answer.text
    assert await alive(town) == [_MANY, 2]
    answer = await her.post("/campaigns/1/links/revoke", typed=CODE, reason="发错了人群")
    assert answer.status_code == 303
    await town.app.state.revocations.close()
    assert await alive(town) == [0, 2]
    assert "没有还有效的链接" in (await her.get("/campaigns/1/links")).text
    said = await town.rt.db.fetch(
        "select actor, action, object, detail from audit_event where action like 'links.%' order by id"
    )
    assert [tuple(one.values()) for one in said] == [
        ("planner", "links.revoke", "campaign:1", {"reason": "发错了人群"}),
        ("planner", "links.revoked", "campaign:1", {"links": _MANY}),
    ]


async def test_links_of_others_stay(town: Town) -> None:
    sister = await officer(town, "sister", SISTER)
    county = await officer(town, "county", small.COUNTY)
    reader = await officer(town, "analyst", small.COUNTY, "analyst")
    words = {"typed": CODE, "reason": "发错了"}
    assert (await sister.post("/campaigns/1/links/revoke", **words)).status_code == 404
    assert (await sister.get("/campaigns/1/links")).status_code == 404
    assert (await county.get("/campaigns/2/links")).status_code == 403
    above = await county.post("/campaigns/2/links/revoke", typed=f"c{small.CITY}", reason="发错了")
    assert above.status_code == 403
    assert (await reader.post("/campaigns/1/links/revoke", **words)).status_code == 403
    assert "/links" not in (await reader.get("/campaigns/1")).text
    await town.app.state.revocations.close()
    assert await alive(town) == [_MANY, 2]


async def test_over_the_api(town: Town) -> None:
    path = "/campaigns/1/links"
    assert (await town.get(path, unit=small.COUNTY)).json() == {"sent": _MANY, "alive": _MANY}
    body = {"reason": "送达人群选错"}
    assert (await town.post(f"{path}/revoke", body, unit=SISTER)).status_code == 404
    assert (await town.post("/campaigns/2/links/revoke", body, unit=small.COUNTY)).status_code == 403
    assert (await town.get("/campaigns/2/links", unit=small.COUNTY)).status_code == 403
    assert (await town.post(f"{path}/revoke", {"reason": ""}, unit=small.COUNTY)).status_code == 422
    assert (await town.post(f"{path}/revoke", body, unit=small.COUNTY)).status_code == 202
    await town.app.state.revocations.close()
    assert (await town.get(path, unit=small.COUNTY)).json() == {"sent": _MANY, "alive": 0}
    assert await alive(town) == [0, 2]
