"""Replies of all channels become answers: a confirmation is evidence, bad ratings and questions are tickets.

A reply by words answers the youngest confirmation request that the person got within its time, if it can mean
one household only: who was asked for several is told to choose on her page, and staff see it. Only words that
cannot mean anything else count: 收到 or 知晓 is no consent. What is neither a refusal of messages nor an
answer to a question of ours is itself a question, and gets a ticket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import SealBroken, Vault, open_vault
from outreach.ledger.reply_words import plain_words
from outreach.ledger.sent_texts import COLUMN, TABLE
from outreach.logs import get_log
from outreach.runtime import Runtime
from outreach.service.confirmations import Answer, Matter, find_matter, record_answers
from outreach.service.tickets import LONGEST, NewTicket, open_tickets
from outreach.service.visitors import Household, households_of

_SQL = load_queries(__file__)
_LOCK = 7_640_019
_MOST = 500
_ACCEPTED = frozenset({"确认", "已确认", "确认无误", "同意", "Y", "YES"})
_DECLINED = frozenset({"不同意", "不确认", "拒绝", "放弃", "N", "NO"})
_BAD_RATINGS = frozenset({"3", "不满意", "非常不满意"})
_TELL = (
    "您的回复没有记为确认：请您确认的不止一户（{names}），一句回复分不清是哪一户。请打开消息中的链接，验证后在“回应与提问”"
    "里逐户选择；也可以拨打 12366。"
)
_LEFT_ALONE = frozenset({"opt_out", "follow", "unfollow"})


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What one pass made of the replies."""

    replies: int = 0
    confirmations: int = 0
    tickets: int = 0


async def take_replies(rt: Runtime) -> TakenIn:
    """Take in what has come since the last pass, a few hundred at a time; one process at a time."""
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        lock = await (await conn.execute("select pg_try_advisory_xact_lock(%s) as mine", (_LOCK,))).fetchone()
        if not lock or not lock["mine"]:
            return TakenIn()
        rows = await (await conn.execute(_SQL["waiting"], {"limit": _MOST})).fetchall()
        if not rows:
            return TakenIn()
        read = [_Reply(row, _text_of(vault, row)) for row in rows]
        groups, doubtful, rest = await _sorted_out(conn, vault, read)
        confirmations = 0
        for group in groups:
            # Each in a transaction of its own: an answer on the page takes the same locks in this order.
            async with rt.db.begin() as writer:
                made = await record_answers(writer, vault, group.matter, list(group.answers.values()))
                await writer.execute(_SQL["advance"], {"ids": group.inbound_ids})
            confirmations += len(made)
        async with rt.db.begin() as writer:
            tickets = [_ticket(one) for one in rest if _wants_answer(one)]
            tickets += [_ticket(one, _TELL.format(names="、".join(names))) for one, names in doubtful]
            opened = await open_tickets(writer, vault, tickets, "taxpayer")
            done = [*rest, *(one for one, _ in doubtful)]
            await writer.execute(_SQL["advance"], {"ids": [one.row["id"] for one in done]})
    if confirmations or opened:
        get_log().info("replies.taken", confirmations=confirmations, tickets=len(opened))
    return TakenIn(len(rows), confirmations, len(opened))


@dataclass(frozen=True, slots=True)
class _Reply:
    row: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class _Group:
    """Answers to one question, each household once."""

    matter: Matter
    answers: dict[int, Answer] = field(default_factory=dict)
    inbound_ids: list[int] = field(default_factory=list)


async def _sorted_out(
    conn: Connection, vault: Vault, replies: Sequence[_Reply]
) -> tuple[list[_Group], list[tuple[_Reply, list[str]]], list[_Reply]]:
    """Answers to confirmation requests in groups; replies that may mean one of several households, with their
    names; and the replies that are none."""
    asked = [one.row["id"] for one in replies if one.row["person_id"] is not None and _verdict(one.text)]
    found = await (await conn.execute(_SQL["requests"], {"ids": asked})).fetchall()
    requests = {row["inbound_id"]: row for row in found}
    matters = {row["campaign_id"]: await find_matter(conn, row["campaign_id"]) for row in found}
    groups: list[_Group] = []
    doubtful: list[tuple[_Reply, list[str]]] = []
    rest: list[_Reply] = []
    for one in replies:
        request = requests.get(one.row["id"])
        matter = matters[request["campaign_id"]] if request else None
        if request is None or matter is None or not matter.is_open:
            rest.append(one)
            continue
        households = await households_of(conn, vault, request["asked"])
        if len(households) != 1:
            doubtful.append((one, [household.name for household in households]))
            continue
        (household,) = households
        # A second reply of the same household goes into a later group, so that it follows the first.
        places = [
            n
            for n, group in enumerate(groups)
            if group.matter.id == matter.id and household.id in group.answers
        ]
        later = [group for group in groups[max(places, default=-1) + 1 :] if group.matter.id == matter.id]
        group = later[0] if later else _Group(matter)
        if not later:
            groups.append(group)
        group.answers[household.id] = _answer(vault, one, request, household)
        group.inbound_ids.append(one.row["id"])
    return groups, doubtful, rest


def _answer(vault: Vault, one: _Reply, request: Mapping[str, Any], household: Household) -> Answer:
    row, sealed = one.row, request["text_enc"]
    # A message that left before its words were kept has the text of its version only.
    words = vault.decrypt(TABLE, COLUMN, request["message_id"], bytes(sealed)) if sealed else ""
    return Answer(
        household,
        _verdict(one.text),
        words or request["shown"],
        "message" if words else "template",
        row["channel"],
        {"way": "address_of_record", "gateway": row["gateway_id"], "template_version": request["version_id"]},
        person_id=row["person_id"],
        round_id=request["round_id"],
        message_id=request["message_id"],
        inbound_id=row["id"],
        reply=one.text,
    )


def _wants_answer(one: _Reply) -> bool:
    action = str(one.row["action"])
    if action in _LEFT_ALONE or one.row["kind"] == "suggestion" or not one.text or not one.row["org_id"]:
        return False
    if action == "rating":
        return plain_words(one.text) in _BAD_RATINGS
    return action != "confirm"


def _ticket(one: _Reply, told: str = "") -> NewTicket:
    row = one.row
    ids = row["taxpayer_ids"] or []
    return NewTicket(
        "bad_rating" if row["action"] == "rating" else "reply",
        row["channel"],
        row["org_id"],
        one.text[:LONGEST],
        taxpayer_id=ids[0] if ids else None,
        person_id=row["person_id"],
        inbound_id=row["id"],
        told=told,
    )


def _verdict(text: str) -> str:
    words = plain_words(text)
    return "confirmed" if words in _ACCEPTED else "declined" if words in _DECLINED else ""


def _text_of(vault: Vault, row: Mapping[str, Any]) -> str:
    sealed = row["text_enc"]
    try:
        return vault.decrypt("inbound", "text_enc", row["gateway_id"], bytes(sealed)) if sealed else ""
    except SealBroken:
        # One reply that does not open must not hold up all that come after it; the list of replies shows it.
        get_log().error("reply.sealed", inbound=row["id"])
        return ""
