"""A whole campaign stands, goes on or is given up; its rounds keep their places."""

from outreach.db.sql import load_queries
from outreach.errors import Conflict
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime

SQL = load_queries(__file__)


async def pause_campaign(rt: Runtime, campaign_id: int, by: str) -> None:
    """Nothing more of any of its rounds leaves within two seconds. Raises Conflict."""
    await _change(rt, campaign_id, "pause", "paused", ["running"], by, "只有进行中的活动可以暂停")


async def resume_campaign(rt: Runtime, campaign_id: int, by: str) -> None:
    """Go on where it stood. Raises Conflict."""
    await _change(rt, campaign_id, "resume", "running", ["paused"], by, "只有已暂停的活动可以继续")


async def cancel_campaign(rt: Runtime, campaign_id: int, by: str) -> None:
    """Give up every round that has not ended; it cannot be taken back. Raises Conflict."""
    allowed = ["draft", "in_review", "approved", "running", "paused"]
    await _change(rt, campaign_id, "cancel", "cancelled", allowed, by, "这个活动已经结束，不能取消")


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
