"""Worklists: who does an item, what came of it, and what comes next.

One result is one transaction: the attempt, the labels that the next count sees, the handovers, and the visit
that a call becomes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.permissions import permissions_of
from outreach.governance.vault import open_vault
from outreach.labels.keys import RCS_READY, label_key, reach_key
from outreach.labels.sets import change_sets
from outreach.runtime import Runtime
from outreach.service.calls import PAUSE, RESULTS, TRIES, Effect, Result
from outreach.service.work_items import Handed, Household, close_item, hand_over, lock_item, open_handovers

SQL = load_queries(__file__)

_LONGEST_NOTE = 500
_SOURCE = {"call": "电话登记", "visit": "上门登记"}
_REASONS = ("cannot", "unwilling", "not_needed", "unreachable", "refused")


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody writes down about an item: a result's code, when she will be called or visited again, and
    a note of at most 500 characters."""

    result: str
    call_back_at: datetime | None = None
    note: str = ""


async def record_result(rt: Runtime, actor: Actor, item_id: int, report: Report) -> str:
    """Write down what came of an item; returns its state afterwards: open, done or given_up.

    Raises NotFound outside the scope, Conflict for an item that is closed or a visit that nobody has
    approved, InvalidInput for a result that does not fit.
    """
    async with rt.db.begin() as conn:
        item = await lock_item(conn, actor.org_path, item_id)
        result = _fitting(item, report)
        await _keep_attempt(rt, conn, actor, item, report)
        state = await _apply(conn, item, report, result)
        detail = {"result": report.result, "state": state}
        await append_audit(conn, actor, "work.result", f"work:{item_id}", detail)
        return state


def _fitting(item: dict[str, Any], report: Report) -> Result:
    result = RESULTS[item["kind"]].get(report.result)
    if result is None:
        known = "、".join(one.name for one in RESULTS[item["kind"]].values())
        raise InvalidInput(f"没有结果「{report.result}」，可以选择：{known}", field="result")
    if item["state"] != "open":
        raise Conflict("这项任务已经结束，不能再登记结果。请刷新名单。")
    if item["kind"] == "visit" and item["approved_at"] is None:
        raise Conflict("无审批不入户：这次走访还没有获得批准，不能登记结果。")
    if len(report.note) > _LONGEST_NOTE:
        raise InvalidInput(f"备注最多 {_LONGEST_NOTE} 个字", field="note")
    if result.effect is Effect.AGAIN:
        if report.call_back_at is None:
            raise InvalidInput("请填写约定的时间", field="call_back_at")
        if not item["now"] < report.call_back_at < item["due_at"]:
            raise InvalidInput("约定的时间应晚于现在，并且在截止时间以前", field="call_back_at")
    return result


async def _keep_attempt(
    rt: Runtime, conn: Connection, actor: Actor, item: dict[str, Any], report: Report
) -> None:
    row = await (await conn.execute(SQL["next_attempt"])).fetchone()
    assert row is not None
    note = report.note.strip()
    sealed = open_vault(rt.settings).encrypt("work_attempt", "note_enc", row["id"], note) if note else None
    await conn.execute(
        SQL["add_attempt"],
        {
            "id": row["id"],
            "item_id": item["id"],
            "by": actor.name,
            "result": report.result,
            "call_back_at": report.call_back_at,
            "note": sealed,
        },
    )


async def _apply(conn: Connection, item: dict[str, Any], report: Report, result: Result) -> str:
    handovers = await open_handovers(conn, item["id"])
    await _label(conn, item, report, result, [row["taxpayer_id"] for row in handovers])
    if result.effect is Effect.TOLD:
        await close_item(conn, item["id"], Handed.DONE, report.result)
        return "done"
    if result.effect is Effect.AGAIN:
        await _wait(conn, item, report.call_back_at, missed=0)
        return "open"
    if result.effect is Effect.MISSED and item["tries"] + 1 < TRIES:
        await _wait(conn, item, item["now"] + PAUSE, missed=1)
        return "open"
    if result.effect is Effect.MISSED:
        await _wait(conn, item, item["now"], missed=1)
    if result.effect is not Effect.STOPPED and item["kind"] == "call":
        handed_on = await _hand_on(conn, item, handovers)
        if report.result == "visit" and not handed_on:
            raise InvalidInput("这些轮次没有「上门」一级，不能转上门，请选择其他结果", field="result")
    reason = "exhausted" if result.effect is Effect.MISSED else report.result
    await close_item(conn, item["id"], Handed.GIVEN_UP, reason)
    return "given_up"


async def _wait(conn: Connection, item: dict[str, Any], until: datetime | None, *, missed: int) -> None:
    await conn.execute(SQL["wait"], {"item_id": item["id"], "next_at": until, "missed": missed})


async def _hand_on(conn: Connection, item: dict[str, Any], handovers: Sequence[dict[str, Any]]) -> bool:
    """A call that reached nobody becomes visits where its rounds go on to one; whether any does."""
    below = [row for row in handovers if row["visit_step"] is not None]
    if not below:
        return False
    rounds = sorted({row["round_id"] for row in below})
    ends = await (await conn.execute(SQL["due_of"], {"rounds": rounds})).fetchall()
    for end in ends:
        own = [row for row in below if row["round_id"] == end["id"]]
        households = [Household(row["taxpayer_id"], row["person_id"], row["reach"]) for row in own]
        await hand_over(conn, end["id"], own[0]["visit_step"], "visit", households, due_at=end["ends_at"])
    await conn.execute(SQL["hand_on"], {"item_id": item["id"], "rounds": rounds})
    return True


async def _label(
    conn: Connection, item: dict[str, Any], report: Report, result: Result, taxpayers: Sequence[int]
) -> None:
    changes: dict[str, tuple[BitMap, BitMap]] = {}
    if result.label is not None:
        code, value = result.label
        changes[label_key(code, value)] = (BitMap(taxpayers), BitMap())
        if code == "follow_up":
            others = [label_key(code, other) for other in _REASONS if other != value]
            changes |= {key: (BitMap(), BitMap(taxpayers)) for key in others}
    if result.wrong_number:
        changes |= await _out_of_use(conn, item["person_id"], report.result)
    if result.no_calls:
        await conn.execute(SQL["wants_no_calls"], {"person_id": item["person_id"]})
    if changes:
        await change_sets(conn, changes, source=_SOURCE[item["kind"]])


async def _out_of_use(conn: Connection, person_id: int, result: str) -> dict[str, tuple[BitMap, BitMap]]:
    keys = {"person_id": person_id}
    if not await (await conn.execute(SQL["number_is_wrong"], {**keys, "result": result})).fetchall():
        return {}
    rows = await (await conn.execute(SQL["households_of"], keys)).fetchall()
    hers = BitMap([row["taxpayer_id"] for row in rows])
    return {key: (BitMap(), hers) for key in (reach_key("sms"), reach_key("rcs"), RCS_READY)}


async def assign_items(rt: Runtime, actor: Actor, items: Sequence[int], login: str) -> int:
    """Give items to a named person, or with an empty name back to the unit; returns how many.

    Raises InvalidInput for somebody who may not do them. A visit that nobody has approved is left out.
    """
    async with rt.db.begin() as conn:
        keys: dict[str, Any] = {"items": list(items), "login": login or None, "path": actor.org_path}
        if login:
            keys["path"] = await _path_of(conn, actor, login)
        rows = await (await conn.execute(SQL["assign"], keys)).fetchall()
        detail = {"items": len(rows), "to": login}
        await append_audit(conn, actor, "work.assign", f"org:{actor.org_id}", detail)
        return len(rows)


async def _path_of(conn: Connection, actor: Actor, login: str) -> str:
    """The narrower of both scopes."""
    row = await (await conn.execute(SQL["colleague"], {"login": login})).fetchone()
    if row is None or "work.write" not in permissions_of(row["roles"]):
        raise InvalidInput(f"账号 {login} 不存在，或者没有登记外呼和走访的权限", field="assigned_to")
    narrower, wider = sorted((row["path"], actor.org_path), key=len, reverse=True)
    if not narrower.startswith(wider):
        raise InvalidInput(f"账号 {login} 不在您的数据范围内", field="assigned_to")
    return str(narrower)
