"""The base register (底册台账): per policy one row per household that enjoys it or should.

Each row has one state, so entitled = enjoyed + cannot + unwilling + unreachable + open holds by construction.
A reason comes from staff or from the last call or visit of a round that was aimed at the policy's findings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from outreach.db.arrays import fetch_arrays
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.vault import Vault
from outreach.labels.bitmaps import from_array
from outreach.ledger.reached import reached_by_round
from outreach.registry.search import mask_name
from outreach.runtime import Runtime
from outreach.statements.finding_sets import term_of
from outreach.statements.household import mask_tax_no
from outreach.statements.rules import catalogue

_SQL = load_queries(__file__)
REASONS: Mapping[str, str] = {"cannot": "不能", "unwilling": "不愿", "unreachable": "联系不上"}
STATES: Mapping[str, str] = {"enjoyed": "已享受", "open": "待办", **REASONS}
"""What staff read, in the order of the columns."""
SOURCES: Mapping[str, str] = {"staff": "人工登记", "call": "电话登记", "visit": "上门登记"}
MOST = 500


@dataclass(frozen=True, slots=True)
class Sums:
    """The households of a policy by state. `entitled` is counted by itself; `gap` is 0 when the books are
    right."""

    code: str
    by_state: Mapping[str, int]
    entitled: int

    @property
    def gap(self) -> int:
        """What the states lack of all."""
        return self.entitled - sum(self.by_state.values())

    @property
    def name(self) -> str:
        """The policy in Chinese."""
        return catalogue()[self.code].name


@dataclass(frozen=True, slots=True)
class Row:
    """One household; persons are named by one character, numbers are masked."""

    taxpayer_id: int
    name: str
    tax_no: str
    org_name: str
    state: str
    was_reached: bool
    contact_kind: str | None
    contact_result: str | None
    contact_at: datetime | None
    reason: str | None
    reason_by: str | None
    reason_at: datetime | None
    reason_source: str | None
    finding_id: int | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Rounds:
    """The rounds that were aimed at a policy's confirmed findings, and the households that they reached."""

    ids: list[int]
    reached: BitMap


async def register_sums(conn: Connection, actor: Actor, year: int, code: str | None = None) -> list[Sums]:
    """The base registers of a year within the scope, in order of their codes."""
    params = {"year": year, "path": actor.org_path, "code": code}
    rows = await (await conn.execute(_SQL["sums"], params)).fetchall()
    by_code: dict[str, dict[str, int]] = {}
    entitled = {row["benefit_code"]: row["n"] for row in rows if row["state"] is None}
    for row in rows:
        states = by_code.setdefault(row["benefit_code"], dict.fromkeys(STATES, 0))
        if row["state"] is not None:
            states[row["state"]] = row["n"]
    return [Sums(name, states, entitled[name]) for name, states in sorted(by_code.items())]


async def rounds_of(conn: Connection, code: str) -> Rounds:
    """The rounds of a policy."""
    rows = await (await conn.execute(_SQL["rounds"], {"term": term_of(code, "unclaimed")})).fetchall()
    ids = [row["round_id"] for row in rows]
    reached = BitMap()
    for round_id in ids:
        reached |= await reached_by_round(conn, round_id)
    return Rounds(ids, reached)


async def register_rows(
    conn: Connection,
    vault: Vault,
    actor: Actor,
    code: str,
    year: int,
    rounds: Rounds,
    *,
    state: str = "",
    after: int = 0,
    limit: int,
) -> list[Row]:
    """Households of a register in order of their ids, those after one. Raises InvalidInput."""
    if state and state not in STATES:
        raise InvalidInput("没有这种状态。", field="state")
    params = {
        "code": code,
        "year": year,
        "path": actor.org_path,
        "rounds": rounds.ids,
        "state": state,
        "after": after,
        "limit": limit,
    }
    rows = await (await conn.execute(_SQL["rows"], params)).fetchall()
    return [_row(vault, row, rounds) for row in rows]


async def reached_count(conn: Connection, actor: Actor, code: str, year: int, rounds: Rounds) -> int:
    """How many households of the register a message has reached."""
    if not rounds.reached:
        return 0
    params = {"code": code, "year": year, "path": actor.org_path}
    (found,) = await fetch_arrays(conn, _SQL["members"], params)
    return from_array(found["ids"]).intersection_cardinality(rounds.reached)


def display_name(vault: Vault, row: Mapping[str, Any]) -> str:
    """A company by its name, a natural person by one character."""
    if row["name"] is not None:
        return str(row["name"])
    if not row["name_enc"]:
        return "（未登记姓名）"
    return mask_name(vault.decrypt("person", "name_enc", row["person_id"], row["name_enc"]))


def shown_number(vault: Vault, row: Mapping[str, Any]) -> str:
    """First and last four characters of the tax number."""
    return mask_tax_no(vault.decrypt("taxpayer", "tax_no_enc", row["taxpayer_id"], row["tax_no_enc"]))


def _row(vault: Vault, row: Mapping[str, Any], rounds: Rounds) -> Row:
    own = {name: row[name] for name in Row.__slots__ if name in row and name != "name"}
    return Row(
        name=display_name(vault, row),
        tax_no=shown_number(vault, row),
        was_reached=row["taxpayer_id"] in rounds.reached,
        **own,
    )


async def give_reason(
    rt: Runtime, actor: Actor, code: str, year: int, taxpayer_ids: Sequence[int], reason: str
) -> int:
    """Why these households do not claim it; with an empty reason they are open again. Returns how many.

    Raises InvalidInput for an unknown reason or a number of households that does not fit, Conflict when one
    is not open in a register of the scope.
    """
    wanted = sorted(set(taxpayer_ids))
    if reason and reason not in REASONS:
        raise InvalidInput(f"原因只能是：{'、'.join(REASONS.values())}。", field="reason")
    if not 1 <= len(wanted) <= MOST:
        raise InvalidInput(f"请勾选 1 到 {MOST} 户。", field="ids")
    async with rt.db.begin() as conn:
        params = {"code": code, "year": year, "path": actor.org_path, "ids": wanted}
        said = {"reason": reason, "by": actor.name}
        rows = await (await conn.execute(_SQL["give_reason"], {**params, **said})).fetchall()
        if len(rows) < len(wanted):
            raise Conflict("有户已经享受，或者不在这个底册和您的数据范围内，请刷新后重新勾选。")
        detail = {"year": year, "households": wanted, "reason": reason}
        await append_audit(conn, actor, "register.reason", f"policy:{code}", detail)
    return len(rows)


async def take_results(rt: Runtime, actor: Actor, code: str, year: int) -> int:
    """Take over what the last calls and visits of the policy's rounds said; returns how many changed."""
    async with rt.db.begin() as conn:
        rounds = await rounds_of(conn, code)
        params = {"code": code, "year": year, "path": actor.org_path, "rounds": rounds.ids}
        rows = await (await conn.execute(_SQL["take_results"], params)).fetchall()
        if rows:
            detail = {"year": year, "n": len(rows)}
            await append_audit(conn, actor, "register.results", f"policy:{code}", detail)
    return len(rows)
