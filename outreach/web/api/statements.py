"""Issuing documents: what has been issued, the runs, a look before, an order, stopping and going on."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import Field

from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.web.api.access import api_routes, cache_of, runtime_of
from outreach.web.api.fields import (
    FIRST,
    LARGEST_ID,
    Cursor,
    Limit,
    Listing,
    Model,
    PathId,
    SmallId,
    Text,
    examples,
    pick,
    pick_all,
)
from outreach.web.issuing import (
    EVERYONE,
    LONGEST_REASON,
    Wish,
    look_before,
    order_documents,
    resume_issuing,
    stop_issuing,
)
from outreach.web.permissions import actor_of
from outreach.web.reads.statements import find_run, held_by_unit, list_runs

routes = api_routes("/statements", "文书")

Kind = Literal["yearly_bill", "benefit_bill", "gift_pack", "checkup"]
Year = Annotated[int, Query(ge=2000, le=2999, description="年度")]


class Run(Model):
    """A run of issuing, with the figures of the caller's scope: households = documents + unchanged + empty;
    corrections and withdrawn are contained in documents. `state`: waiting, running, lost (no sign of life),
    finished, stopped, failed (`trouble` says why). `wanted`: households of the whole run."""

    id: int
    kind: str
    year: int
    org_id: int
    org_name: str
    is_own: bool
    expression: str
    reason: str
    by: str
    state: str
    trouble: str
    wanted: int | None
    households: int
    documents: int
    corrections: int
    withdrawn: int
    unchanged: int
    empty: int
    benefits: int
    started_at: datetime
    finished_at: datetime | None


class Wanted(Model):
    """What to issue. `org_id` is the caller's own unit if it is missing; `expression` (language of audiences)
    chooses some of its households; `reason` is printed on what is corrected."""

    model_config = examples(
        {"kind": "gift_pack", "year": 2025, "org_id": 2, "expression": "kind = enterprise"},
    )
    kind: Kind
    year: Annotated[int, Field(ge=2000, le=2999)]
    org_id: SmallId | None = None
    expression: Annotated[Text, Field(max_length=10_000)] = EVERYONE
    reason: Annotated[Text, Field(max_length=LONGEST_REASON)] = ""


class OrderIn(Wanted):
    """The same with `expected`, the number of households that the look before has told."""

    model_config = examples(
        {"kind": "yearly_bill", "year": 2025, "org_id": 2, "expected": 8, "reason": "补录了优惠记录"}
    )
    expected: Annotated[int, Field(ge=1, le=LARGEST_ID)]


class LookShown(Model):
    """`wanted` households, of whom `tried` were computed without writing (drawn by chance if they are fewer):
    tried = first + corrections + withdrawals + unchanged + empty."""

    wanted: int
    tried: int
    first: int
    corrections: int
    withdrawals: int
    unchanged: int
    empty: int
    benefits: int


class HeldRow(Model):
    """A unit next below the caller's with all under it; `id` is null for the caller's unit itself. Households
    that hold a document that counts, and the benefit lines contained in these."""

    id: int | None
    name: str
    kind: str
    households: int
    benefits: int


@routes.get("/runs", permission="statement.read", summary="出具记录")
async def show_runs(
    request: Request,
    year: Annotated[int, Query(ge=0, le=2999, description="年度；0 为全部")] = 0,
    kind: Annotated[Literal["", "yearly_bill", "benefit_bill", "gift_pack", "checkup"], Query()] = "",
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[Run]:
    """与数据范围有关的出具，最新的在前；数字只含数据范围内的户。"""
    async with runtime_of(request).db.begin() as conn:
        found = await list_runs(conn, actor_of(request), year=year, kind=kind, cursor=cursor, limit=limit)
    return Listing[Run](rows=pick_all(Run, found.rows), next=found.next)


@routes.get("/held", permission="statement.read", summary="各单位持有文书的户数和优惠条数")
async def show_held(request: Request, year: Year) -> Listing[HeldRow]:
    """更正只算新的一版，撤回的不算。"""
    async with runtime_of(request).db.begin() as conn:
        units = await held_by_unit(conn, actor_of(request), year)
    rows = [
        HeldRow(
            id=unit.id,
            name=unit.name,
            kind=kind,
            households=unit.households[kind],
            benefits=unit.benefits[kind],
        )
        for unit in units
        for kind in DOCUMENT_KINDS
        if unit.households[kind] or unit.benefits[kind]
    ]
    return Listing[HeldRow](rows=rows)


@routes.post("/runs/preview", permission="statement.write", summary="试算，不写入")
async def look(request: Request, body: Wanted) -> LookShown:
    """户数多时随机抽取 1,000 户试算。"""
    rt, actor = runtime_of(request), actor_of(request)
    found = await look_before(rt, cache_of(request), actor, _wish(body, actor.org_id))
    n = found.counted
    return LookShown(
        wanted=found.wanted,
        tried=n.tried,
        first=n.first,
        corrections=n.corrections,
        withdrawals=n.withdrawals,
        unchanged=n.unchanged,
        empty=n.empty,
        benefits=n.benefits,
    )


@routes.post("/runs", permission="statement.write", summary="安排出具", status_code=202)
async def order(request: Request, body: OrderIn) -> Run:
    """由后台进程处理，不发出任何消息。户数与 `expected` 不同时返回 409，不安排。"""
    rt, actor = runtime_of(request), actor_of(request)
    wish = _wish(body, actor.org_id)
    run_id = await order_documents(rt, cache_of(request), actor, wish, body.expected)
    return await _run(request, run_id)


@routes.get("/runs/{run_id}", permission="statement.read", summary="一次出具的进度和结果")
async def show_run(request: Request, run_id: PathId) -> Run:
    """数字只含数据范围内的户。"""
    return await _run(request, run_id)


@routes.post("/runs/{run_id}/stop", permission="statement.write", summary="停止一次出具")
async def stop(request: Request, run_id: PathId) -> Run:
    """已经写好的文书保留。"""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        run = await find_run(conn, actor, run_id)
    await stop_issuing(rt, actor, run)
    return await _run(request, run_id)


@routes.post("/runs/{run_id}/resume", permission="statement.write", summary="把一次出具接着做完")
async def resume(request: Request, run_id: PathId) -> Run:
    """停止、没有完成或已中断的才能接着做；已经完成的部分不重做。"""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        run = await find_run(conn, actor, run_id)
    await resume_issuing(rt, actor, run)
    return await _run(request, run_id)


async def _run(request: Request, run_id: int) -> Run:
    async with runtime_of(request).db.begin() as conn:
        return pick(Run, await find_run(conn, actor_of(request), run_id))


def _wish(body: Wanted, org_id: int) -> Wish:
    return Wish(
        body.kind, body.year, body.org_id or org_id, body.expression.strip() or EVERYONE, body.reason.strip()
    )
