"""方案: campaigns to begin with, made of data; one's own campaign published for the units below."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from campaigns.recipe_book import draft_from_recipe, publish_recipe, recipe_book, withdraw_recipe
from outreach.clock import in_beijing
from outreach.errors import InvalidInput, NotAllowed
from outreach.web.actions import draft_campaign
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign

routes = console_routes()
_ABOVE = "这个活动由上级机构管理，不能在这里发布。"


@routes.get("/recipes", permission="campaign.read")
async def show(request: Request, done: str = "") -> HTMLResponse:
    """The book."""
    return await _page(request, done=done)


@routes.post("/recipes/{key}/campaigns", permission="campaign.write")
async def use(request: Request, key: str) -> Response:
    """A draft of the recipe at the unit acted in, opened in the form."""
    rt, actor = runtime_of(request), actor_of(request)
    form = await request.form()
    typed = {name: str(form.get(name, "")).strip() for name in ("year", "code")}
    try:
        year = _year(typed["year"])
        if not typed["code"]:
            raise InvalidInput("请填写活动编码。", field="code")
        draft = await draft_from_recipe(rt, actor, key, year=year, org_id=actor.org_id, code=typed["code"])
        campaign_id = await draft_campaign(rt, actor, draft)
    except InvalidInput as error:
        return await _page(request, error=error, key=key, typed=typed)
    return RedirectResponse(f"/console/campaigns/{campaign_id}/edit", 303)


@routes.post("/recipes/{recipe_id}/withdraw", permission="campaign.write")
async def withdraw(request: Request, recipe_id: int) -> Response:
    """Out of the book; what was made of it stays."""
    await withdraw_recipe(runtime_of(request), actor_of(request), recipe_id)
    return RedirectResponse("/console/recipes?done=withdrawn", 303)


@routes.post("/campaigns/{campaign_id}/recipe", permission="campaign.write")
async def publish(request: Request, campaign_id: int) -> Response:
    """This campaign as a recipe for the units below."""
    rt, actor = runtime_of(request), actor_of(request)
    form = await request.form()
    async with rt.db.begin() as conn:
        campaign = await find_campaign(conn, actor, campaign_id)
    if not campaign["is_own"]:
        raise NotAllowed(_ABOVE)
    told = {name: str(form.get(name, "")).strip() for name in ("code", "name", "summary")}
    await publish_recipe(rt, actor, campaign, year=_year(str(form.get("year", ""))), **told)
    return RedirectResponse("/console/recipes?done=published", 303)


def _year(text: str) -> int:
    if not (text.isdecimal() and len(text) == 4):
        raise InvalidInput("请填写四位数的年份。", field="year")
    return int(text)


async def _page(
    request: Request,
    *,
    done: str = "",
    error: InvalidInput | None = None,
    key: str = "",
    typed: dict[str, str] | None = None,
) -> HTMLResponse:
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        entries = await recipe_book(conn, actor.org_path)
        row = await (await conn.execute("select business_now() as now")).fetchone()
    assert row is not None
    context: dict[str, Any] = {
        "entries": entries,
        "year": in_beijing(row["now"]).year,
        "done": {
            "published": "已发布，下级机构现在可以使用。",
            "withdrawn": "已撤回，用它建立的活动不受影响。",
        }.get(done, ""),
        "error": error,
        "error_key": key,
        "typed": typed or {},
    }
    status = 200 if error is None else 422
    return page(request, "recipes.html", place="campaigns", title="活动方案", status=status, **context)
