"""One intake for everything that wants an answer: questions, replies, complaints, bad ratings, calls.

A ticket has one owner at a time (handled here, or passed up or down), a clock in working days that depends on
where it came from, and cannot be closed before the person has her answer; a bad rating not before she has
been called back (国办发〔2019〕51号: every real-name bad rating is called back, mended in 5 working days).
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.scope import require_scope
from outreach.governance.vault import Vault
from outreach.registry.working_days import load_calendar

_SQL = load_queries(__file__)

SOURCES = {
    "question": "网页提问",
    "reply": "消息回复",
    "complaint": "扫码投诉",
    "bad_rating": "差评",
    "hotline": "热线转办",
    "feedback": "吐槽台",
}
CLOCKS = {"question": 3, "reply": 3, "complaint": 5, "bad_rating": 5, "hotline": 5, "feedback": 5}
"""Working days to answer. Complaints of service and bad ratings: 5, as the rules say; the rest is ours."""

STATES = {"open": "待受理", "in_hand": "办理中", "answered": "已答复", "closed": "已办结"}
OUTCOMES = {"satisfied": "已解决，满意", "unsatisfied": "仍不满意", "unreached": "没有联系上"}
LONGEST = 2_000
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_NUMBER = 10
"""50 bits: whoever knows a number of another's ticket has not guessed it."""


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What comes in. `contact` is how the person wants to be reached, as she wrote it; `told` what the system
    tells her at once, which is no answer yet."""

    source: str
    channel: str
    org_id: int
    text: str
    contact: str = ""
    taxpayer_id: int | None = None
    person_id: int | None = None
    place_id: int | None = None
    inbound_id: int | None = None
    rating_id: int | None = None
    external_ref: str | None = None
    told: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A new ticket: what the person is told."""

    id: int
    number: str
    due_on: date


async def open_tickets(conn: Connection, vault: Vault, wanted: Sequence[NewTicket], by: str) -> list[Opened]:
    """Open tickets in the caller's transaction, in order. What has one already (same reply, rating or
    external number) is left out."""
    if not wanted:
        return []
    drawn = await (await conn.execute(_SQL["draw"], {"count": len(wanted)})).fetchall()
    today = in_beijing(drawn[0]["now"]).date()
    calendars = {org_id: await load_calendar(conn, org_id) for org_id in {one.org_id for one in wanted}}
    opened, first_steps, told = [], [], []
    for row, one in zip(drawn, wanted, strict=True):
        number = new_number()
        due = calendars[one.org_id].add_workdays(today, CLOCKS[one.source], guessing=True)
        params = {
            "id": row["id"], "number": number, "source": one.source, "channel": one.channel,
            "org_id": one.org_id, "taxpayer_id": one.taxpayer_id, "person_id": one.person_id,
            "place_id": one.place_id, "inbound_id": one.inbound_id, "rating_id": one.rating_id,
            "external_ref": one.external_ref, "due_on": due,
            "text": _sealed(vault, "text_enc", row["id"], one.text),
            "contact": _sealed(vault, "contact_enc", row["id"], one.contact),
        }  # fmt: skip
        if (await conn.execute(_SQL["add"], params)).rowcount:
            opened.append(Opened(row["id"], number, due))
            first_steps.append(row["id"])
            told += [(row["id"], one.told)] if one.told else []
    if first_steps:
        await conn.execute(_SQL["opened"], {"ids": first_steps, "by": by})
    for ticket_id, text in told:
        await _step(conn, vault, ticket_id, "told", "system", text)
    return opened


def new_number() -> str:
    """A ticket's number: ten letters and digits that cannot be mistaken for one another."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_NUMBER))


def clean_text(text: str, *, field: str = "text", least: int = 1) -> str:
    """A text that staff or taxpayers typed. Raises InvalidInput for an empty or endless one."""
    plain = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not least <= len(plain) <= LONGEST:
        raise InvalidInput(f"请填写 {least} 到 {LONGEST:,} 个字。", field=field)
    return plain


async def take_ticket(conn: Connection, vault: Vault, actor: Actor, ticket_id: int) -> None:
    """Take a ticket in hand: the clock goes on, the name is known. Raises NotFound, NotAllowed, Conflict."""
    row = await hold_ticket(conn, actor, ticket_id, ("open", "in_hand"))
    await conn.execute(_SQL["take"], {"id": row["id"], "by": actor.name})
    await _step(conn, vault, row["id"], "taken", actor.name)


async def note_ticket(conn: Connection, vault: Vault, actor: Actor, ticket_id: int, text: str) -> None:
    """Add a note that the person does not see. Raises InvalidInput, NotFound, NotAllowed, Conflict."""
    plain = clean_text(text, field="note")
    row = await hold_ticket(conn, actor, ticket_id, ("open", "in_hand", "answered"))
    await _step(conn, vault, row["id"], "noted", actor.name, plain)


async def move_ticket(
    conn: Connection, vault: Vault, actor: Actor, ticket_id: int, org_id: int | None, text: str
) -> None:
    """Pass a ticket up to the unit above (None) or to a unit of the scope, with a reason; its clock goes on.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    plain = clean_text(text, field="reason")
    row = await hold_ticket(conn, actor, ticket_id, ("open", "in_hand"))
    if org_id is None:
        if row["parent_id"] is None:
            raise Conflict("已经是最上级机构，不能再上报。")
        target = row["parent_id"]
    else:
        await require_scope(conn, actor, org_id)
        target = org_id
    if target == row["org_id"]:
        raise InvalidInput("工单已经在这个机构。", field="org_id")
    await conn.execute(_SQL["move"], {"id": row["id"], "org_id": target})
    await _step(conn, vault, row["id"], "moved", actor.name, plain, org_id=target)
    await append_audit(
        conn, actor, "ticket.move", f"ticket:{row['id']}", {"from": row["org_id"], "to": target}
    )


async def answer_ticket(conn: Connection, vault: Vault, actor: Actor, ticket_id: int, text: str) -> None:
    """Answer the person; she reads it on her page or with her number. Raises InvalidInput, NotFound,
    NotAllowed, Conflict."""
    plain = clean_text(text, field="answer")
    row = await hold_ticket(conn, actor, ticket_id, ("open", "in_hand", "answered"))
    await conn.execute(_SQL["answer"], {"id": row["id"], "by": actor.name})
    await _step(conn, vault, row["id"], "answered", actor.name, plain)
    await append_audit(conn, actor, "ticket.answer", f"ticket:{row['id']}")


async def call_back(
    conn: Connection, vault: Vault, actor: Actor, ticket_id: int, outcome: str, text: str
) -> None:
    """Note a call to the person. Who was reached has her answer by word of mouth; who is still not satisfied
    or was not reached stays on the list. Raises InvalidInput, NotFound, NotAllowed, Conflict."""
    if outcome not in OUTCOMES:
        raise InvalidInput("请选择回访结果。", field="outcome")
    plain = clean_text(text, field="call")
    row = await hold_ticket(conn, actor, ticket_id, ("open", "in_hand", "answered"))
    verb = "answer" if outcome == "satisfied" else "take"
    await conn.execute(_SQL[verb], {"id": row["id"], "by": actor.name})
    await _step(conn, vault, row["id"], "called", actor.name, plain, outcome=outcome)
    await append_audit(conn, actor, "ticket.call", f"ticket:{row['id']}", {"outcome": outcome})


async def close_ticket(conn: Connection, vault: Vault, actor: Actor, ticket_id: int) -> None:
    """Close what has been answered. Raises Conflict before an answer, and for a bad rating before a call that
    reached the person; NotFound, NotAllowed."""
    row = await hold_ticket(conn, actor, ticket_id, ("open", "in_hand", "answered"))
    if row["state"] != "answered":
        raise Conflict("还没有答复，不能办结。请先答复，或登记回访。")
    if row["source"] == "bad_rating" and row["can_call"] and not row["called"]:
        raise Conflict("差评须回访到本人后才能办结。请先登记回访结果。")
    await conn.execute(_SQL["close"], {"id": row["id"]})
    await _step(conn, vault, row["id"], "closed", actor.name)
    await append_audit(conn, actor, "ticket.close", f"ticket:{row['id']}")


async def reopen_ticket(conn: Connection, vault: Vault, actor: Actor, ticket_id: int, text: str) -> None:
    """Take a closed ticket up again, with a reason. Raises InvalidInput, NotFound, NotAllowed, Conflict."""
    plain = clean_text(text, field="reason")
    row = await hold_ticket(conn, actor, ticket_id, ("closed",))
    await conn.execute(_SQL["reopen"], {"id": row["id"]})
    await _step(conn, vault, row["id"], "reopened", actor.name, plain)
    await append_audit(conn, actor, "ticket.reopen", f"ticket:{row['id']}")


async def hold_ticket(
    conn: Connection, actor: Actor, ticket_id: int, states: Sequence[str]
) -> Mapping[str, Any]:
    """The ticket, locked, if the actor may act on it now. Raises NotFound, NotAllowed, Conflict."""
    row = await (await conn.execute(_SQL["hold"], {"id": ticket_id, "path": actor.org_path})).fetchone()
    if row is None:
        raise NotFound("没有这个工单，或者它不在您的数据范围内。")
    if not row["is_own"]:
        raise NotAllowed(f"这个工单已转到 {row['org_name']}，在这里只能查看。")
    if row["state"] not in states:
        raise Conflict(f"工单{STATES[row['state']]}，不能这样操作。请刷新页面。")
    return row


def _sealed(vault: Vault, column: str, ticket_id: int, text: str) -> bytes | None:
    return vault.encrypt("ticket", column, ticket_id, text) if text else None


async def _step(
    conn: Connection,
    vault: Vault,
    ticket_id: int,
    kind: str,
    by: str,
    text: str = "",
    *,
    org_id: int | None = None,
    outcome: str = "",
) -> None:
    row = await (await conn.execute(_SQL["draw_step"])).fetchone()
    assert row is not None
    sealed = vault.encrypt("ticket_step", "text_enc", row["id"], text) if text else None
    params = {"id": row["id"], "ticket_id": ticket_id, "kind": kind, "by": by, "text": sealed}
    await conn.execute(_SQL["add_step"], {**params, "org_id": org_id, "outcome": outcome})
