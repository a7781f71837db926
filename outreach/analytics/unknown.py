"""Messages of which nobody can tell whether the gateway took them: never hidden, each with a reason.

What is told of each: why it is unknown, what happens next, until when a receipt may still decide, and what
its kind does then. Addresses are masked; the caller has found the campaign or round visible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels.base import DeliveryClass
from channels.registry import ADAPTERS
from outreach.analytics.unknown_reasons import CHANNELS, Reason, next_step, reason_of
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.vault import Vault, open_vault
from outreach.registry.search import mask_address
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_MOVED = "（联系方式已变更）"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which unknown messages: of a campaign or one of its rounds, within the subtree at `path`; `gateway_id`
    and `reason` narrow it."""

    path: str
    campaign_id: int | None = None
    round_id: int | None = None
    gateway_id: int | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """One of them. `code` is the last word of the gateway or of the connection, None after a crash of ours;
    `not_before` is when it will be looked into again, None if only a receipt or a person can decide;
    `deadline`: business time until which a receipt is waited for; `address` is masked."""

    id: int
    round_id: int
    step: int
    channel: str
    gateway_id: int
    gateway: str
    delivery_class: str
    code: str | None
    at: datetime
    tries: int
    not_before: datetime | None
    deadline: datetime
    is_overdue: bool
    address: str
    org_name: str
    taxpayer_ids: tuple[int, ...]
    why: Reason
    next: str

    @property
    def reason(self) -> str:
        """Why it is unknown and what happens next, for staff."""
        return f"{self.why.sentence(self.code)}；{self.next}。"


@dataclass(frozen=True, slots=True)
class UnknownCount:
    """How many at one account for one reason, and how many of them have waited longer than receipts take."""

    gateway_id: int
    gateway: str
    delivery_class: str
    reason: Reason
    n: int
    overdue: int


async def list_unknown(rt: Runtime, choice: Choice, *, after: int = 0, limit: int) -> list[UnknownMessage]:
    """Unknown messages in the order of their ids, from the one after `after`."""
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        codes = await _codes(conn, choice)
        params = {
            **_keys(choice),
            "gateway_id": choice.gateway_id,
            "codes": codes,
            "after": after,
            "limit": limit,
        }
        rows = await (await conn.execute(SQL["unknown_messages"], params)).fetchall()
    return [_message(vault, row) for row in rows]


async def count_unknown(conn: Connection, choice: Choice) -> list[UnknownCount]:
    """By account and reason, the most first; `gateway_id` and `reason` of the choice are not looked at."""
    sums: dict[tuple[int, Reason], UnknownCount] = {}
    for row in await (await conn.execute(SQL["unknown_counts"], _keys(choice))).fetchall():
        reason = reason_of(row["code"] or None)
        key = (row["gateway_id"], reason)
        before = sums.get(key)
        sums[key] = UnknownCount(
            row["gateway_id"],
            row["gateway"],
            _class_of(row["adapter"]).value,
            reason,
            row["n"] + (before.n if before else 0),
            row["overdue"] + (before.overdue if before else 0),
        )
    return sorted(sums.values(), key=lambda count: (-count.n, count.gateway_id))


async def path_of(conn: Connection, org_id: int) -> str:
    """The path of a unit, as scopes are compared. Raises NotFound."""
    row = await (await conn.execute(SQL["scope_path"], {"org_id": org_id})).fetchone()
    if row is None:
        raise NotFound("没有这个机构。")
    return str(row["path"])


async def _codes(conn: Connection, choice: Choice) -> Sequence[str] | None:
    if choice.reason is None:
        return None
    rows = await (await conn.execute(SQL["unknown_counts"], _keys(choice))).fetchall()
    return sorted({row["code"] for row in rows if reason_of(row["code"] or None) is choice.reason})


def _keys(choice: Choice) -> dict[str, Any]:
    return {"path": choice.path, "campaign_id": choice.campaign_id, "round_id": choice.round_id}


def _class_of(adapter: str) -> DeliveryClass:
    return ADAPTERS[adapter].facts.delivery_class


def _message(vault: Vault, row: Mapping[str, Any]) -> UnknownMessage:
    delivery_class = _class_of(row["adapter"])
    is_overdue = row["not_before"] is None and row["deadline"] <= row["now"]
    return UnknownMessage(
        row["id"],
        row["round_id"],
        row["step"],
        row["channel"],
        row["gateway_id"],
        row["gateway"],
        delivery_class.value,
        row["code"],
        row["at"],
        row["tries"],
        row["not_before"],
        row["deadline"],
        is_overdue,
        _address(vault, row),
        row["org_name"],
        tuple(row["taxpayer_ids"]),
        reason_of(row["code"]),
        next_step(
            delivery_class,
            rests=row["rests"],
            deadline=row["deadline"],
            is_overdue=is_overdue,
            lane=row["lane"],
            next_channel=CHANNELS.get(row["next_channel"] or "", ""),
        ),
    )


def _address(vault: Vault, row: Mapping[str, Any]) -> str:
    # Where it went is kept as a blind index only: it can be shown as long as the person is reached there.
    if row["address_id"] is None or row["has_moved"]:
        return _MOVED
    value = vault.decrypt("address", "value_enc", row["address_id"], bytes(row["value_enc"]))
    return mask_address(row["kind"], value)
