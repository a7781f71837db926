"""The proof of the sums: recount a round from its rows and compare with what the reports say."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.ledger.archived import ArchivedRound, archived_round
from outreach.ledger.opened import OPENED, opened_households
from outreach.ledger.reached import reached_by_round
from outreach.runtime import Runtime

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Check:
    """One equation: what it says, both sides, and whether they agree."""

    name: str
    left: int
    right: int

    @property
    def agrees(self) -> bool:
        """Whether the two sides are equal."""
        return self.left == self.right


@dataclass(frozen=True, slots=True)
class RoundAudit:
    """All equations of one round."""

    round_id: int
    name: str
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether every equation holds."""
        return all(check.agrees for check in self.checks)


async def audit_round(rt: Runtime, round_id: int) -> RoundAudit:
    """Recount one round in one snapshot. Raises NotFound."""
    async with rt.db.begin() as conn:
        await conn.execute("set transaction isolation level repeatable read, read only")
        row = await (await conn.execute(SQL["round_of"], {"round_id": round_id})).fetchone()
        if row is None or row["period"] is None:
            raise NotFound("没有这个轮次，或它还没有开始")
        archived = await archived_round(conn, round_id)
        if archived is not None:
            checks = await _archived(conn, row, archived)
        else:
            checks = [*await _audience(conn, row), *await _messages(conn, row)]
        checks += [*await _handed(conn, row), *await check_opened(conn, row)]
    return RoundAudit(round_id, f"{row['campaign']}·{row['name']}", tuple(checks))


async def audit_everything(rt: Runtime) -> list[RoundAudit]:
    """Every round that was ever planned."""
    rows = await rt.db.fetch(SQL["rounds_with_messages"])
    return [await audit_round(rt, row["id"]) for row in rows]


async def _archived(conn: Connection, row: dict[str, Any], archived: ArchivedRound) -> list[Check]:
    # The rows are in the archive's files; what was counted when they left stands for them.
    checks, planned = await _frozen(conn, row)
    counters = await (await conn.execute(SQL["counters"], {"round_id": row["id"]})).fetchall()
    told = {(item["step"], item["state"]): (item["n"], item["households"]) for item in counters}
    differing = sum(
        archived.sums.get(place) != told.get(place) for place in archived.sums.keys() | told.keys()
    )
    total = sum(n for n, _ in archived.sums.values())
    reached = await reached_by_round(conn, row["id"])
    return [
        *checks,
        Check("计划户数 = 归档时接收人名下户数", len(planned), archived.households),
        Check("归档时消息数 = 各状态消息数之和", total, sum(n for n, _ in told.values())),
        Check("归档时逐级逐状态清点与计数器的差异数为零", differing, 0),
        Check("归档时已送达户都在计划之内", len(archived.reached), len(archived.reached & planned)),
        Check("归档时已送达户与汇总的差异数为零", len(archived.reached ^ reached), 0),
    ]


async def _frozen(conn: Connection, row: dict[str, Any]) -> tuple[list[Check], BitMap]:
    sets = await (await conn.execute(SQL["sets_of"], {"round_id": row["id"]})).fetchall()
    members = {(item["kind"], item["reason"]): BitMap.deserialize(bytes(item["data"])) for item in sets}
    audience, planned = members["audience", ""], members["planned", ""]
    excluded = [held for (kind, _), held in members.items() if kind == "exclusion"]
    union = reduce(lambda left, right: left | right, excluded, BitMap(planned))
    checks = [
        Check(
            "受众户数 = 计划户数 + 各项剔除户数之和", len(audience), len(planned) + sum(map(len, excluded))
        ),
        Check("受众集合 = 计划集合 ∪ 各剔除集合", len(audience), len(union & audience)),
        Check("冻结的受众数与记录一致", len(audience), row["audience"]),
    ]
    return checks, planned


async def _audience(conn: Connection, row: dict[str, Any]) -> list[Check]:
    keys = {"round_id": row["id"], "period": row["period"]}
    checks, planned = await _frozen(conn, row)
    recipients = await (await conn.execute(SQL["recipients_of"], keys)).fetchone()
    named = await (await conn.execute(SQL["recipient_households"], keys)).fetchone()
    assert recipients is not None and named is not None
    return [
        *checks,
        Check("计划户数 = 接收人名下户数", len(planned), recipients["households"]),
        Check("计划集合与接收人名下户逐户一致", len(planned), len(planned & BitMap(named["ids"]))),
        Check("每位接收人只列一次", recipients["persons"], recipients["distinct_persons"]),
    ]


async def _handed(conn: Connection, row: dict[str, Any]) -> list[Check]:
    """What the rungs of calls and visits were handed; nothing for a round that has none."""
    handed = await (await conn.execute(SQL["handed"], {"round_id": row["id"]})).fetchone()
    assert handed is not None
    if not handed["counted"] and not handed["households"]:
        return []
    _, planned = await _frozen(conn, row)
    known = BitMap(handed["households"])
    return [
        Check(
            "交办户次 = 办理中 + 已告知或办结 + 已终止",
            handed["counted"],
            handed["open"] + handed["done"] + handed["given_up"],
        ),
        Check("任务已结束而交办仍未了结的户次为零", handed["stray"], 0),
        Check("没有未了户次却仍开着的任务为零", handed["idle"], 0),
        Check("交办的户都在计划之内", len(known), len(known & planned)),
    ]


async def check_opened(conn: Connection, row: dict[str, Any]) -> list[Check]:
    """What the links say, against what the report counts; nothing for a round whose links nobody opened."""
    links = await (await conn.execute(SQL["opened_recount"], {"round_id": row["id"]})).fetchone()
    assert links is not None
    rounds = await opened_households(conn, row["campaign_id"])
    counted = rounds.get(row["id"], {}).get(OPENED, BitMap())
    opened = BitMap(links["opened"])
    if not opened and not counted:
        return []
    unlike = (opened - counted) | ((counted & BitMap(links["linked"])) - opened)
    return [Check("已打开户逐条清点与汇总的差异数为零", len(unlike), 0)]


async def _messages(conn: Connection, row: dict[str, Any]) -> list[Check]:
    keys = {"round_id": row["id"], "period": row["period"]}
    recount = await (await conn.execute(SQL["recount"], keys)).fetchall()
    counters = await (await conn.execute(SQL["counters"], keys)).fetchall()
    twice = await (await conn.execute(SQL["named_twice"], keys)).fetchone()
    sizes = await (await conn.execute(SQL["batch_sizes"], keys)).fetchone()
    forgotten = await (await conn.execute(SQL["forgotten_recipients"], keys)).fetchone()
    reached = await (await conn.execute(SQL["reached_recount"], keys)).fetchone()
    assert twice and sizes and forgotten and reached
    unlike = BitMap(reached["ids"]) ^ await reached_by_round(conn, row["id"])
    counted = {(item["step"], item["state"]): (item["n"], item["households"]) for item in recount}
    told = {(item["step"], item["state"]): (item["n"], item["households"]) for item in counters}
    differing = sum(counted.get(place) != told.get(place) for place in counted.keys() | told.keys())
    total = sum(item["n"] for item in recount)
    return [
        Check("消息数 = 各状态消息数之和", total, sum(n for n, _ in told.values())),
        Check("逐级逐状态重新清点与计数器的差异数为零", differing, 0),
        Check("已送达户逐户清点与汇总的差异数为零", len(unlike), 0),
        Check("同一级中被两条消息提到的户数为零", twice["n"], 0),
        Check("批次大小与消息数不符的批次为零", sizes["wrong"], 0),
        Check("已轮到却没有消息的接收人为零", forgotten["n"], 0),
        Check("每人每级至多一条", total, sum(item["persons"] for item in recount)),
    ]
