"""The recipes that a unit may use: those of the product, and those that it or a unit above has published."""

from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from campaigns.campaigns import CampaignDraft
from campaigns.recipes import Recipe, body_of, draft_of, load_recipes
from campaigns.templates import save_template
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_PRODUCT = "product"
_LONGEST = 200
_DRAFT = TypeAdapter(CampaignDraft)


@dataclass(frozen=True, slots=True)
class Entry:
    """A recipe in the book. `key` names it in addresses; `org_name`: who published it, empty for the
    product's; `id` is None for those, and `is_own` tells whether the unit may withdraw it."""

    key: str
    recipe: Recipe
    id: int | None = None
    version: int = 1
    org_name: str = ""
    published_by: str = ""
    is_own: bool = False


async def recipe_book(conn: Connection, path: str) -> list[Entry]:
    """All that the unit at `path` may use, its superiors' and its own first."""
    rows = await (await conn.execute(SQL["book"], {"path": path})).fetchall()
    published = [
        Entry(
            str(row["id"]),
            Recipe(row["code"], row["name"], row["summary"], row["year_label"], row["body"]),
            row["id"],
            row["version"],
            row["org_name"],
            row["published_by"],
            row["is_own"],
        )
        for row in rows
    ]
    return [*published, *(Entry(f"{_PRODUCT}-{code}", recipe) for code, recipe in load_recipes().items())]


async def find_recipe(conn: Connection, path: str, key: str) -> Entry:
    """One of them. Raises NotFound."""
    for entry in await recipe_book(conn, path):
        if entry.key == key:
            return entry
    raise NotFound("没有这个方案，或者它已经撤回。")


async def draft_from_recipe(
    rt: Runtime, actor: Actor, key: str, *, year: int, org_id: int, code: str
) -> CampaignDraft:
    """The draft of a recipe for a unit; templates that come with the product's recipes and are not there yet
    are saved at the unit acted in. Raises NotFound, InvalidInput."""
    async with rt.db.begin() as conn:
        entry = await find_recipe(conn, actor.org_path, key)
    draft = draft_of(entry.recipe, year=year, org_id=org_id, code=code)
    await _bring_wording(rt, actor, entry.recipe, draft)
    return draft


async def _bring_wording(rt: Runtime, actor: Actor, recipe: Recipe, draft: CampaignDraft) -> None:
    season = recipe.wording
    if season is None:
        return
    rows = await rt.db.fetch(SQL["visible_templates"], {"path": actor.org_path})
    there = {(row["code"], row["channel"]) for row in rows}
    wanted = {(step.template, step.channel) for part in draft.rounds for step in part.steps}
    for stage in season.stages:
        for channel, content in stage.contents.items():
            place = (f"{season.code}_{stage.code}", channel)
            if place in wanted - there:
                await save_template(
                    rt,
                    actor.name,
                    code=place[0],
                    name=f"{season.name} {stage.name}",
                    channel=channel,
                    content=content,
                    org_id=actor.org_id,
                    own_variables=frozenset(variable.name for variable in season.variables),
                )


async def publish_recipe(
    rt: Runtime, actor: Actor, campaign: dict[str, Any], *, code: str, name: str, summary: str, year: int
) -> int:
    """Publish a campaign of the unit as a recipe for itself and the units below it; its version. Raises
    InvalidInput, Conflict."""
    for field, text in (("name", name), ("summary", summary)):
        if not 1 <= len(text.strip()) <= _LONGEST:
            raise InvalidInput(f"请填写 1 到 {_LONGEST} 个字。", field=field)
    if not code.replace(".", "").replace("_", "").replace("-", "").isalnum() or not code.isascii():
        raise InvalidInput("编码只能用字母、数字、点、横线和下划线。", field="code")
    async with rt.db.begin() as conn:
        row = await (await conn.execute(SQL["drafted"], {"campaign_id": campaign["id"]})).fetchone()
        if row is None or row["drafted"] is None:
            raise Conflict("这个活动建立得较早，没有留下方案所需的内容，请编辑保存一次再发布。")
        keys = {
            "org_id": campaign["org_id"],
            "code": code,
            "name": name.strip(),
            "summary": summary.strip(),
            "year_label": "年度",
            "body": Jsonb(body_of(_DRAFT.validate_python(row["drafted"]), year)),
            "campaign_id": campaign["id"],
            "by": actor.name,
        }
        made = await (await conn.execute(SQL["publish"], keys)).fetchone()
        assert made is not None
        detail = {"code": code, "version": made["version"]}
        await append_audit(conn, actor, "recipe.publish", f"campaign:{campaign['id']}", detail)
    version: int = made["version"]
    return version


async def withdraw_recipe(rt: Runtime, actor: Actor, recipe_id: int) -> None:
    """Take a recipe of the subtree out of the book; campaigns made of it stay. Raises NotFound."""
    async with rt.db.begin() as conn:
        keys = {"id": recipe_id, "path": actor.org_path}
        row = await (await conn.execute(SQL["withdraw"], keys)).fetchone()
        if row is None:
            raise NotFound("没有这个方案，或者它已经撤回。")
        await append_audit(conn, actor, "recipe.withdraw", f"recipe:{recipe_id}", {"code": row["code"]})
