"""Templates and their versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.ledger.content import file_card, file_text
from outreach.ledger.gateways import FILED_ONLY
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Filing:
    """An account that sends only what its provider has filed. `text`: what is to be handed in there, for
    a card that cannot be filed the reason, empty where fields are filled in; `code`: what the provider gave
    for it, empty until it has."""

    gateway_id: int
    gateway: str
    adapter: str
    text: str
    code: str


async def list_templates(
    conn: Connection,
    actor: Actor,
    *,
    search: str = "",
    channel: str = "",
    cursor: str = "",
    limit: int = PAGE,
) -> Page:
    """Templates of the subtree and of the units above, with their newest version."""
    after = decode_numbers(cursor, 1)[0] if cursor else 0
    params = {
        "path": actor.org_path,
        "search": f"%{search}%",
        "channel": channel,
        "after": after,
        "limit": limit + 1,
    }
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of(rows, limit, "id")


async def count_channels(conn: Connection, actor: Actor) -> dict[str, int]:
    """How many visible templates each channel has."""
    rows = await (await conn.execute(_SQL["count_channels"], {"path": actor.org_path})).fetchall()
    return {row["channel"]: row["n"] for row in rows}


async def find_template(
    conn: Connection, actor: Actor, template_id: int, *, version: int | None = None
) -> dict[str, Any]:
    """One template with a version's content (the newest unless told). Raises NotFound."""
    params = {"path": actor.org_path, "id": template_id, "version": version}
    row = await (await conn.execute(_SQL["one"], params)).fetchone()
    if row is None:
        raise NotFound("没有这个模板，或者它不在您的数据范围内。")
    return row


async def versions_of(conn: Connection, template_id: int) -> list[dict[str, Any]]:
    """All versions, newest first, with how many steps use each."""
    return await (await conn.execute(_SQL["versions"], {"id": template_id})).fetchall()


async def filings_of(conn: Connection, template: Mapping[str, Any]) -> list[Filing]:
    """The accounts at which a version (as `find_template` returns it) must be filed before it can be sent."""
    if template["version_id"] is None:
        return []
    keys = {"version_id": template["version_id"], "channel": template["channel"]}
    rows = await (await conn.execute(_SQL["filings"], keys)).fetchall()
    return [
        Filing(row["id"], row["name"], row["adapter"], _text_to_file(row["adapter"], template), row["code"])
        for row in rows
        if row["adapter"] in FILED_ONLY
    ]


def _text_to_file(adapter: str, template: Mapping[str, Any]) -> str:
    if template["channel"] == "rcs":
        return _card_to_file(template["content"])
    text = template["content"].get("text", "")
    if template["channel"] != "sms" or "{%" in text:
        return ""
    filed = file_text(text)
    if adapter != "tencent_sms":
        return filed.body
    # Tencent numbers the values in the order in which they stand.
    numbered = filed.body
    for number, (name, _) in enumerate(filed.slots, start=1):
        numbered = numbered.replace(f"${{{name}}}", f"{{{number}}}", 1)
    return numbered


def _card_to_file(content: Mapping[str, Any]) -> str:
    try:
        return file_card(content).body
    except InvalidInput as error:
        return f"不能报备：{error.message}"
