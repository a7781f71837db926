"""Tickets: one intake also for what other systems take (12366, 12345, the e-tax bureau)."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import Field

from outreach.errors import Conflict, NotFound
from outreach.governance.audit import append_audit
from outreach.governance.scope import require_scope
from outreach.governance.vault import open_vault
from outreach.service.tickets import NewTicket, answer_ticket, clean_text, close_ticket, open_tickets
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import (
    FIRST,
    Cursor,
    Limit,
    Listing,
    Model,
    PathId,
    SmallId,
    Text,
    examples,
    pick_all,
)
from outreach.web.permissions import actor_of
from outreach.web.reads.taxpayers import taxpayers_by_id
from outreach.web.reads.tickets import WantedTickets, find_ticket, list_tickets

routes = api_routes("/tickets", "工单")
State = Literal["", "unanswered", "overdue", "open", "in_hand", "answered", "closed"]
Source = Literal["", "question", "reply", "complaint", "bad_rating", "hotline", "feedback"]


class TicketRow(Model):
    """One ticket. `due_on`: the last day of its clock; `is_own`: whether the scope may act on it."""

    id: int
    number: str
    source: str
    channel: str
    state: str
    handler: str | None
    org_name: str
    taxpayer_id: int | None
    place: str | None
    text: str
    opened_at: datetime
    due_on: date
    answered_at: datetime | None
    closed_at: datetime | None
    is_overdue: bool
    is_own: bool


class TicketStep(Model):
    """One step. `text` is empty for steps without words."""

    kind: str
    by: str
    at: datetime
    text: str
    outcome: str
    org_name: str | None


class TicketShown(TicketRow):
    """A ticket with its steps."""

    steps: list[TicketStep]


class TicketDraft(Model):
    """A matter from another system. `ref`: its number there; the same one twice is refused."""

    model_config = examples(
        {"ref": "12366-2026-000123", "org_id": 3, "taxpayer_id": 17, "text": "汇算退税多久到账？"}
    )
    ref: Annotated[Text, Field(min_length=1, max_length=80)]
    org_id: SmallId
    text: Annotated[Text, Field(min_length=1, max_length=2000)]
    taxpayer_id: SmallId | None = None
    contact: Annotated[Text, Field(max_length=60)] = ""


class TicketMade(Model):
    """The ticket's number and its last day."""

    id: int
    number: str
    due_on: date


class TicketAnswer(Model):
    """The answer as the person reads it. `close`: nothing else is to be done."""

    model_config = examples({"text": "审核通过后一般 10 个工作日内到账。", "close": True})
    text: Annotated[Text, Field(min_length=1, max_length=2000)]
    close: bool = False


@routes.get("", permission="service.read", summary="工单列表")
async def show_list(
    request: Request,
    state: Annotated[State, Query(description="unanswered：待答复；overdue：已超期")] = "unanswered",
    source: Source = "",
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[TicketRow]:
    """按答复期限先后排列。"""
    rt = runtime_of(request)
    wanted = WantedTickets(state, source)
    async with rt.db.begin() as conn:
        found = await list_tickets(
            conn, open_vault(rt.settings), actor_of(request), wanted, cursor=cursor, limit=limit
        )
    return Listing[TicketRow](rows=pick_all(TicketRow, found.rows), next=found.next)


@routes.get("/{ticket_id}", permission="service.read", summary="一件工单和它的经过")
async def show(request: Request, ticket_id: PathId) -> TicketShown:
    """经过按先后排列，含受理、转办、答复、回访和办结。"""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        row = await find_ticket(conn, open_vault(rt.settings), actor_of(request), ticket_id)
    names = set(TicketRow.model_fields)
    return TicketShown(**{name: row[name] for name in names}, steps=pick_all(TicketStep, row["steps"]))


@routes.post("", permission="service.write", status_code=201, summary="登记一件来自其他系统的事项")
async def register(request: Request, body: TicketDraft) -> TicketMade:
    """热线、网站等转来的事项，按 5 个工作日计时。"""
    rt, actor = runtime_of(request), actor_of(request)
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        await require_scope(conn, actor, body.org_id)
        if body.taxpayer_id and not await taxpayers_by_id(conn, vault, actor, [body.taxpayer_id]):
            raise NotFound("没有这一户，或者它不在您的数据范围内。")
        wanted = NewTicket(
            "hotline",
            "hotline",
            body.org_id,
            clean_text(body.text),
            body.contact.strip(),
            taxpayer_id=body.taxpayer_id,
            external_ref=body.ref,
        )
        opened = await open_tickets(conn, vault, [wanted], actor.name)
        if not opened:
            raise Conflict("这个编号的事项已经登记过。")
        await append_audit(conn, actor, "ticket.register", f"ticket:{opened[0].id}", {"ref": body.ref})
    return TicketMade(id=opened[0].id, number=opened[0].number, due_on=opened[0].due_on)


@routes.post("/{ticket_id}/answer", permission="service.write", summary="答复一件工单")
async def answer(request: Request, ticket_id: PathId, body: TicketAnswer) -> TicketMade:
    """答复后本人可以看到；差评还须登记回访才能办结。"""
    rt, actor = runtime_of(request), actor_of(request)
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        await answer_ticket(conn, vault, actor, ticket_id, body.text)
        if body.close:
            await close_ticket(conn, vault, actor, ticket_id)
        row = await find_ticket(conn, vault, actor, ticket_id)
    return TicketMade(id=row["id"], number=row["number"], due_on=row["due_on"])
