"""互动 and its tickets: what waits for an answer, one ticket, and what can be done with it."""

from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput, NotFound, OutreachError
from outreach.governance.scope import scope_choices
from outreach.governance.vault import open_vault
from outreach.service.tickets import (
    CLOCKS,
    OUTCOMES,
    SOURCES,
    STATES,
    answer_ticket,
    call_back,
    close_ticket,
    move_ticket,
    note_ticket,
    reopen_ticket,
    take_ticket,
)
from outreach.service.wall import STATES as WALL_STATES
from outreach.service.wall import TOPICS, entry_of, publish_entry, withhold_entry
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.permissions import actor_of
from outreach.web.reads.taxpayers import taxpayers_by_id
from outreach.web.reads.tickets import WantedTickets, count_tickets, find_ticket, list_tickets

routes = console_routes()
_FILTERS = {"unanswered": "待答复", "overdue": "已超期", **STATES, "": "全部"}
_STEPS = {
    "opened": "提交",
    "taken": "受理",
    "noted": "备注",
    "moved": "转办",
    "told": "自动说明",
    "answered": "答复",
    "called": "回访",
    "closed": "办结",
    "reopened": "重新办理",
}
_TONES = {"open": "warn", "in_hand": "accent", "answered": "good", "closed": "quiet"}


@routes.get("/service", permission="service.read")
async def show_list(
    request: Request, state: str = "unanswered", source: str = "", number: str = "", cursor: str = ""
) -> HTMLResponse:
    """The tickets of the scope, the most pressing first."""
    if state not in _FILTERS or (source and source not in SOURCES):
        raise InvalidInput("没有这种筛选条件。", field="state")
    rt, actor = runtime_of(request), actor_of(request)
    vault = open_vault(rt.settings)
    # Who asks for a number wants that ticket, whatever its state.
    plain = "".join(letter for letter in number if letter.isascii() and letter.isalnum())
    wanted = WantedTickets("" if plain else state, source, plain)
    async with rt.db.begin() as conn:
        found = await list_tickets(conn, vault, actor, wanted, cursor=cursor)
        counts = await count_tickets(conn, actor)
        ids = sorted({row["taxpayer_id"] for row in found.rows if row["taxpayer_id"]})
        shown = await taxpayers_by_id(conn, vault, actor, ids) if actor.may("taxpayer.read") else []
    chosen = {"state": state, "source": source, "number": plain}
    context: dict[str, Any] = {
        "found": found,
        "counts": counts,
        "chosen": chosen,
        "more": "/console/service?" + urlencode(chosen),
        "households": {row["id"]: row["name"] for row in shown},
        "filters": _FILTERS,
        **_words(),
    }
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "ticket_rows.html", **context)
    return page(request, "tickets.html", place="service", title="互动", **context)


@routes.get("/service/tickets/{ticket_id}", permission="service.read")
async def show_one(request: Request, ticket_id: int) -> HTMLResponse:
    """One ticket from beginning to end."""
    return await _page(request, ticket_id)


@routes.post("/service/tickets/{ticket_id}/{verb}", permission="service.write")
async def act(request: Request, ticket_id: int, verb: str) -> Response:
    """受理, 备注, 上报, 转办, 答复, 回访, 办结, 重新办理, 公开到吐槽台, 不公开."""
    rt, actor = runtime_of(request), actor_of(request)
    vault = open_vault(rt.settings)
    form = await request.form()
    text = str(form.get("text", ""))
    try:
        async with rt.db.begin() as conn:
            if verb == "take":
                await take_ticket(conn, vault, actor, ticket_id)
            elif verb == "note":
                await note_ticket(conn, vault, actor, ticket_id, text)
            elif verb == "up":
                await move_ticket(conn, vault, actor, ticket_id, None, text)
            elif verb == "move":
                await move_ticket(conn, vault, actor, ticket_id, _unit(form.get("org_id")), text)
            elif verb == "answer":
                await answer_ticket(conn, vault, actor, ticket_id, text)
            elif verb == "call":
                await call_back(conn, vault, actor, ticket_id, str(form.get("outcome", "")), text)
            elif verb == "close":
                await close_ticket(conn, vault, actor, ticket_id)
            elif verb == "reopen":
                await reopen_ticket(conn, vault, actor, ticket_id, text)
            elif verb == "publish":
                await publish_entry(conn, vault, actor, ticket_id, text, str(form.get("answer", "")))
            elif verb == "withhold":
                await withhold_entry(conn, actor, ticket_id)
            else:
                raise NotFound("没有这个操作。")
    except NotFound:
        raise
    except OutreachError as error:
        told = str(form.get("answer", ""))
        return await _page(request, ticket_id, error=error, verb=verb, text=text, told=told)
    return RedirectResponse(f"/console/service/tickets/{ticket_id}", 303)


async def _page(
    request: Request,
    ticket_id: int,
    *,
    error: OutreachError | None = None,
    verb: str = "",
    text: str = "",
    told: str = "",
) -> HTMLResponse:
    rt, actor = runtime_of(request), actor_of(request)
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        row = await find_ticket(conn, vault, actor, ticket_id)
        entry = await entry_of(conn, ticket_id)
        ids = [row["taxpayer_id"]] if row["taxpayer_id"] and actor.may("taxpayer.read") else []
        shown = await taxpayers_by_id(conn, vault, actor, ids) if ids else []
        units = await scope_choices(conn, actor)
    return page(
        request,
        "ticket.html",
        place="service",
        title=f"工单 {row['number']}",
        status=error.status if error else 200,
        row=row,
        entry=entry,
        topics=TOPICS,
        wall_states=WALL_STATES,
        answers=[step["text"] for step in row["steps"] if step["kind"] == "answered"],
        household=shown[0]["name"] if shown else "",
        units=[unit for unit in units if unit["id"] != row["org_id"]],
        may_act=row["is_own"] and actor.may("service.write"),
        error=error,
        verb=verb,
        text=text,
        told=told,
        steps=_STEPS,
        outcomes=OUTCOMES,
        **_words(),
    )


def _words() -> dict[str, Any]:
    return {"sources": SOURCES, "states": STATES, "tones": _TONES, "clocks": CLOCKS}


def _unit(given: object) -> int:
    text = str(given or "")
    if not text.isdecimal():
        raise InvalidInput("请选择转给哪个机构。", field="org_id")
    return int(text)
