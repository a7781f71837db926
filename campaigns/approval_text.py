"""What an approval covers, as one canonical text with its SHA-256, and in what two such texts differ.

Saved segments and names of units are written out, so a segment that is changed under its name changes the
text too. Moments stand in UTC and spans in seconds: the text does not depend on the session that reads it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from typing import Any

from campaigns.roles import role_words
from campaigns.trigger_rules import Trigger, trigger_words
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.labels.evaluate import check_text

SQL = load_queries(__file__)

_SEGMENTS = ("segment", "done_segment", "exempt_segment", "dispute_segment")
NAMES = {
    "code": "活动编码",
    "name": "活动名称",
    "purpose": "目的",
    "kind": "消息种类",
    "legal_basis": "法律依据",
    "org_id": "主办机构",
    "segment": "人群条件",
    "done_segment": "已办结条件",
    "exempt_segment": "免办条件",
    "dispute_segment": "异议条件",
    "holdout_permille": "对照组比例",
    "holdout_seed": "对照组种子",
    "quota_messages": "频次上限（次）",
    "quota_days": "频次上限（天）",
    "variables": "模板变量",
    "quiet_from": "静默开始",
    "quiet_to": "静默结束",
    "allowances": "放行的用语规则",
    "care_path": "特殊关怀人员的方式",
    "contact_roles": "发给谁",
    "starts_at": "开始时间",
    "ends_at": "结束时间",
    "steps": "渠道阶梯",
    "stagger": "错峰",
    "canary": "灰度",
    "anchor": "起算日期",
    "trigger": "触发条件",
}
"""What a person reads instead of the name of a covered field."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What is to be signed. `parts` maps a place such as `segment` or `rounds.1.ends_at` to its value."""

    text: str
    parts: dict[str, Any]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical text."""
        return sha256(self.text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Difference:
    """A covered part that has changed: its Chinese name, what was signed and what stands now; empty where
    there was or is nothing."""

    place: str
    name: str
    before: str
    after: str


async def cover(conn: Connection, campaign_id: int) -> Covered:
    """The covered text of a campaign as it stands. Raises NotFound, and ExpressionInvalid where an expression
    can no longer be read."""
    keys = {"campaign_id": campaign_id}
    campaign = await (await conn.execute(SQL["covered_campaign"], keys)).fetchone()
    if campaign is None:
        raise NotFound("没有这个活动")
    rounds = await (await conn.execute(SQL["covered_rounds"], keys)).fetchall()
    steps = await (await conn.execute(SQL["covered_steps"], keys)).fetchall()
    parts = {name: _plain(value) for name, value in campaign.items() if name not in ("id", "contact_roles")}
    if campaign["contact_roles"]:
        # What is not chosen is not covered, so that a signature from before there was a choice still fits.
        parts["contact_roles"] = campaign["contact_roles"]
    for name in _SEGMENTS:
        parts[name] = await check_text(conn, campaign[name], campaign["org_id"])
    for row in rounds:
        place = f"rounds.{row['ordinal']}"
        segment = await check_text(conn, row["segment"], campaign["org_id"])
        parts[f"{place}.name"], parts[f"{place}.segment"] = row["name"], segment
        parts[f"{place}.starts_at"], parts[f"{place}.ends_at"] = (
            _plain(row["starts_at"]),
            _plain(row["ends_at"]),
        )
        parts |= {f"{place}.{name}": value for name, value in _plan_of(row).items()}
        for axis in ("category", "tier", "wave"):
            for number, stretch in enumerate(row["stagger"].get(axis, ())):
                text = await check_text(conn, stretch["segment"], campaign["org_id"])
                parts[f"{place}.stagger"][axis][number] = {**stretch, "segment": text}
        own = [step for step in steps if step["round_id"] == row["id"]]
        parts[f"{place}.steps"] = [
            {name: _plain(value) for name, value in step.items() if name != "round_id"} for step in own
        ]
    return Covered(_canonical(parts), parts)


def _plan_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a round has laid down beyond its window; nothing of what it does not use, so that a signature from
    before these could be laid down still fits."""
    found: dict[str, Any] = {}
    if row["stagger"]:
        found["stagger"] = {
            name: list(value) if isinstance(value, list) else value for name, value in row["stagger"].items()
        }
    if row["canary_permille"]:
        found["canary"] = {
            "permille": row["canary_permille"],
            "hold": _plain(row["canary_hold"]),
            "failed_permille": row["canary_failed_permille"],
            "complaint_permille": row["canary_complaint_permille"],
            "opt_out_permille": row["canary_opt_out_permille"],
        }
    if row["anchor_attribute"] is not None:
        found["anchor"] = {"attribute": row["anchor_attribute"], "days": row["anchor_days"]}
    if row["trigger"] is not None:
        found["trigger"] = dict(row["trigger"])
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The parts in which two covered texts differ, in their order."""
    places = [*after, *(place for place in before if place not in after)]
    return [
        Difference(place, name_of(place), _said(place, before.get(place)), _said(place, after.get(place)))
        for place in places
        if before.get(place) != after.get(place)
    ]


def name_of(place: str) -> str:
    """The Chinese name of a covered place."""
    head, *rest = place.split(".")
    if head != "rounds":
        return NAMES.get(head, head)
    field = "名称" if rest[1] == "name" else NAMES[rest[1]]
    return f"第 {rest[0]} 轮{field}"


def _canonical(parts: Mapping[str, Any]) -> str:
    return json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    return value.isoformat() if isinstance(value, time) else value


def _said(place: str, value: Any) -> str:
    if place == "contact_roles":
        return role_words(value or ())
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "；".join(
            f"第 {step['step'] + 1} 级 {step['template_name']} 第 {step['version']} 版，"
            f"等 {step['wait'] // 3600} 小时"
            for step in value
        )
    if isinstance(value, dict) and "once" in value:
        return trigger_words(Trigger(**value))
    if isinstance(value, dict):
        return "；".join(f"{key}={item}" for key, item in sorted(value.items()))
    if isinstance(value, list):
        return "、".join(str(item) for item in value)
    return "" if value is None else str(value)
