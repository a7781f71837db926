"""外呼与走访: worklists, one item with its script and households, what came of it."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.clock import BEIJING
from outreach.errors import InvalidInput
from outreach.governance.vault import open_vault
from outreach.service.calls import RESULTS, STANDARDS, TRIES, Effect, name_of
from outreach.service.worklists import Report, assign_items, record_result
from outreach.service.worklists_scripts import masked_contact, purposes_of, reveal_contact
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.permissions import actor_of
from outreach.web.reads.work_items import (
    DUE,
    KINDS,
    STATES,
    Wanted,
    attempts_of,
    figures_by_unit,
    find_item,
    list_items,
)

routes = console_routes()
WHOSE = {"": "本机构全部", "mine": "分派给我的"}
SHOWN = {"open": "办理中", "closed": "已结束", "all": "全部"}
TONES = {"open": "accent", "done": "good", "given_up": "quiet"}
_MOMENT = "%Y-%m-%dT%H:%M"


@routes.get("/service/tasks", permission="work.read")
async def show_list(
    request: Request,
    kind: str = "",
    state: str = "open",
    whose: str = "",
    due: str = "",
    cursor: str = "",
    done: str = "",
) -> HTMLResponse:
    """The list of the unit or my own, narrowed by kind, state and when it is due."""
    known = kind in ("", *KINDS) and state in SHOWN and whose in WHOSE and due in ("", *DUE)
    if not known:
        raise InvalidInput("没有这种筛选条件。", field="due")
    rt, actor = runtime_of(request), actor_of(request)
    wanted = Wanted(kind, state, actor.name if whose else "", due)
    async with rt.db.begin() as conn:
        found = await list_items(conn, open_vault(rt.settings), actor, wanted, cursor=cursor)
        figures = [] if cursor else await figures_by_unit(conn, actor)
    chosen = {"kind": kind, "state": state, "whose": whose, "due": due}
    context: dict[str, Any] = {
        "found": found,
        "chosen": chosen,
        "more": "/console/service/tasks?" + urlencode({name: word for name, word in chosen.items() if word}),
        "kinds": KINDS,
        "shown": SHOWN,
        "whose": WHOSE,
        "dues": DUE,
        "states": STATES,
        "tones": TONES,
        "name_of": name_of,
    }
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "work_rows.html", **context)
    context |= {"figures": figures, "done": done}
    return page(request, "work.html", place="service", title="外呼与走访", **context)


@routes.post("/service/tasks/assign", permission="work.assign")
async def assign(request: Request) -> Response:
    """Give the ticked items to a named person, or back to the unit."""
    form = await request.form()
    login = str(form.get("assigned_to", "")).strip()
    n = await assign_items(runtime_of(request), actor_of(request), ticked(form.getlist("items")), login)
    said = f"已把 {n} 项分派给 {login}" if login else f"已把 {n} 项退回机构名单"
    return RedirectResponse(f"/console/service/tasks?{urlencode({'done': said})}", 303)


@routes.get("/service/tasks/{item_id}", permission="work.read")
async def show(request: Request, item_id: int, done: str = "") -> HTMLResponse:
    """One item; the contact is masked."""
    return await _item(request, item_id, {}, {}, done=done)


@routes.post("/service/tasks/{item_id}/contact", permission="work.write")
async def reveal(request: Request, item_id: int) -> HTMLResponse:
    """The contact in full; who looked stands in the audit."""
    shown = await reveal_contact(runtime_of(request), actor_of(request), item_id)
    return fragment(request, "work_contact.html", contact=shown, revealed=True, item={"id": item_id})


@routes.post("/service/tasks/{item_id}/result", permission="work.write")
async def report(request: Request, item_id: int) -> Response:
    """What came of it; the next item of the list is one tap away."""
    form = await request.form()
    typed = {name: str(form.get(name, "")) for name in ("result", "call_back_at", "note")}
    try:
        given = Report(typed["result"], moment_of(typed["call_back_at"]), typed["note"])
        state = await record_result(runtime_of(request), actor_of(request), item_id, given)
    except InvalidInput as error:
        return await _item(request, item_id, typed, {error.details.get("field", "result"): error.message})
    return RedirectResponse(f"/console/service/tasks/{item_id}?done={state}", 303)


def ticked(values: Any) -> list[int]:
    """The numbers of ticked boxes."""
    return [int(value) for value in values if str(value).isdecimal() and int(value) < 2**31]


def moment_of(text: str) -> datetime | None:
    """A date and time as a browser sends them, by the clock in Beijing. Raises InvalidInput."""
    if not text:
        return None
    try:
        return datetime.strptime(text, _MOMENT).replace(tzinfo=BEIJING)
    except ValueError as error:
        raise InvalidInput("请选择日期和时间", field="call_back_at") from error


async def _item(
    request: Request, item_id: int, typed: dict[str, str], errors: dict[str, str], *, done: str = ""
) -> HTMLResponse:
    rt, actor, vault = runtime_of(request), actor_of(request), open_vault(runtime_of(request).settings)
    async with rt.db.begin() as conn:
        item = await find_item(conn, actor, item_id)
        purposes = await purposes_of(conn, vault, cache_of(request), item_id)
        contact = await masked_contact(conn, vault, item_id)
        attempts = await attempts_of(conn, vault, item_id)
        following = await list_items(conn, vault, actor, Wanted(item["kind"]), limit=2)
    names = list(dict.fromkeys(name for purpose in purposes for name in purpose.names))
    results = RESULTS[item["kind"]]
    again = [code for code, one in results.items() if one.effect is Effect.AGAIN]
    return page(
        request,
        "work_item.html",
        place="service",
        title=names[0] if names else contact.name,
        status=422 if errors else 200,
        item=item,
        names=names,
        purposes=purposes,
        contact=contact,
        revealed=False,
        attempts=attempts,
        results=results,
        again=again[0],
        standards=STANDARDS[item["kind"]],
        most=TRIES,
        typed=typed,
        errors=errors,
        done=done,
        states=STATES,
        tones=TONES,
        kinds=KINDS,
        name_of=name_of,
        following=[row["id"] for row in following.rows if row["id"] != item_id][:1],
    )
