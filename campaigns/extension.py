"""The one change of a campaign that has begun: a round's window ends later (requirement 001-09).

Asked for by one, signed by another. Whoever has her message gets no second one: the round goes on where it
stands.
"""

from datetime import datetime

from psycopg.types.json import Jsonb

from campaigns.approval import ask_signature, decide, lock_campaign, open_review, refuse_maker
from campaigns.approval_text import Covered, cover
from campaigns.postponing import postpone_missed
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_WHAT = "extension"


async def ask_extension(
    rt: Runtime, campaign_id: int, round_id: int, ends_at: datetime, by: str, *, note: str
) -> None:
    """Ask for a later end of a round. Raises InvalidInput, Conflict."""
    if not note.strip():
        raise InvalidInput("请写明延长的原因", field="note")
    async with rt.db.begin() as conn:
        covered = await _require_signed(conn, campaign_id)
        keys = {"campaign_id": campaign_id, "round_id": round_id}
        row = await (await conn.execute(SQL["extendable_round"], keys)).fetchone()
        if row is None:
            raise Conflict("这个轮次的窗口已经结束，不能延长；需要再提醒的，请新建活动")
        if ends_at <= row["ends_at"]:
            raise InvalidInput("新的结束时间必须晚于现在的结束时间", field="ends_at")
        await decide(conn, campaign_id, _WHAT, "withdrawn", by, "")
        extra = {"round_id": round_id, "ends_at": ends_at}
        await ask_signature(conn, campaign_id, _WHAT, by, note.strip(), covered, **extra)
        detail = {"round": round_id, "ends_at": ends_at.isoformat()}
        await append_audit(conn, by, "campaign.ask_extension", f"campaign:{campaign_id}", detail)


async def approve_extension(rt: Runtime, campaign_id: int, by: str) -> None:
    """Sign it: the window is longer from now on. Raises NotAllowed for a maker and for whoever asked."""
    async with rt.db.begin() as conn:
        await _require_signed(conn, campaign_id)
        review = await open_review(conn, campaign_id, _WHAT)
        refuse_maker({**await lock_campaign(conn, campaign_id), "created_by": review["asked_by"]}, by)
        keys = {"campaign_id": campaign_id, "round_id": review["round_id"]}
        if await (await conn.execute(SQL["extendable_round"], keys)).fetchone() is None:
            raise Conflict("这个轮次的窗口已经结束，不能再延长")
        await conn.execute(SQL["extend"], {"round_id": review["round_id"], "ends_at": review["ends_at"]})
        await postpone_missed(conn, review["round_id"])
        covered = await cover(conn, campaign_id)
        signed = {"hash": covered.digest, "covered": Jsonb(covered.parts), "by": by}
        await conn.execute(SQL["sign_again"], {"campaign_id": campaign_id, **signed})
        await decide(conn, campaign_id, _WHAT, "approved", by, "")
        detail = {"round": review["round_id"], "ends_at": review["ends_at"].isoformat()}
        await append_audit(conn, by, "campaign.extend", f"campaign:{campaign_id}", detail)


async def refuse_extension(rt: Runtime, campaign_id: int, by: str, reason: str) -> None:
    """Leave the window as it is, with a reason. Raises InvalidInput, Conflict."""
    if not reason.strip():
        raise InvalidInput("请写明不同意的原因", field="reason")
    async with rt.db.begin() as conn:
        await lock_campaign(conn, campaign_id)
        await open_review(conn, campaign_id, _WHAT)
        await decide(conn, campaign_id, _WHAT, "sent_back", by, reason.strip())
        await append_audit(conn, by, "campaign.refuse_extension", f"campaign:{campaign_id}")


async def _require_signed(conn: Connection, campaign_id: int) -> Covered:
    campaign = await lock_campaign(conn, campaign_id)
    if campaign["state"] not in ("approved", "running", "paused"):
        raise Conflict("只有审批过、还没有结束的活动可以延长轮次")
    covered = await cover(conn, campaign_id)
    if campaign["approved_hash"] is None or covered.digest != bytes(campaign["approved_hash"]):
        raise Conflict("活动的内容与审批时不同，请先重新审批")
    return covered
