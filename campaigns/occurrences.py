"""Rounds that follow from an approved one: a day of a rule, or whoever matches since a policy has changed.

A rule (a round with `anchor_attribute`) never sends itself: on every day of its window whoever has the date
that the day concerns gets a round of her own, once for each rule and day. What is signed is the rule, so the
approval covers every occurrence; the planning of an occurrence asks whether it still fits.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from campaigns.approval import ask_signature, decide, lock_campaign, open_review, refuse_maker
from campaigns.approval_text import cover
from outreach.clock import BEIJING, in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, OutreachError
from outreach.governance.audit import append_audit
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_text
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_WHAT = "re_evaluation"
_CATCH_UP = 6
"""Days that are looked at afterwards, where no scheduler worked on them."""


async def start_occurrences(rt: Runtime, cache: SetCache) -> int:
    """Look at every day that has come of every rule; how many rounds were drawn up. Idempotent."""
    made = 0
    for rule in await rt.db.fetch(SQL["rules_due"]):
        for day in _days_due(rule):
            try:
                made += await _draw_up_day(rt, cache, rule["id"], day)
            except OutreachError as error:
                reason = {"round_id": rule["id"], "reason": error.message}
                await rt.db.execute(SQL["rule_is_stuck"], reason)
                get_log().error("rule.stuck", round=rule["id"], error=type(error).__name__)
                break
    return made


def whole_season(row: Mapping[str, Any]) -> str:
    """The segment of a round: of a rule, everybody whom a day of its window will concern."""
    if row["anchor_attribute"] is None:
        return str(row["segment"])
    away = timedelta(days=row["anchor_days"])
    first, last = (in_beijing(row[name]).date() - away for name in ("starts_at", "ends_at"))
    return f"({row['segment']}) and {row['anchor_attribute']} between {first:%Y-%m-%d} and {last:%Y-%m-%d}"


def _days_due(rule: dict[str, Any]) -> Iterator[date]:
    """Days up to today on which the rule's hour has struck, without those that were looked at."""
    first, now = in_beijing(rule["starts_at"]), in_beijing(rule["now"])
    day = max(first.date(), now.date() - timedelta(days=_CATCH_UP))
    seen = set(rule["seen"])
    while datetime.combine(day, first.time(), BEIJING) <= now:
        if day not in seen:
            yield day
        day += timedelta(days=1)


async def _draw_up_day(rt: Runtime, cache: SetCache, rule_id: int, day: date) -> int:
    async with rt.db.begin() as conn:
        rule = await (await conn.execute(SQL["lock_rule"], {"round_id": rule_id, "day": day})).fetchone()
        if rule is None:
            return 0
        wanted = day - timedelta(days=rule["anchor_days"])
        segment = f"({rule['segment']}) and {rule['anchor_attribute']} = {wanted:%Y-%m-%d}"
        text = f"({rule['campaign_segment']}) and ({segment})"
        members = (await evaluate_text(conn, cache, text, rule["org_id"])).members
        occurrence = None
        if members:
            name = f"{rule['name']} {day:%m-%d}"
            occurrence = await _draw_up(conn, rule_id, name=name, segment=segment, day=day)
        keys = {"round_id": rule_id, "day": day, "members": len(members), "occurrence": occurrence}
        await conn.execute(SQL["note_day"], keys)
    return 0 if occurrence is None else 1


async def _draw_up(
    conn: Connection, parent_id: int, *, name: str, segment: str, day: date | None, leaves_out: bool = False
) -> int:
    keys = {"parent_id": parent_id, "name": name, "segment": segment, "day": day, "leaves_out": leaves_out}
    row = await (await conn.execute(SQL["add_occurrence"], keys)).fetchone()
    assert row is not None
    occurrence: int = row["id"]
    await conn.execute(SQL["copy_ladder"], {"parent_id": parent_id, "round_id": occurrence})
    return occurrence


async def ask_re_evaluation(rt: Runtime, campaign_id: int, round_id: int, by: str, *, note: str) -> None:
    """Ask to look again whom a running round concerns, because the rules have changed (001-11): whoever
    matches now and was never in its plan. Raises InvalidInput, Conflict."""
    if not note.strip():
        raise InvalidInput("请写明哪条政策有变化、从哪一天起", field="note")
    async with rt.db.begin() as conn:
        campaign = await lock_campaign(conn, campaign_id)
        row = await _evaluable(conn, campaign_id, round_id)
        if campaign["state"] not in ("running", "paused"):
            raise Conflict("只有进行中的活动可以重新评估")
        await decide(conn, campaign_id, _WHAT, "withdrawn", by, "")
        extra = {"round_id": round_id, "ends_at": row["ends_at"]}
        await ask_signature(
            conn, campaign_id, _WHAT, by, note.strip(), await cover(conn, campaign_id), **extra
        )
        detail = {"round": round_id}
        await append_audit(conn, by, "campaign.ask_re_evaluation", f"campaign:{campaign_id}", detail)


async def approve_re_evaluation(rt: Runtime, campaign_id: int, by: str) -> int:
    """Sign it: a round for whoever has come to match is drawn up and starts at the next tick; its id. Raises
    NotAllowed for a maker and for whoever asked, Conflict."""
    async with rt.db.begin() as conn:
        campaign = await lock_campaign(conn, campaign_id)
        review = await open_review(conn, campaign_id, _WHAT)
        refuse_maker({**campaign, "created_by": review["asked_by"]}, by)
        row = await _evaluable(conn, campaign_id, review["round_id"])
        if (await cover(conn, campaign_id)).digest != bytes(review["hash"]):
            raise Conflict("申请以后活动的内容有变化，请退回后重新申请")
        made = await _draw_up(
            conn, row["id"], name=f"{row['name']} 补充", segment=row["segment"], day=None, leaves_out=True
        )
        await decide(conn, campaign_id, _WHAT, "approved", by, "")
        detail = {"round": row["id"], "occurrence": made}
        await append_audit(conn, by, "campaign.re_evaluate", f"campaign:{campaign_id}", detail)
    return made


async def refuse_re_evaluation(rt: Runtime, campaign_id: int, by: str, reason: str) -> None:
    """Leave it, with a reason. Raises InvalidInput, Conflict."""
    if not reason.strip():
        raise InvalidInput("请写明不同意的原因", field="reason")
    async with rt.db.begin() as conn:
        await lock_campaign(conn, campaign_id)
        await open_review(conn, campaign_id, _WHAT)
        await decide(conn, campaign_id, _WHAT, "sent_back", by, reason.strip())
        await append_audit(conn, by, "campaign.refuse_re_evaluation", f"campaign:{campaign_id}")


async def _evaluable(conn: Connection, campaign_id: int, round_id: int) -> dict[str, Any]:
    keys = {"campaign_id": campaign_id, "round_id": round_id}
    row = await (await conn.execute(SQL["evaluable_round"], keys)).fetchone()
    if row is None:
        raise Conflict("只有已经开始、窗口还没有结束的轮次可以重新评估；窗口已结束的，请先申请延长")
    return row
