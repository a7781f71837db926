"""A whole campaign stands, goes on or is given up; its rounds keep their places."""

from collections.abc import Awaitable, Callable, Mapping

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_OPEN = ("draft", "in_review", "approved", "running", "paused")


async def pause_campaign(rt: Runtime, campaign_id: int, by: str) -> None:
    """Nothing more of any of its rounds leaves within two seconds. Raises Conflict."""
    await _change(rt, campaign_id, "pause", "paused", ["running"], by, "只有进行中的活动可以暂停")


async def resume_campaign(rt: Runtime, campaign_id: int, by: str) -> None:
    """Go on where it stood. Raises Conflict."""
    await _change(rt, campaign_id, "resume", "running", ["paused"], by, "只有已暂停的活动可以继续")


async def cancel_campaign(rt: Runtime, campaign_id: int, by: str) -> None:
    """Give up every round that has not ended; it cannot be taken back. Raises Conflict."""
    await _change(rt, campaign_id, "cancel", "cancelled", [*_OPEN], by, "这个活动已经结束，不能取消")


VERBS: Mapping[str, Callable[[Runtime, int, str], Awaitable[None]]] = {
    "pause": pause_campaign,
    "resume": resume_campaign,
    "cancel": cancel_campaign,
}
"""What may be done to a whole campaign, by its word."""


async def give_up(conn: Connection, campaign_id: int) -> None:
    """In the caller's transaction: a campaign that has not ended is cancelled with all its rounds."""
    keys = {"campaign_id": campaign_id, "state": "cancelled", "from": [*_OPEN]}
    await conn.execute(SQL["change_campaign_state"], keys)
    await conn.execute(SQL["cancel_rounds"], {"campaign_id": campaign_id})


async def _change(
    rt: Runtime, campaign_id: int, verb: str, state: str, allowed: list[str], by: str, refusal: str
) -> None:
    keys = {"campaign_id": campaign_id, "state": state, "from": allowed}
    async with rt.db.begin() as conn:
        if await (await conn.execute(SQL["change_campaign_state"], keys)).fetchone() is None:
            raise Conflict(refusal)
        if state == "cancelled":
            await conn.execute(SQL["cancel_rounds"], {"campaign_id": campaign_id})
        await append_audit(conn, by, f"campaign.{verb}", f"campaign:{campaign_id}")
