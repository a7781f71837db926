"""Rounds: how they stand, why they do not move, and the brake; their messages by state."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request

from outreach.analytics.stalls import RoundProgress, round_progress
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor
from outreach.ledger.states import NAMES, State
from outreach.web.actions import control_round
from outreach.web.api.access import api_routes, cache_of, runtime_of
from outreach.web.api.fields import FIRST, Cursor, Limit, Listing, Model, PathId, pick_all
from outreach.web.api.plans import SliceShown
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_round, steps_of
from outreach.web.reads.figures import message_counts, round_figures, summed
from outreach.web.reads.messages import list_messages
from outreach.web.reads.slices import slices_of

_SQL = load_queries(__file__)
routes = api_routes("/rounds", "轮次与消息")
STATES = {state.name.lower(): state for state in State}
StateName = Literal[
    "planned", "unknown", "accepted", "delivered", "failed", "read", "withheld", "expired", "cancelled"
]


class StepFigures(Model):
    """Messages of one rung by state."""

    step: int
    channel: str
    messages: dict[StateName, int]


class RoundShown(Model):
    """A round within the scope. In households, null before the start: `audience = planned + Σ exclusions`.
    `stalls`: why it does not move, as sentences; empty when nothing holds it up."""

    id: int
    campaign_id: int
    campaign_name: str
    ordinal: int
    name: str
    state: str
    starts_at: datetime
    ends_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    is_own: bool
    audience: int | None
    planned: int | None
    exclusions: dict[str, int]
    messages: dict[StateName, int]
    steps: list[StepFigures]
    stalls: list[str]


class StallShown(Model):
    """One cause. `held`: messages that it holds up, 0 for who manages a part of the round; `until`: when it
    ends by itself, null if it does not."""

    cause: str
    text: str
    advice: str
    held: int
    until: datetime | None


class ProgressShown(Model):
    """Where a round stands. `waiting`: messages cut and not sent; `uncut`: households without a message yet;
    `finish_at`: when what waits has left at the accounts' rates, null if it stands still. The numbers are
    null for who manages a part of the round: they are those of the whole."""

    state: str
    waiting: int | None
    uncut: int | None
    finish_at: datetime | None
    stalls: list[StallShown]


class MessageRow(Model):
    """A message. `taxpayer_ids` are the households of the scope that it names, `others` how many more.
    `state_name` is the state in Chinese, `code` the provider's last word, `parts` what is billed."""

    id: int
    step: int
    channel: str
    state: StateName
    state_name: str
    parts: int | None
    tries: int
    code: str | None
    at: datetime
    not_before: datetime | None
    org_name: str
    gateway: str
    taxpayer_ids: list[int]
    others: int


@routes.get("/{round_id}", permission="campaign.read", summary="轮次的状态和数字")
async def show(request: Request, round_id: PathId) -> RoundShown:
    """户数：受众 = 列入发送 + 各项剔除；消息按状态计数。都只含数据范围内的部分。"""
    return await _show(request, round_id)


@routes.get("/{round_id}/slices", permission="campaign.read", summary="错峰时段")
async def show_slices(request: Request, round_id: PathId) -> list[SliceShown]:
    """按天、按组的人数和户数，以及是否已开放；上级机构的轮次不列。"""
    async with runtime_of(request).db.begin() as conn:
        row = await find_round(conn, actor_of(request), round_id)
        return pick_all(SliceShown, await slices_of(conn, round_id) if row["is_own"] else [])


@routes.get("/{round_id}/progress", permission="campaign.read", summary="轮次为什么没动")
async def show_progress(request: Request, round_id: PathId) -> ProgressShown:
    """真实原因按影响的消息数从大到小排列，每条附处理办法和预计何时自动结束。"""
    async with runtime_of(request).db.begin() as conn:
        row = await find_round(conn, actor_of(request), round_id)
        found = await round_progress(conn, round_id, with_numbers=row["is_own"])
    return _progress(found, is_own=row["is_own"])


@routes.post("/{round_id}/pause", permission="round.control", summary="暂停轮次")
async def pause(request: Request, round_id: PathId) -> RoundShown:
    """两秒内停止发出新消息；已经发出的不受影响，之后可以原地继续。"""
    return await _control(request, round_id, "pause")


@routes.post("/{round_id}/resume", permission="round.control", summary="继续轮次")
async def resume(request: Request, round_id: PathId) -> RoundShown:
    """从停下的地方继续；已经收到的人不会再收到第二条。"""
    return await _control(request, round_id, "resume")


@routes.post("/{round_id}/cancel", permission="round.control", summary="取消轮次")
async def cancel(request: Request, round_id: PathId) -> RoundShown:
    """没有发出的消息全部放弃，不能恢复；已经发出的不受影响。"""
    return await _control(request, round_id, "cancel")


@routes.get("/{round_id}/messages", permission="message.read", summary="轮次的消息明细")
async def show_messages(
    request: Request,
    round_id: PathId,
    state: Annotated[StateName | None, Query(description="只看一种状态")] = None,
    step: Annotated[int | None, Query(ge=0, le=5, description="只看一级")] = None,
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[MessageRow]:
    """按消息编号排序，不含号码和正文。"""
    actor = actor_of(request)
    wanted = STATES[state] if state else None
    async with runtime_of(request).db.begin() as conn:
        await find_round(conn, actor, round_id)
        found = await list_messages(
            conn, actor, round_id=round_id, step=step, state=wanted, cursor=cursor, limit=limit
        )
        inside = await _inside(conn, actor, (number for row in found.rows for number in row["taxpayer_ids"]))
    return Listing[MessageRow](rows=[_message(row, inside) for row in found.rows], next=found.next)


async def _control(request: Request, round_id: int, verb: str) -> RoundShown:
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        row = await find_round(conn, actor, round_id)
    await control_round(rt, actor, row, verb)
    return await _show(request, round_id)


async def _show(request: Request, round_id: int) -> RoundShown:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        row = await find_round(conn, actor, round_id)
        steps = await steps_of(conn, [round_id])
        figures = (await round_figures(conn, cache_of(request), actor, [round_id])).get(round_id)
        counts = await message_counts(conn, actor, [round_id])
        progress = await round_progress(conn, round_id, with_numbers=row["is_own"])
    sums = summed(counts, [round_id])
    told = {
        **row,
        "audience": figures.audience if figures else None,
        "planned": figures.planned if figures else None,
        "exclusions": dict(figures.exclusions) if figures else {},
        "messages": _named(sums),
        "steps": [
            {
                "step": step["step"],
                "channel": step["channel"],
                "messages": _named(counts.get((round_id, step["step"]), {})),
            }
            for step in steps
        ],
        "stalls": [stall.text for stall in progress.stalls],
    }
    return RoundShown.model_validate(told, extra="ignore")


def _progress(found: RoundProgress, *, is_own: bool) -> ProgressShown:
    stalls = [
        StallShown(
            cause=stall.cause.value,
            text=stall.text,
            advice=stall.advice,
            held=stall.held if is_own else 0,
            until=stall.until,
        )
        for stall in found.stalls
    ]
    return ProgressShown(
        state=found.state,
        waiting=found.waiting if is_own else None,
        uncut=found.uncut if is_own else None,
        finish_at=found.finish_at,
        stalls=stalls,
    )


async def _inside(conn: Connection, actor: Actor, ids: Iterable[int]) -> set[int]:
    # One message may name households of several units: those outside the scope are only counted.
    params = {"ids": list(set(ids)), "path": actor.org_path}
    return {row["id"] for row in await (await conn.execute(_SQL["inside"], params)).fetchall()}


def _message(row: dict[str, Any], inside: set[int]) -> MessageRow:
    shown = [number for number in row["taxpayer_ids"] if number in inside]
    state = State(row["state"])
    told = {
        **row,
        "state": state.name.lower(),
        "state_name": NAMES[state],
        "taxpayer_ids": shown,
        "others": len(row["taxpayer_ids"]) - len(shown),
    }
    return MessageRow.model_validate(told, extra="ignore")


def _named(counts: dict[int, int]) -> dict[str, int]:
    return {State(state).name.lower(): n for state, n in sorted(counts.items())}
