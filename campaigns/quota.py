"""How often the campaigns of all bureaus together may tell a household (requirements, section 5).

A campaign may say so itself, and every unit for all campaigns in its subtree. Each of these is a ceiling of
its own: whoever stands at any of them is left out. What the law wants said keeps to none (`ledger/kinds.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import AbstractBitMap, BitMap

from outreach.clock import in_beijing
from outreach.db.arrays import fetch_arrays
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.labels.bitmaps import from_array, to_array, union
from outreach.runtime import Runtime

SQL = load_queries(__file__)

MOST_MESSAGES, MOST_DAYS = 100, 56
_MONTHS_BACK = 3
"""This month and the two before it, which the archive leaves alone: never fewer days than `MOST_DAYS`."""


@dataclass(frozen=True, slots=True)
class Quota:
    """So many messages in so many days."""

    messages: int
    days: int


@dataclass(frozen=True, slots=True)
class StandingQuota:
    """A unit's quota for all campaigns in its subtree, and who set it when."""

    unit: str
    is_own: bool
    quota: Quota
    set_by: str
    set_at: datetime


async def standing_quotas(conn: Connection, org_id: int) -> list[StandingQuota]:
    """The quotas of a unit and of those above it, the highest unit first."""
    rows = await (await conn.execute(SQL["quotas_over"], {"org_id": org_id})).fetchall()
    return [
        StandingQuota(
            row["unit"], row["is_own"], Quota(row["messages"], row["days"]), row["set_by"], row["set_at"]
        )
        for row in rows
    ]


async def set_quota(rt: Runtime, actor: Actor, quota: Quota) -> None:
    """Set the quota of the unit acted in. Raises InvalidInput at `messages` or `days`."""
    if not 1 <= quota.messages <= MOST_MESSAGES:
        raise InvalidInput(f"请填写 1 到 {MOST_MESSAGES} 的整数", field="messages")
    if not 1 <= quota.days <= MOST_DAYS:
        raise InvalidInput(f"请填写 1 到 {MOST_DAYS} 的整数", field="days")
    keys = {"org_id": actor.org_id, "messages": quota.messages, "days": quota.days}
    async with rt.db.begin() as conn:
        await conn.execute(SQL["set_quota"], {**keys, "by": actor.name})
        await append_audit(conn, actor, "quota.set", f"quota:{actor.org_id}", keys)


async def drop_quota(rt: Runtime, actor: Actor) -> None:
    """Let only the units above, and each campaign, say it. Raises NotFound."""
    async with rt.db.begin() as conn:
        if await (await conn.execute(SQL["drop_quota"], {"org_id": actor.org_id})).fetchone() is None:
            raise NotFound("本级没有设置统一的频次上限。")
        await append_audit(conn, actor, "quota.drop", f"quota:{actor.org_id}")


async def told_too_often(
    conn: Connection, row: Mapping[str, Any], moment: datetime, few: AbstractBitMap | None
) -> BitMap:
    """Who stands at the campaign's own quota or at one of its unit's and those above. `row` holds `org_id`,
    `quota_messages` and `quota_days`; `few`: only these households are asked about."""
    quotas = {one.quota for one in await standing_quotas(conn, row["org_id"])}
    if row["quota_messages"] and row["quota_days"]:
        quotas.add(Quota(row["quota_messages"], row["quota_days"]))
    return BitMap(union([await _at_ceiling(conn, quota, moment, few) for quota in quotas]))


async def _at_ceiling(
    conn: Connection, quota: Quota, moment: datetime, few: AbstractBitMap | None
) -> AbstractBitMap:
    """Whom the campaigns of all bureaus have told as often as the quota allows, or are about to: a message of
    a round under way counts before it has left, or bureaus that start together would not see each other."""
    local = in_beijing(moment)
    months = [local.year * 12 + local.month - 1 - back for back in range(_MONTHS_BACK)]
    keys = {"days": quota.days, "moment": moment}
    standing = await (await conn.execute(SQL["standing"], keys)).fetchall()
    keys |= {
        "periods": [month // 12 * 100 + month % 12 + 1 for month in months],
        "quota": quota.messages,
        "standing": [found["id"] for found in standing],
        "least": max(1, quota.messages - len(standing)),
    }
    query = SQL["contacted"] if few is None else SQL["few_contacted"]
    rows = await fetch_arrays(conn, query, {**keys, "few": to_array(few or BitMap())})
    often = [BitMap() for _ in range(quota.messages)]
    for found in rows:
        members = from_array(found["ids"])
        for times in range(found["times"]):
            often[times] |= members
    for found in standing:
        members = BitMap.deserialize(found["data"])
        for times in reversed(range(1, quota.messages)):
            often[times] |= often[times - 1] & members
        often[0] |= members
    return often[-1]
