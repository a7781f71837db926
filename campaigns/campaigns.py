"""Campaigns: a purpose with a legal basis, rounds, ladders; drafted by one, approved by another."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from psycopg.errors import CheckViolation
from psycopg.types.json import Jsonb

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.labels.evaluate import check_text
from outreach.ledger.kinds import KINDS
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_LONGEST_LADDER = 6


@dataclass(frozen=True, slots=True)
class StepDraft:
    """A rung: a channel, the code of a template, and how long to wait for a delivery before the next."""

    channel: str
    template: str
    wait: timedelta = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class RoundDraft:
    """A wave. `segment` narrows the campaign's segment and is evaluated when the round starts."""

    name: str
    starts_at: datetime
    ends_at: datetime
    steps: tuple[StepDraft, ...]
    segment: str = "everyone"


@dataclass(frozen=True, slots=True)
class CampaignDraft:
    """What staff enter. `done_segment`: who needs nothing more; `exempt_segment`: whom the rules spare;
    `dispute_segment`: where everything stops. `variables` are values that its templates may use."""

    code: str
    name: str
    purpose: str
    kind: str
    legal_basis: str
    org_id: int
    segment: str
    rounds: tuple[RoundDraft, ...]
    done_segment: str = "nobody"
    exempt_segment: str = "nobody"
    dispute_segment: str = "nobody"
    holdout_permille: int = 0
    holdout_seed: int = 0
    quota_messages: int | None = None
    quota_days: int | None = None
    variables: dict[str, Any] = field(default_factory=dict)


async def create_campaign(rt: Runtime, by: str, draft: CampaignDraft) -> int:
    """Store a draft and return its id. Raises InvalidInput with the field that is wrong."""
    await _check(rt, draft)
    async with rt.db.begin() as conn:
        cursor = await conn.execute(SQL["add_campaign"], _columns(draft, by))
        row = await cursor.fetchone()
        if row is None:
            raise InvalidInput(f"活动编码 {draft.code} 已被使用，请换一个", field="code")
        for ordinal, part in enumerate(draft.rounds, start=1):
            await _add_round(conn, row["id"], ordinal, part, draft.org_id)
        campaign_id: int = row["id"]
        return campaign_id


def _columns(draft: CampaignDraft, by: str) -> dict[str, Any]:
    quiet = KINDS[draft.kind].quiet or (None, None)
    return {
        "code": draft.code,
        "name": draft.name,
        "purpose": draft.purpose,
        "kind": draft.kind,
        "legal_basis": draft.legal_basis,
        "org_id": draft.org_id,
        "segment": draft.segment,
        "done_segment": draft.done_segment,
        "exempt_segment": draft.exempt_segment,
        "dispute_segment": draft.dispute_segment,
        "holdout_permille": draft.holdout_permille,
        "holdout_seed": draft.holdout_seed,
        "quota_messages": draft.quota_messages,
        "quota_days": draft.quota_days,
        "variables": Jsonb(draft.variables),
        "quiet_from": quiet[0],
        "quiet_to": quiet[1],
        "created_by": by,
    }


async def _check(rt: Runtime, draft: CampaignDraft) -> None:
    if draft.kind not in KINDS:
        raise InvalidInput(f"没有消息种类 {draft.kind}，可用：{'、'.join(KINDS)}", field="kind")
    for name, text in (("name", draft.name), ("purpose", draft.purpose), ("legal_basis", draft.legal_basis)):
        if not text.strip():
            raise InvalidInput("活动名称、目的和法律依据都必须填写", field=name)
    if draft.holdout_permille and not KINDS[draft.kind].may_hold_out:
        raise InvalidInput("法定提醒不能设置对照组：每一户都必须收到", field="holdout_permille")
    if not draft.rounds:
        raise InvalidInput("活动至少要有一个轮次", field="rounds")
    for number, part in enumerate(draft.rounds, start=1):
        if not 1 <= len(part.steps) <= _LONGEST_LADDER:
            raise InvalidInput(
                f"第 {number} 轮的渠道阶梯应有 1 至 {_LONGEST_LADDER} 级", field=f"rounds.{number}.steps"
            )
        if part.ends_at <= part.starts_at:
            raise InvalidInput(f"第 {number} 轮的结束时间必须晚于开始时间", field=f"rounds.{number}.ends_at")
        await check_text(rt, part.segment)
    for text in (draft.segment, draft.done_segment, draft.exempt_segment, draft.dispute_segment):
        await check_text(rt, text)


async def _add_round(conn: Connection, campaign_id: int, ordinal: int, part: RoundDraft, org_id: int) -> None:
    row = await (
        await conn.execute(
            SQL["add_round"],
            {
                "campaign_id": campaign_id,
                "ordinal": ordinal,
                "name": part.name,
                "starts_at": part.starts_at,
                "ends_at": part.ends_at,
                "segment": part.segment,
            },
        )
    ).fetchone()
    assert row is not None
    line = await (await conn.execute(SQL["org_line"], {"org_id": org_id})).fetchall()
    orgs = [unit["id"] for unit in line]
    for step, rung in enumerate(part.steps):
        keys = {
            "round_id": row["id"],
            "step": step,
            "wait": rung.wait,
            "template": rung.template,
            "channel": rung.channel,
            "orgs": orgs,
        }
        if await (await conn.execute(SQL["add_step"], keys)).fetchone() is None:
            raise InvalidInput(
                f"第 {ordinal} 轮第 {step + 1} 级：没有编码为 {rung.template} 的 {rung.channel} 模板",
                field=f"rounds.{ordinal}.steps.{step + 1}.template",
            )


async def approve_campaign(rt: Runtime, campaign_id: int, by: str) -> None:
    """Bind the template versions, hash what was read and set it running. Raises NotAllowed for the maker."""
    async with rt.db.begin() as conn:
        await conn.execute(SQL["bind_versions"], {"campaign_id": campaign_id})
        text = await (await conn.execute(SQL["approval_text"], {"campaign_id": campaign_id})).fetchone()
        if text is None:
            raise NotFound("没有这个活动")
        if text["state"] != "draft":
            raise Conflict("活动不在草稿状态，不能审批")
        if text["created_by"] == by:
            raise NotAllowed("不能审批自己创建的活动，请由另一位审批人处理")
        missing = await (await conn.execute(SQL["unbound_steps"], {"campaign_id": campaign_id})).fetchone()
        if missing is not None:
            raise Conflict(f"轮次「{missing['name']}」第 {missing['step'] + 1} 级的模板还没有内容")
        digest = sha256(text["text"].encode()).digest()
        try:
            await conn.execute(SQL["approve"], {"campaign_id": campaign_id, "by": by, "hash": digest})
        except CheckViolation as error:
            raise NotAllowed("不能审批自己创建的活动，请由另一位审批人处理") from error
