"""Recipes: campaigns to begin with; the draft of one is a campaign like any other."""

from typing import Annotated

from fastapi import Request
from pydantic import Field

from campaigns.recipe_book import draft_from_recipe, recipe_book
from outreach.web.actions import draft_campaign
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import Model
from outreach.web.permissions import actor_of

routes = api_routes("/recipes", "活动")


class RecipeShown(Model):
    """A recipe that the unit may use. `publisher` is empty for those of the product."""

    key: str
    code: str
    name: str
    summary: str
    year_label: str
    version: int
    publisher: str
    rounds: list[str]


class RecipeUsed(Model):
    """The year and the code of the campaign that is made."""

    year: Annotated[int, Field(ge=2000, le=2100, examples=[2026])]
    code: Annotated[str, Field(min_length=1, max_length=60, examples=["iit-2026"])]


class CampaignMade(Model):
    """The draft."""

    id: int


@routes.get("", permission="campaign.read", summary="可用的活动方案")
async def show(request: Request) -> list[RecipeShown]:
    """上级和本级发布的在前，随产品提供的在后。"""
    async with runtime_of(request).db.begin() as conn:
        entries = await recipe_book(conn, actor_of(request).org_path)
    return [
        RecipeShown(
            key=entry.key,
            code=entry.recipe.code,
            name=entry.recipe.name,
            summary=entry.recipe.summary,
            year_label=entry.recipe.year_label,
            version=entry.version,
            publisher=entry.org_name,
            rounds=[part["name"] for part in entry.recipe.body["rounds"]],
        )
        for entry in entries
    ]


@routes.post("/{key}/campaigns", permission="campaign.write", status_code=201, summary="用方案新建活动草稿")
async def use(request: Request, key: str, body: RecipeUsed) -> CampaignMade:
    """草稿属于密钥所在的机构，仍须提交和审批。"""
    rt, actor = runtime_of(request), actor_of(request)
    draft = await draft_from_recipe(rt, actor, key, year=body.year, org_id=actor.org_id, code=body.code)
    return CampaignMade(id=await draft_campaign(rt, actor, draft))
