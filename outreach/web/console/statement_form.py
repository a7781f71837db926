"""出具文书: what, for whom; a look at what would happen, with samples; then the order."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from outreach.clock import in_beijing
from outreach.errors import Conflict, InvalidInput
from outreach.governance.scope import scope_choices
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.pieces import Balance, Part
from outreach.web.console.render import page
from outreach.web.issuing import LONGEST_REASON, TYPED_ABOVE, Look, Wish, look_before, order_documents
from outreach.web.permissions import actor_of

routes = console_routes()
_YEARS = 6
_FIELDS = ("kind", "year", "org_id", "expression", "reason")


@routes.get("/statements/new", permission="statement.write")
async def show_new(request: Request) -> HTMLResponse:
    """The form, for last year's bills of the unit acted in."""
    now = in_beijing(await runtime_of(request).now())
    typed = {
        "kind": "yearly_bill",
        "year": str(now.year - 1),
        "org_id": str(actor_of(request).org_id),
        "expression": "",
        "reason": "",
    }
    return await _form(request, typed, {})


@routes.post("/statements/preview", permission="statement.write")
async def preview(request: Request) -> HTMLResponse:
    """What would happen; or the form again, when it is to be changed or is wrong."""
    form = await request.form()
    typed = _typed(form)
    if form.get("wants") == "change":
        return await _form(request, typed, {})
    return await _look(request, typed)


@routes.post("/statements", permission="statement.write")
async def order(request: Request) -> Response:
    """Order what was looked at."""
    form = await request.form()
    typed, expected = _typed(form), _number(str(form.get("expected", "")))
    if expected > TYPED_ABOVE and _number(str(form.get("typed", "")).replace(",", "")) != expected:
        error = InvalidInput(f"请输入 {expected} 确认，以免误操作。", field="typed")
        return await _look(request, typed, error)
    rt, actor = runtime_of(request), actor_of(request)
    try:
        run_id = await order_documents(rt, cache_of(request), actor, _wish(typed), expected)
    except InvalidInput as error:
        return await _form(request, typed, _at_field(error))
    except Conflict as error:
        return await _look(request, typed, error)
    return RedirectResponse(f"/console/statements/runs/{run_id}?done=ordered", 303)


async def _look(
    request: Request, typed: Mapping[str, str], error: InvalidInput | Conflict | None = None
) -> HTMLResponse:
    rt, actor = runtime_of(request), actor_of(request)
    try:
        look = await look_before(rt, cache_of(request), actor, _wish(typed))
    except InvalidInput as wrong:
        return await _form(request, typed, _at_field(wrong))
    async with rt.db.begin() as conn:
        units = {unit["id"]: unit["name"] for unit in await scope_choices(conn, actor)}
    context: dict[str, Any] = {
        "look": look,
        "typed": typed,
        "title_of_kind": DOCUMENT_KINDS[look.wish.kind].title,
        "unit": units.get(look.wish.org_id, ""),
        "balance": balance_of(look),
        "typed_above": TYPED_ABOVE,
        "error": error,
    }
    status = 422 if error else 200
    return page(
        request, "statement_look.html", place="statements", title="核对出具内容", status=status, **context
    )


def balance_of(look: Look) -> Balance:
    """The households that were tried by what would become of them."""
    n = look.counted
    parts = (
        Part("将首次出具", n.first, "state-delivered"),
        Part("将更正", n.corrections, "state-accepted"),
        Part("将撤回", n.withdrawals, "state-failed"),
        Part("未变，不动", n.unchanged, "out-4"),
        Part("无内容，不出具", n.empty, "out-6"),
    )
    title = "全部户逐户试算" if look.is_whole else "随机抽取试算"
    return Balance(title, n.tried, "户", tuple(part for part in parts if part.count))


async def _form(request: Request, typed: Mapping[str, str], errors: Mapping[str, str]) -> HTMLResponse:
    rt, actor = runtime_of(request), actor_of(request)
    this_year = in_beijing(await rt.now()).year
    async with rt.db.begin() as conn:
        units = [unit for unit in await scope_choices(conn, actor) if actor.reaches(unit["path"])]
    context: dict[str, Any] = {
        "typed": typed,
        "errors": dict(errors),
        "kinds_offered": [(kind.name, kind.title) for kind in DOCUMENT_KINDS.values()],
        "years": [(str(year), f"{year} 年") for year in range(this_year, this_year - _YEARS, -1)],
        "units": units,
        "longest": LONGEST_REASON,
    }
    status = 422 if errors else 200
    return page(
        request, "statement_form.html", place="statements", title="出具文书", status=status, **context
    )


def _typed(form: FormData) -> dict[str, str]:
    return {name: str(form.get(name, "")).strip() for name in _FIELDS}


def _wish(typed: Mapping[str, str]) -> Wish:
    if typed["kind"] not in DOCUMENT_KINDS:
        raise InvalidInput("请选择文书种类。", field="kind")
    return Wish(
        typed["kind"], _number(typed["year"]), _number(typed["org_id"]), typed["expression"], typed["reason"]
    )


def _at_field(error: InvalidInput) -> dict[str, str]:
    return {str(error.details.get("field", "expression")): error.message}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
