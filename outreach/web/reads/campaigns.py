"""Campaigns, rounds and steps as lists."""

from collections.abc import Sequence
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


async def list_campaigns(
    conn: Connection, actor: Actor, *, search: str = "", state: str = "", cursor: str = "", limit: int = PAGE
) -> Page:
    """Campaigns that concern the scope, newest first. `is_own`: within scope, so it can be acted upon."""
    before = decode_numbers(cursor, 1)[0] if cursor else None
    params = {"path": actor.org_path, "search": f"%{search}%", "state": state, "before": before}
    rows = await (await conn.execute(_SQL["list"], {**params, "limit": limit + 1})).fetchall()
    return page_of(rows, limit, "id")


async def count_states(conn: Connection, actor: Actor) -> dict[str, int]:
    """How many visible campaigns are in each state."""
    rows = await (await conn.execute(_SQL["count_states"], {"path": actor.org_path})).fetchall()
    return {row["state"]: row["n"] for row in rows}


async def find_campaign(conn: Connection, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """One campaign. Raises NotFound where it does not concern the scope."""
    params = {"path": actor.org_path, "id": campaign_id}
    row = await (await conn.execute(_SQL["one"], params)).fetchone()
    if row is None:
        raise NotFound("没有这个活动，或者它不在您的数据范围内。")
    return row


async def rounds_of(conn: Connection, campaign_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Rounds of campaigns that the caller has found visible, in order."""
    return await (await conn.execute(_SQL["rounds"], {"ids": list(campaign_ids)})).fetchall()


async def find_round(conn: Connection, actor: Actor, round_id: int) -> dict[str, Any]:
    """One round with its campaign's name, kind and state. Raises NotFound outside the scope."""
    params = {"path": actor.org_path, "id": round_id}
    row = await (await conn.execute(_SQL["one_round"], params)).fetchone()
    if row is None:
        raise NotFound("没有这个轮次，或者它不在您的数据范围内。")
    return row


async def active_rounds(conn: Connection, actor: Actor, *, limit: int = 20) -> list[dict[str, Any]]:
    """Rounds under way, paused, or starting within seven days."""
    return await (await conn.execute(_SQL["active"], {"path": actor.org_path, "limit": limit})).fetchall()


async def steps_of(conn: Connection, round_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Ladders of rounds, from top to bottom."""
    return await (await conn.execute(_SQL["steps"], {"ids": list(round_ids)})).fetchall()


async def running_campaigns(conn: Connection, actor: Actor, *, limit: int = 8) -> list[dict[str, Any]]:
    """Campaigns under way that have a condition for being done, the one that ends first on top."""
    return await (await conn.execute(_SQL["running"], {"path": actor.org_path, "limit": limit})).fetchall()


async def reviews_of(conn: Connection, campaign_id: int) -> list[dict[str, Any]]:
    """Every request for a signature over a visible campaign, newest first, with what came of it."""
    return await (await conn.execute(_SQL["reviews"], {"id": campaign_id})).fetchall()
