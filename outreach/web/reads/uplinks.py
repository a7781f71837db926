"""Replies of all channels in one stream: who sent them, what they say, what was done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor
from outreach.governance.vault import Vault
from outreach.ledger.gateways import ADDRESS_KINDS
from outreach.registry.search import mask_address
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)
_NEWEST = 2**63 - 1
TOPICS = {
    "question": "疑问",
    "opt_out": "退订",
    "confirm": "确认",
    "rating": "评价",
    "button": "按钮",
    "follow": "关注",
    "unfollow": "取消关注",
}
"""What a reply is about, by the action that it led to; what asked for none is a question, or a button."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which replies; empty and None: all. `known`: whether the sender is one of ours. Times are aware."""

    channel: str = ""
    topic: str = ""
    known: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_uplinks(
    conn: Connection, vault: Vault, actor: Actor, wanted: Wanted, *, cursor: str = "", limit: int = PAGE
) -> Page:
    """Replies of the scope, newest first; addresses are masked. `acted`: whether what it asks for was done,
    which needs a known sender."""
    params: dict[str, Any] = {
        "path": actor.org_path,
        "channel": wanted.channel,
        "topic": wanted.topic,
        "known": wanted.known,
        "since": wanted.since,
        "until": wanted.until,
        "before": decode_numbers(cursor, 1)[0] if cursor else _NEWEST,
        "limit": limit + 1,
    }
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of([_opened(vault, row) for row in rows], limit, "id")


def _opened(vault: Vault, row: dict[str, Any]) -> dict[str, Any]:
    address = _text(vault, row, "address_enc")
    topic = row["action"] or ("button" if row["kind"] == "suggestion" else "question")
    return {
        "id": row["id"],
        "at": row["at"],
        "channel": row["channel"],
        "gateway": row["gateway"],
        "kind": row["kind"],
        "topic": topic,
        "text": _text(vault, row, "text_enc"),
        "address": mask_address(ADDRESS_KINDS[row["channel"]], address) if address else "",
        "is_known": row["person_id"] is not None,
        "taxpayer_ids": row["taxpayer_ids"] or [],
        "acted": bool(row["action"]) and row["person_id"] is not None,
    }


def _text(vault: Vault, row: dict[str, Any], column: str) -> str:
    sealed = row[column]
    return vault.decrypt("inbound", column, row["gateway_id"], sealed) if sealed else ""
