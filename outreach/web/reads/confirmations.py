"""Campaigns that ask to confirm, and how many households confirmed or declined: the last word of each."""

from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor

_SQL = load_queries(__file__)


async def asking_campaigns(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Campaigns of the kind 确认请求 of the units below and above the scope, with its own answers."""
    return await (await conn.execute(_SQL["campaigns"], {"path": actor.org_path})).fetchall()


async def verdict_counts(conn: Connection, actor: Actor, campaign_id: int) -> dict[str, int]:
    """Verdict to households of the scope; `records` counts all answers, also those that were changed."""
    params = {"path": actor.org_path, "campaign": campaign_id}
    row = await (await conn.execute(_SQL["counts"], params)).fetchone()
    assert row is not None
    return row
