"""An emergency notice leaves on one signature, and another person reviews it afterwards (requirement 004-82).

Only kinds of `ALLOWED` may go this way; every round sends a canary first and ends within `LONGEST`, and no
rule of the wording guard may be broken. The signature is over the same hash as an approval: what has changed
does not start. Such notices have no quiet hours (requirements, section 5: exempt with approval), which is why
the review is owed: whoever lets one run out cannot start another.
"""

from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from campaigns.approval import bind_content, decide, lock_campaign, refuse_maker
from campaigns.approval_text import cover
from campaigns.control import give_up
from campaigns.fitting import check_windows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotAllowed
from outreach.governance.audit import append_audit
from outreach.labels.cache import SetCache
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

ALLOWED = frozenset({"emergency"})
"""Kinds of message that one person may start."""
LONGEST = timedelta(hours=72)
"""From the start to the end of the last round: what goes on for longer has time for two signatures."""
_WATCHER = "system:scheduler"


async def start_emergency(rt: Runtime, campaign_id: int, by: str, *, reason: str, seen: str = "") -> None:
    """Let a draft, or what waits for approval, run on the signature of one person.

    `seen`: the hash that her page showed, in hex, where it was bound already. Raises InvalidInput at `reason`
    or with the faults of the wording, NotAllowed while a review of hers is overdue, Conflict.
    """
    if not reason.strip():
        raise InvalidInput("请写明为什么等不到审批，复核人会看到", field="reason")
    async with rt.db.begin() as conn:
        campaign = await lock_campaign(conn, campaign_id)
        await _require_startable(conn, campaign, by)
        await bind_content(conn, campaign_id)
        await check_windows(conn, SetCache(), campaign_id)
        covered = await cover(conn, campaign_id)
        if seen and seen != covered.digest.hex():
            raise Conflict("您看到的已不是现在的内容，请刷新页面重新核对")
        await decide(conn, campaign_id, "campaign", "withdrawn", by, "")
        keys = {"campaign_id": campaign_id, "by": by, "hash": covered.digest}
        await conn.execute(SQL["start"], {**keys, "has_started": campaign["has_started"]})
        within = timedelta(hours=rt.settings.emergency_review_hours)
        more = {"reason": reason.strip(), "covered": Jsonb(covered.parts), "within": within}
        row = await (await conn.execute(SQL["note_start"], {**keys, **more})).fetchone()
        assert row is not None
        detail = {"hash": covered.digest.hex(), "reason": reason.strip(), "due_at": row["due_at"].isoformat()}
        await append_audit(conn, by, "campaign.emergency_start", f"campaign:{campaign_id}", detail)
    get_log().warning("emergency.started", campaign=campaign_id)


async def review_emergency(rt: Runtime, campaign_id: int, by: str, *, agrees: bool, note: str = "") -> None:
    """Say afterwards whether it was right; an objection gives up what has not left yet.

    Raises NotAllowed for whoever started or made it, InvalidInput at `note` for an objection without a
    reason, Conflict if nothing waits.
    """
    if not agrees and not note.strip():
        raise InvalidInput("请写明异议的原因，会留档备查", field="note")
    async with rt.db.begin() as conn:
        campaign = await lock_campaign(conn, campaign_id)
        row = await (await conn.execute(SQL["open_start"], {"campaign_id": campaign_id})).fetchone()
        if row is None:
            raise Conflict("没有等待复核的应急发出，请刷新页面")
        refuse_maker({**campaign, "created_by": row["started_by"]}, by)
        decision = "confirmed" if agrees else "objected"
        keys = {"id": row["id"], "decision": decision, "by": by, "note": note.strip()}
        await conn.execute(SQL["review"], keys)
        if not agrees:
            await give_up(conn, campaign_id)
        detail = {"decision": decision, "note": note.strip(), "hash": bytes(row["hash"]).hex()}
        await append_audit(conn, by, "campaign.emergency_review", f"campaign:{campaign_id}", detail)


async def latest_emergency(conn: Connection, campaign_id: int) -> dict[str, Any] | None:
    """The last start of a campaign without a second signature, with its review; None if there was none."""
    return await (await conn.execute(SQL["latest"], {"campaign_id": campaign_id})).fetchone()


async def waiting_reviews(conn: Connection, org_path: str) -> list[dict[str, Any]]:
    """Reviews that are owed within a unit's subtree, the most urgent first."""
    return await (await conn.execute(SQL["waiting"], {"path": org_path})).fetchall()


async def note_overdue_reviews(rt: Runtime) -> int:
    """Write into the audit chain which reviews have not come in time, each once; how many. Idempotent."""
    async with rt.db.begin() as conn:
        rows = await (await conn.execute(SQL["note_overdue"])).fetchall()
        for row in rows:
            what, detail = f"campaign:{row['campaign_id']}", {"started_by": row["started_by"]}
            await append_audit(conn, _WATCHER, "campaign.emergency_overdue", what, detail)
    return len(rows)


async def _require_startable(conn: Connection, campaign: dict[str, Any], by: str) -> None:
    if campaign["state"] not in ("draft", "in_review"):
        raise Conflict("只有草稿和待审批的活动可以应急发出，请刷新页面看它现在的状态")
    if campaign["kind"] not in ALLOWED:
        raise Conflict("只有应急通知可以先发后审，其他种类请提交审批")
    if campaign["allowances"]:
        raise Conflict("应急发出不能放行用语规则，请去掉后再发，或者提交审批")
    owed = await (await conn.execute(SQL["owed"], {"by": by})).fetchone()
    if owed is not None:
        raise NotAllowed(f"您应急发出的「{owed['name']}」逾期未经复核，复核以前不能再应急发出，请先请人复核")
    keys = {"campaign_id": campaign["id"], "longest": LONGEST}
    for row in await (await conn.execute(SQL["rounds_of"], keys)).fetchall():
        place = f"第 {row['ordinal']} 轮「{row['name']}」"
        if row["is_rule"]:
            raise Conflict(f"{place}是按日期或事件自动发送的规则，不能应急发出")
        if not row["canary_permille"]:
            raise Conflict(f"{place}没有灰度，应急发出必须先发一小部分，请在轮次里填写灰度比例")
        if row["is_long"]:
            hours = int(LONGEST.total_seconds() // 3600)
            raise Conflict(f"{place}的结束时间超过 {hours} 小时，应急发出只用于眼前的事，请提前结束时间")
