"""Findings of a scan, their verification, and the base registers of the policies."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request
from pydantic import Field

from outreach.governance.vault import open_vault
from outreach.statements.findings import LONGEST_REASON, MOST, Policy, decide, decide_all
from outreach.statements.register import give_reason, register_sums
from outreach.web.api.access import api_routes, runtime_of
from outreach.web.api.fields import (
    FIRST,
    LARGEST_ID,
    Cursor,
    Limit,
    Listing,
    Model,
    SmallId,
    Text,
    examples,
    pick,
    pick_all,
)
from outreach.web.permissions import actor_of
from outreach.web.reads.findings import Wanted, count_findings, find_finding, list_findings

routes = api_routes("/findings", "疑点核实")

Year = Annotated[int, Query(ge=2000, le=2999, description="年度")]
Unit = Annotated[int, Query(ge=0, le=LARGEST_ID, description="机构编号，含下级；0 为全部")]
Code = Annotated[Text, Query(max_length=60, description="优惠代码")]
Direction = Literal["", "unclaimed", "wrong", "cliff"]
State = Literal["", "found", "confirmed", "rejected", "closed"]
BigId = Annotated[int, Field(ge=1, lt=2**63)]


class FindingRow(Model):
    """One finding. `direction`: unclaimed 应享未享, wrong 违规享受, cliff 临界; `amount` in yuan, null where
    it cannot be computed; `version` counts the facts, each of which is verified anew."""

    id: int
    taxpayer_id: int
    household: str
    tax_no: str
    org_name: str
    benefit_code: str
    name: str
    direction: str
    year: int
    version: int
    amount: Decimal | None
    sentence: str
    state: str
    reason: str
    verified_by: str | None
    verified_at: datetime | None
    found_at: datetime


class Finding(FindingRow):
    """The same with its evidence, and the numbers of the versions before and after it."""

    supersedes: int | None
    newer: int | None
    evidence: dict[str, Any]


class Counts(Model):
    """The findings of one policy in one direction by state."""

    code: str
    name: str
    direction: str
    total: int
    by_state: dict[str, int]


class Register(Model):
    """A base register: entitled = the sum of its states (enjoyed, open, cannot, unwilling, unreachable)."""

    code: str
    name: str
    entitled: int
    by_state: dict[str, int]


class DecisionIn(Model):
    """Chosen findings and what was found out about them; a rejection says why."""

    model_config = examples({"ids": [1, 2], "verdict": "confirm", "reason": ""})
    ids: Annotated[list[BigId], Field(min_length=1, max_length=MOST)]
    verdict: Literal["confirm", "reject"]
    reason: Annotated[Text, Field(max_length=LONGEST_REASON)] = ""


class PolicyDecisionIn(Model):
    """All findings of a policy that wait; `expected` is how many the person was shown."""

    model_config = examples(
        {
            "code": "DPF_SMALL_EXEMPT", "direction": "unclaimed", "year": 2025, "verdict": "confirm",
            "expected": 120, "reason": "抽查 20 户，与申报表一致",
        }
    )  # fmt: skip
    code: Annotated[Text, Field(max_length=60)]
    direction: Literal["unclaimed", "wrong", "cliff"]
    year: Annotated[int, Field(ge=2000, le=2999)]
    verdict: Literal["confirm", "reject"]
    expected: Annotated[int, Field(ge=1, le=LARGEST_ID)]
    reason: Annotated[Text, Field(max_length=LONGEST_REASON)] = ""


class ReasonIn(Model):
    """Why households of a register do not claim the benefit; an empty reason opens them again."""

    model_config = examples({"code": "DPF_SMALL_EXEMPT", "year": 2025, "ids": [1], "reason": "unwilling"})
    code: Annotated[Text, Field(max_length=60)]
    year: Annotated[int, Field(ge=2000, le=2999)]
    ids: Annotated[list[SmallId], Field(min_length=1, max_length=MOST)]
    reason: Literal["", "cannot", "unwilling", "unreachable"]


class Done(Model):
    """How many."""

    n: int


@routes.get("", permission="finding.read", summary="疑点清单")
async def show(
    request: Request,
    year: Year,
    code: Code = "",
    direction: Direction = "",
    state: State = "",
    unit: Unit = 0,
    cursor: Cursor = "",
    limit: Limit = FIRST,
) -> Listing[FindingRow]:
    """数据范围内现行版本的疑点，按发现的先后。"""
    rt, wanted = runtime_of(request), Wanted(year, code, direction, state, unit)
    async with rt.db.begin() as conn:
        found = await list_findings(
            conn, open_vault(rt.settings), actor_of(request), wanted, cursor=cursor, limit=limit
        )
    return Listing[FindingRow](rows=pick_all(FindingRow, found.rows), next=found.next)


@routes.get("/counts", permission="finding.read", summary="各政策疑点数")
async def show_counts(request: Request, year: Year, unit: Unit = 0) -> Listing[Counts]:
    """按政策和方向，待核实多的在前。"""
    async with runtime_of(request).db.begin() as conn:
        found = await count_findings(conn, actor_of(request), year, unit)
    rows = [
        Counts(
            code=one.code,
            name=one.name,
            direction=one.direction,
            total=one.total,
            by_state=dict(one.by_state),
        )
        for one in found
    ]
    return Listing[Counts](rows=rows)


@routes.get("/registers", permission="finding.read", summary="各政策底册合计")
async def show_registers(request: Request, year: Year) -> Listing[Register]:
    """应享受 = 已享受 + 待办 + 不能 + 不愿 + 联系不上。"""
    async with runtime_of(request).db.begin() as conn:
        found = await register_sums(conn, actor_of(request), year)
    rows = [
        Register(code=one.code, name=one.name, entitled=one.entitled, by_state=dict(one.by_state))
        for one in found
    ]
    return Listing[Register](rows=rows)


@routes.get("/{finding_id}", permission="finding.read", summary="一条疑点及依据")
async def show_one(request: Request, finding_id: Annotated[int, Path(ge=1, lt=2**63)]) -> Finding:
    """依据含规则、版本日期和逐期计算。"""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        found = await find_finding(conn, open_vault(rt.settings), actor_of(request), finding_id)
    return pick(Finding, found)


@routes.post("/decisions", permission="finding.verify", summary="核实选定的疑点")
async def decide_some(request: Request, body: DecisionIn) -> Done:
    """全部成功或全部不变。须由有权限的人员登录操作，接口密钥不能核实。"""
    rt, actor = runtime_of(request), actor_of(request)
    return Done(n=await decide(rt, actor, body.ids, body.verdict, body.reason))


@routes.post("/decisions/all", permission="finding.verify", summary="整批核实一项政策的疑点")
async def decide_policy(request: Request, body: PolicyDecisionIn) -> Done:
    """数据范围内所有待核实的；数量与 `expected` 不符时不作任何改变。"""
    policy = Policy(body.code, body.direction, body.year)
    rt, actor = runtime_of(request), actor_of(request)
    n = await decide_all(rt, actor, policy, body.verdict, expected=body.expected, reason=body.reason)
    return Done(n=n)


@routes.post("/registers/reasons", permission="work.write", summary="登记未享受原因")
async def set_reason(request: Request, body: ReasonIn) -> Done:
    """只能登记底册中还没有享受的户。"""
    rt, actor = runtime_of(request), actor_of(request)
    return Done(n=await give_reason(rt, actor, body.code, body.year, body.ids, body.reason))
