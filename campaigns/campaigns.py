"""Campaigns: a purpose with a legal basis, rounds, ladders; drafted here, signed in `campaigns.approval`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from campaigns.approval import lock_campaign, reopen_draft
from campaigns.roles import check_roles
from campaigns.staggering import Stagger, check_stagger, write_stagger
from campaigns.templates import SPOKEN
from campaigns.trigger_rules import Trigger, check_trigger, write_trigger
from campaigns.triggers import note_again, waiting_events
from campaigns.wording_guard import ALLOWABLE
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.governance.audit import append_audit
from outreach.labels.evaluate import check_text
from outreach.ledger.kinds import KINDS
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_LONGEST_LADDER = 6
_LARGEST_CANARY = 500
_FARTHEST = 366
CARE_PATHS = {"call_first": "直接打电话，再上门", "as_others": "与其他人相同"}
"""What a ladder with a call or a visit does about whoever needs special care."""


@dataclass(frozen=True, slots=True)
class StepDraft:
    """A rung: a channel, the code of a template, and how long to wait for a delivery before the next."""

    channel: str
    template: str
    wait: timedelta = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Canary:
    """A small part that goes first: so many of 1,000, then a hold; beyond a limit (of 1,000 messages) of
    failures, complaints or refusals the round stops there."""

    permille: int
    hold: timedelta = timedelta(minutes=30)
    failed_permille: int = 100
    complaint_permille: int = 1
    opt_out_permille: int = 20


@dataclass(frozen=True, slots=True)
class Anchor:
    """A date of the taxpayer, and the days from it to the message (negative: before)."""

    attribute: str
    days: int


@dataclass(frozen=True, slots=True)
class RoundDraft:
    """A wave. `segment` narrows the campaign's segment and is evaluated when the round starts. `stagger`: who
    is told on which day; `anchor`: the round is a rule for every day of its window, and tells those whom the
    day concerns; `trigger`: it waits for events in its window, and each becomes one message."""

    name: str
    starts_at: datetime
    ends_at: datetime
    steps: tuple[StepDraft, ...]
    segment: str = "everyone"
    stagger: Stagger | None = None
    canary: Canary | None = None
    anchor: Anchor | None = None
    trigger: Trigger | None = None


@dataclass(frozen=True, slots=True)
class CampaignDraft:
    """What staff enter. `done_segment`: who needs nothing more; `exempt_segment`: whom the rules spare;
    `dispute_segment`: where everything stops. `variables` are values that its templates may use; `allowances`
    the rules of the wording guard that it may break; `care_path` what special care means (`CARE_PATHS`).
    `contact_roles`: which of a household's people are told, each where those before her cannot be reached;
    none: the contact of the register."""

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
    allowances: tuple[str, ...] = ()
    care_path: str = "call_first"
    contact_roles: tuple[str, ...] = ()


_DRAFT = TypeAdapter(CampaignDraft)


async def create_campaign(rt: Runtime, by: str, draft: CampaignDraft) -> int:
    """Store a draft and return its id. Raises InvalidInput with the field that is wrong."""
    await _check(rt, draft)
    async with rt.db.begin() as conn:
        cursor = await conn.execute(SQL["add_campaign"], _columns(draft, by))
        row = await cursor.fetchone()
        if row is None:
            raise InvalidInput(f"活动编码 {draft.code} 已被使用，请换一个", field="code")
        campaign_id: int = row["id"]
        await _add_rounds(conn, campaign_id, draft)
        return campaign_id


async def edit_campaign(rt: Runtime, campaign_id: int, by: str, draft: CampaignDraft) -> None:
    """Replace all parts of a campaign that has not begun; a signature over it is void. Its code stays, and
    events that waited for its triggers wait for the new ones if they meet their condition.

    Raises Conflict once it runs, InvalidInput with the field that is wrong.
    """
    await _check(rt, draft)
    async with rt.db.begin() as conn:
        campaign = await lock_campaign(conn, campaign_id)
        await reopen_draft(conn, campaign, by)
        await conn.execute(SQL["change_campaign"], {**_columns(draft, by), "campaign_id": campaign_id})
        waiting = await waiting_events(conn, campaign_id)
        await conn.execute(SQL["drop_rounds"], {"campaign_id": campaign_id})
        await _add_rounds(conn, campaign_id, draft)
        detail: dict[str, Any] = {"was": campaign["state"]}
        if waiting:
            detail["events_given_up"] = await note_again(conn, campaign_id, waiting)
        await append_audit(conn, by, "campaign.edit", f"campaign:{campaign_id}", detail)


async def _add_rounds(conn: Connection, campaign_id: int, draft: CampaignDraft) -> None:
    for ordinal, part in enumerate(draft.rounds, start=1):
        await _add_round(conn, campaign_id, ordinal, part, draft.org_id)


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
        "allowances": sorted(set(draft.allowances)),
        "care_path": draft.care_path,
        "contact_roles": list(draft.contact_roles),
        "quiet_from": quiet[0],
        "quiet_to": quiet[1],
        "created_by": by,
        "drafted": Jsonb(_DRAFT.dump_python(draft, mode="json")),
    }


async def _check(rt: Runtime, draft: CampaignDraft) -> None:
    if draft.kind not in KINDS:
        raise InvalidInput(f"没有消息种类 {draft.kind}，可用：{'、'.join(KINDS)}", field="kind")
    for name, text in (("name", draft.name), ("purpose", draft.purpose), ("legal_basis", draft.legal_basis)):
        if not text.strip():
            raise InvalidInput("活动名称、目的和法律依据都必须填写", field=name)
    if draft.holdout_permille and not KINDS[draft.kind].may_hold_out:
        raise InvalidInput("法定提醒不能设置对照组：每一户都必须收到", field="holdout_permille")
    for rule in draft.allowances:
        if rule not in ALLOWABLE:
            known = "、".join(ALLOWABLE)
            raise InvalidInput(f"用语规则 {rule} 不能放行，可以放行的：{known}", field="allowances")
    if draft.care_path not in CARE_PATHS:
        raise InvalidInput(f"特殊关怀人员的方式只能是：{'、'.join(CARE_PATHS)}", field="care_path")
    check_roles(draft.contact_roles)
    if not draft.rounds:
        raise InvalidInput("活动至少要有一个轮次", field="rounds")
    for number, part in enumerate(draft.rounds, start=1):
        if not 1 <= len(part.steps) <= _LONGEST_LADDER:
            raise InvalidInput(
                f"第 {number} 轮的渠道阶梯应有 1 至 {_LONGEST_LADDER} 级", field=f"rounds.{number}.steps"
            )
        if part.ends_at <= part.starts_at:
            raise InvalidInput(f"第 {number} 轮的结束时间必须晚于开始时间", field=f"rounds.{number}.ends_at")
        check_ladder([step.channel for step in part.steps], number)
        await check_text(rt, part.segment)
        await _check_plan(rt, part, f"rounds.{number}")
    for text in (draft.segment, draft.done_segment, draft.exempt_segment, draft.dispute_segment):
        await check_text(rt, text)


def check_ladder(channels: Sequence[str], number: int) -> None:
    """A ladder ends with a call, a visit, or both in this order. Raises InvalidInput."""
    spoken = [channel for channel in channels if channel in SPOKEN]
    if spoken and (spoken != sorted(set(spoken)) or list(channels[-len(spoken) :]) != spoken):
        raise InvalidInput(
            f"第 {number} 轮：电话和上门只能放在阶梯的最后，先电话后上门，各一级",
            field=f"rounds.{number}.steps",
        )


async def _check_plan(rt: Runtime, part: RoundDraft, place: str) -> None:
    if part.stagger is not None:
        check_stagger(part.stagger, place)
        for axis in part.stagger.parts.values():
            for stretch in axis:
                await check_text(rt, stretch.segment)
    if part.canary is not None and not 1 <= part.canary.permille <= _LARGEST_CANARY:
        raise InvalidInput(f"灰度比例应在 1‰ 至 {_LARGEST_CANARY}‰ 之间", field=f"{place}.canary")
    if part.canary is not None and part.canary.hold <= timedelta():
        raise InvalidInput("灰度观察时间应在 1 分钟以上", field=f"{place}.canary")
    if part.trigger is not None:
        check_trigger(part.trigger, f"{place}.trigger")
        if part.stagger is not None or part.canary is not None or part.anchor is not None:
            raise InvalidInput("触发轮不能同时错峰、灰度或按日期：事件来了就发", field=f"{place}.trigger")
    if part.anchor is not None:
        if not -_FARTHEST <= part.anchor.days <= _FARTHEST:
            raise InvalidInput(f"距离日期最多 {_FARTHEST} 天", field=f"{place}.anchor")
        keys = {"code": part.anchor.attribute}
        if await rt.db.fetch_one(SQL["date_attribute"], keys) is None:
            raise InvalidInput(f"没有日期属性 {part.anchor.attribute}", field=f"{place}.anchor")


def _plan_columns(part: RoundDraft) -> dict[str, Any]:
    canary = part.canary or Canary(0)
    return {
        "stagger": Jsonb(write_stagger(part.stagger)),
        "canary_permille": canary.permille,
        "canary_hold": canary.hold,
        "canary_failed_permille": canary.failed_permille,
        "canary_complaint_permille": canary.complaint_permille,
        "canary_opt_out_permille": canary.opt_out_permille,
        "anchor_attribute": part.anchor.attribute if part.anchor else None,
        "anchor_days": part.anchor.days if part.anchor else None,
        "trigger": Jsonb(write_trigger(part.trigger)) if part.trigger else None,
    }


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
                **_plan_columns(part),
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
