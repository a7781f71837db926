"""吐槽台, the open feedback wall: words about the service, each answered, some shown to everybody.

An entry is a ticket. It is shown only if she agreed, after it was answered, in the words that a reviewer
leaves standing, and with nothing that tells who wrote it (个人信息保护法 article 25, 税收征管法 article 8).
"""

from dataclasses import dataclass
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.vault import Vault
from outreach.rendering.guard import find_forbidden
from outreach.service.evidence import text_digest
from outreach.service.tickets import NewTicket, Opened, clean_text, hold_ticket, open_tickets

_SQL = load_queries(__file__)
TOPICS = {
    "attitude": "服务态度",
    "waiting": "等候与排队",
    "policy": "政策讲解",
    "online": "电子税务局和APP",
    "process": "办理流程",
    "messages": "消息提醒",
    "other": "其他",
}
STATES = {"new": "待审核", "published": "已公开", "withheld": "不公开", "withdrawn": "已撤下"}
LONGEST = 500
PAGE = 20
_UNFIT = {
    "identity": "身份证号",
    "card": "银行卡号",
    "phone": "电话号码",
    "link": "网址或邮箱",
    "amount": "金额",
    "secret": "索要验证码、密码或证件号的话",
}
_UNFIT_ANSWER = {**_UNFIT, "threat": "威慑性用语"}
_SHORTEST_NAME = 2
_ACTIONS = {"withheld": "wall.withhold", "withdrawn": "wall.withdraw"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as everybody reads it. `month`: when it was written, as 2026-03."""

    id: int
    topic: str
    month: str
    text: str
    answer: str


async def leave_feedback(
    conn: Connection, vault: Vault, wanted: NewTicket, topic: str, *, may_publish: bool
) -> Opened:
    """Take in an entry: a ticket of the source `feedback`. Raises InvalidInput for another topic or a long
    text."""
    if topic not in TOPICS:
        raise InvalidInput("请选择一个主题。", field="topic")
    if len(wanted.text) > LONGEST:
        raise InvalidInput(f"留言不超过 {LONGEST} 个字。", field="text")
    (opened,) = await open_tickets(conn, vault, [wanted], "taxpayer")
    await conn.execute(_SQL["add"], {"id": opened.id, "topic": topic, "may_publish": may_publish})
    return opened


async def entry_of(conn: Connection, ticket_id: int) -> dict[str, Any] | None:
    """The wall's part of a ticket; None for a ticket from elsewhere."""
    return await (await conn.execute(_SQL["entry"], {"id": ticket_id})).fetchone()


async def publish_entry(
    conn: Connection, vault: Vault, actor: Actor, ticket_id: int, text: str, answer: str
) -> None:
    """Show an answered entry to everybody in these words, and this answer with it.

    Raises InvalidInput for words that tell of a person, Conflict before an answer or where she did not agree,
    NotFound, NotAllowed.
    """
    plain = clean_text(text)
    told = clean_text(answer, field="answer")
    await hold_ticket(conn, actor, ticket_id, ("answered", "closed"))
    row = await _entry(conn, ticket_id)
    if not row["may_publish"]:
        raise Conflict("本人没有同意公开，只能答复本人。")
    names = _names(vault, row)
    _check(plain, "留言", _UNFIT, names, "text")
    _check(told, "答复", _UNFIT_ANSWER, names, "answer")
    await _decide(conn, actor, ticket_id, "published", plain, told)
    detail = {"text": text_digest(plain), "answer": text_digest(told)}
    await append_audit(conn, actor, "wall.publish", f"ticket:{ticket_id}", detail)


async def withhold_entry(conn: Connection, actor: Actor, ticket_id: int) -> None:
    """Show it to nobody; what was shown is taken down. Raises Conflict, NotFound, NotAllowed."""
    await hold_ticket(conn, actor, ticket_id, ("open", "in_hand", "answered", "closed"))
    row = await _entry(conn, ticket_id)
    state = "withdrawn" if row["state"] == "published" else "withheld"
    await _decide(conn, actor, ticket_id, state, None, None)
    await append_audit(conn, actor, _ACTIONS[state], f"ticket:{ticket_id}")


async def published_entries(conn: Connection, topic: str, before: int) -> list[Entry]:
    """One page of what everybody may read, newest first; `topic` empty for all, `before` 0 for the newest."""
    params = {"topic": topic, "before": before, "limit": PAGE}
    return [Entry(**row) for row in await (await conn.execute(_SQL["published"], params)).fetchall()]


async def topic_counts(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Entries of the scope by topic, the topic with most in the last days first: `month` in the last 30 days,
    `before` in the 30 days before those, `total`, `waiting` for an answer, `published`."""
    return await (
        await conn.execute(_SQL["counts"], {"path": actor.org_path, "topics": list(TOPICS)})
    ).fetchall()


async def to_review(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Answered entries of the scope that she agreed to publish and nobody has judged, oldest first."""
    return await (await conn.execute(_SQL["to_review"], {"path": actor.org_path})).fetchall()


async def _entry(conn: Connection, ticket_id: int) -> dict[str, Any]:
    row = await entry_of(conn, ticket_id)
    if row is None:
        raise NotFound("这个工单不是吐槽台的留言。")
    return row


async def _decide(
    conn: Connection, actor: Actor, ticket_id: int, state: str, text: str | None, answer: str | None
) -> None:
    params = {"id": ticket_id, "state": state, "text": text, "answer": answer, "by": actor.name}
    await conn.execute(_SQL["decide"], params)


def _names(vault: Vault, row: dict[str, Any]) -> list[str]:
    """What must not be read of whoever wrote it: her name, her household's, the contact that she left."""
    person = row["person_id"]
    found = [
        row["taxpayer_name"] or "",
        vault.decrypt("person", "name_enc", person, bytes(row["name_enc"])) if row["name_enc"] else "",
        vault.decrypt("ticket", "contact_enc", row["ticket_id"], bytes(row["contact_enc"]))
        if row["contact_enc"]
        else "",
    ]
    return [name for name in found if len(name) >= _SHORTEST_NAME]


def _check(text: str, part: str, unfit: dict[str, str], names: list[str], field: str) -> None:
    found = {unfit[one.rule]: None for one in find_forbidden(text) if one.rule in unfit}
    if any(name in text for name in names):
        found["本人或本户的名称、联系方式"] = None
    if found:
        raise InvalidInput(
            f"{part}里有{'、'.join(found)}，公开后可能认出个人或泄露涉税信息。请删去或改写后再公开。",
            field=field,
        )
