"""Verification: somebody of the tax-type department says of a finding that it holds, or that it does not.

Nothing is told to a household before that (疑点信息须先核实): the sets that campaigns may name hold confirmed
findings and no others. A decision moves the finding, the set and the base register in one transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime
from outreach.statements.finding_sets import Touched, refresh_sets
from outreach.statements.rules import catalogue
from outreach.statements.standing import note_stale

_SQL = load_queries(__file__)
STATES: Mapping[str, str] = {
    "found": "待核实",
    "confirmed": "已确认",
    "rejected": "不成立",
    "closed": "已关闭",
}
"""What staff read."""
Verdict = Literal["confirm", "reject"]
_VERDICTS: Mapping[Verdict, str] = {"confirm": "confirmed", "reject": "rejected"}
MOST = 500
"""Findings that may be chosen one by one for one decision."""
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Policy:
    """The findings of one benefit in one direction for one year."""

    code: str
    direction: str
    year: int


@dataclass(frozen=True, slots=True)
class PolicyCounts:
    """The current findings of one policy in one direction by state."""

    code: str
    direction: str
    by_state: Mapping[str, int]

    @property
    def name(self) -> str:
        """The policy in Chinese."""
        return catalogue()[self.code].name

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_state.values())


async def count_by_policy(conn: Connection, year: int, path: str) -> list[PolicyCounts]:
    """The findings of a year in the subtree of an org unit's path, those with the most to verify first."""
    by_policy: dict[tuple[str, str], dict[str, int]] = {}
    for row in await (await conn.execute(_SQL["counts"], {"year": year, "path": path})).fetchall():
        states = by_policy.setdefault((row["benefit_code"], row["direction"]), dict.fromkeys(STATES, 0))
        states[row["state"]] = row["n"]
    counted = [PolicyCounts(*policy, states) for policy, states in by_policy.items()]
    return sorted(counted, key=lambda one: (-one.by_state["found"], one.code, one.direction))


async def decide(rt: Runtime, actor: Actor, ids: Sequence[int], verdict: Verdict, reason: str = "") -> int:
    """Decide about chosen findings; returns how many.

    Raises NotAllowed for a key, NotFound for one outside the scope, Conflict for one that has been decided or
    whose facts have changed, InvalidInput for no or too many findings and a rejection without a reason. A
    confirmation may be withdrawn by rejecting it.
    """
    wanted = sorted(set(ids))
    if not 1 <= len(wanted) <= MOST:
        raise InvalidInput(f"请勾选 1 到 {MOST} 条疑点。", field="ids")
    _require_person(actor)
    said = _reason(verdict, reason)
    async with rt.db.begin() as conn:
        params = {"ids": wanted, "path": actor.org_path}
        rows = await (await conn.execute(_SQL["chosen"], params)).fetchall()
        if len(rows) < len(wanted):
            raise NotFound("没有这条疑点，或者它不在您的数据范围内。")
        open_states = ("found",) if verdict == "confirm" else ("found", "confirmed")
        if any(not row["is_current"] or row["state"] not in open_states for row in rows):
            raise Conflict("有疑点已经核实、关闭或数据已变化，请刷新后重新核对。")
        await _apply(conn, actor, rows, verdict, said)
        one = f"finding:{wanted[0]}" if len(wanted) == 1 else f"org:{actor.org_id}"
        detail = {"ids": wanted, "reason": said}
        await append_audit(conn, actor, f"finding.{verdict}", one, detail)
    return len(rows)


async def decide_all(
    rt: Runtime, actor: Actor, policy: Policy, verdict: Verdict, *, expected: int, reason: str = ""
) -> int:
    """Decide about all findings of a policy that nobody has verified, within the actor's scope.

    `expected` is how many the actor was shown. Raises Conflict when there are more or fewer by now, and what
    `decide` raises.
    """
    _require_person(actor)
    said = _reason(verdict, reason)
    async with rt.db.begin() as conn:
        params = {
            "code": policy.code,
            "direction": policy.direction,
            "year": policy.year,
            "path": actor.org_path,
        }
        rows = await (await conn.execute(_SQL["waiting"], params)).fetchall()
        if not rows or len(rows) != expected:
            raise Conflict(f"待核实的疑点现在是 {len(rows)} 条，不是 {expected} 条，请刷新后重新核对。")
        await _apply(conn, actor, rows, verdict, said)
        detail = {"policy": [policy.code, policy.direction, policy.year], "n": len(rows), "reason": said}
        await append_audit(conn, actor, f"finding.{verdict}_all", f"org:{actor.org_id}", detail)
    return len(rows)


def _require_person(actor: Actor) -> None:
    if not actor.id:
        raise NotAllowed("疑点由税种主管部门的人员核实，接口密钥不能代替。")


def _reason(verdict: Verdict, reason: str) -> str:
    said = reason.strip()
    if len(said) > LONGEST_REASON:
        raise InvalidInput(f"理由最多 {LONGEST_REASON} 个字。", field="reason")
    if verdict == "reject" and not said:
        raise InvalidInput("不成立的疑点请写明理由。", field="reason")
    return said


async def _apply(
    conn: Connection, actor: Actor, rows: Sequence[dict[str, Any]], verdict: Verdict, reason: str
) -> None:
    ids = [row["id"] for row in rows]
    params = {"ids": ids, "by": actor.name, "reason": reason, "state": _VERDICTS[verdict]}
    await conn.execute(_SQL["decide"], params)
    await conn.execute(_SQL["enter_register" if verdict == "confirm" else "leave_register"], params)
    await note_stale(conn, [(row["taxpayer_id"], row["year"]) for row in rows])
    await refresh_sets(
        conn, [Touched(row["benefit_code"], row["direction"], row["taxpayer_id"]) for row in rows]
    )
