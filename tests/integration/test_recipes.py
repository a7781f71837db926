"""A city publishes a recipe, and a county runs it in its scope; the recipes of the product become drafts."""

import pytest

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.recipe_book import publish_recipe, recipe_book, withdraw_recipe
from campaigns.recipes import load_recipes
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.setup import ensure_catalogue, ensure_templates
from tests.integration.api_town import CAMPAIGN, CITY, COUNTY, PROVINCE, Town

PATHS = {PROVINCE: "1.", CITY: "1.2.", COUNTY: "1.2.3."}


def actor(unit: int) -> Actor:
    may = frozenset({"campaign.read", "campaign.write"})
    return Actor(0, "tester", "测试", may, unit, PATHS[unit], unit, PATHS[unit])


@pytest.mark.parametrize("code", load_recipes())
async def test_each_recipe_of_the_product_becomes_a_draft_that_can_be_signed(town: Town, code: str) -> None:
    await ensure_catalogue(town.rt)
    await ensure_templates(town.rt, PROVINCE)
    made = await town.post(
        f"/recipes/product-{code}/campaigns", {"year": 2026, "code": f"{code}-x"}, unit=CITY
    )
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    shown = (await town.get(f"/campaigns/{number}", unit=CITY)).json()
    assert shown["state"] == "draft"
    await submit_campaign(town.rt, number, "maker")
    await approve_campaign(town.rt, number, "checker")
    again = await town.post(
        f"/recipes/product-{code}/campaigns", {"year": 2026, "code": f"{code}-x"}, unit=CITY
    )
    assert again.status_code == 422


async def test_a_county_runs_what_the_city_has_published_and_the_city_alone_withdraws_it(town: Town) -> None:
    draft = {**CAMPAIGN, "code": "sun", "name": "2026年阳光行动"}
    number = (await town.post("/campaigns", draft, unit=CITY)).json()["id"]
    campaign = {"id": number, "org_id": CITY}
    told = {"code": "sun", "name": "阳光行动", "summary": "提醒一次", "year": 2026}
    assert await publish_recipe(town.rt, actor(CITY), campaign, **told) == 1
    assert await publish_recipe(town.rt, actor(CITY), campaign, **told) == 2
    first, *_ = (await town.get("/recipes", unit=COUNTY)).json()
    assert (first["name"], first["version"], first["rounds"]) == ("阳光行动", 2, ["第一轮"])
    assert first["publisher"]
    assert first["key"] not in [one["key"] for one in (await town.get("/recipes", unit=PROVINCE)).json()]
    body = {"year": 2027, "code": "sun-county"}
    made = await town.post(f"/recipes/{first['key']}/campaigns", body, unit=COUNTY)
    assert made.status_code == 201, made.text
    shown = (await town.get(f"/campaigns/{made.json()['id']}", unit=COUNTY)).json()
    assert (shown["name"], shown["org_id"]) == ("2027年阳光行动", COUNTY)
    assert shown["rounds"][0]["starts_at"].startswith("2027-")
    with pytest.raises(NotFound):
        await withdraw_recipe(town.rt, actor(COUNTY), int(first["key"]))
    await withdraw_recipe(town.rt, actor(CITY), int(first["key"]))
    async with town.rt.db.begin() as conn:
        keys = [entry.key for entry in await recipe_book(conn, PATHS[COUNTY])]
    assert first["key"] not in keys
    again = await town.post(f"/recipes/{first['key']}/campaigns", {**body, "code": "late"}, unit=COUNTY)
    assert again.status_code == 404
