"""Taxpayers as lists; one household with its people is the registry's own read (outreach/registry/search.py).

Natural persons are masked: no list and no answer of the API shows a full name or number.
"""

from collections.abc import Sequence
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor
from outreach.governance.vault import Vault
from outreach.registry.search import mask_name
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


async def list_taxpayers(
    conn: Connection, vault: Vault, actor: Actor, *, cursor: str = "", limit: int = PAGE
) -> Page:
    """All households of the scope in the order of their ids."""
    after = decode_numbers(cursor, 1)[0] if cursor else 0
    params = {"path": actor.org_path, "after": after, "limit": limit + 1}
    rows = await (await conn.execute(_SQL["all"], params)).fetchall()
    return page_of(await _named(conn, vault, rows), limit, "id")


async def taxpayers_by_id(
    conn: Connection, vault: Vault, actor: Actor, ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Households of the scope among the ids, in the order of their ids."""
    params = {"path": actor.org_path, "ids": list(ids)}
    return await _named(conn, vault, await (await conn.execute(_SQL["by_ids"], params)).fetchall())


async def _named(conn: Connection, vault: Vault, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # A natural person's name stands with the person only.
    missing = [row["id"] for row in rows if row["name"] is None]
    if not missing:
        return rows
    found = await (await conn.execute(_SQL["own_names"], {"ids": missing})).fetchall()
    names = {
        row["taxpayer_id"]: mask_name(vault.decrypt("person", "name_enc", row["id"], bytes(row["name_enc"])))
        for row in found
    }
    return [{**row, "name": row["name"] or names.get(row["id"], "（没有姓名）")} for row in rows]
