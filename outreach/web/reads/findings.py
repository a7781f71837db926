"""Findings of a scope: figures by policy, lists, one with what has changed. Evidence is opened here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.governance.vault import Vault
from outreach.statements.findings import STATES, PolicyCounts, count_by_policy
from outreach.statements.money import plain
from outreach.statements.register import display_name, shown_number
from outreach.statements.rules import catalogue
from outreach.statements.scan import DIRECTIONS
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)
_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings; empty: all. `unit`: an org unit within the scope, 0 for all of it."""

    year: int
    code: str = ""
    direction: str = ""
    state: str = ""
    unit: int = 0


async def count_findings(conn: Connection, actor: Actor, year: int, unit: int = 0) -> list[PolicyCounts]:
    """By policy and direction, those with the most to verify first. Raises NotFound for a foreign unit."""
    return await count_by_policy(conn, year, await _path(conn, actor, unit))


async def list_findings(
    conn: Connection, vault: Vault, actor: Actor, wanted: Wanted, *, cursor: str = "", limit: int = PAGE
) -> Page:
    """Current findings in the order in which they were found. Raises InvalidInput, NotFound."""
    _check(wanted)
    params: dict[str, Any] = {
        "year": wanted.year,
        "code": wanted.code,
        "direction": wanted.direction,
        "state": wanted.state,
        "path": await _path(conn, actor, wanted.unit),
        "after": decode_numbers(cursor, 1)[0] if cursor else 0,
        "limit": limit + 1,
    }
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of([_opened(vault, row) for row in rows], limit, "id")


async def find_finding(conn: Connection, vault: Vault, actor: Actor, finding_id: int) -> dict[str, Any]:
    """One version with the one before it (`before`, None for the first), the one after it (`newer`) and the
    household's `others`. Raises NotFound outside the scope."""
    params = {"id": finding_id, "path": actor.org_path}
    row = await (await conn.execute(_SQL["one"], params)).fetchone()
    if row is None:
        raise NotFound("没有这条疑点，或者它不在您的数据范围内。")
    found = _opened(vault, row) | {"newer": row["newer"]}
    before = await (await conn.execute(_SQL["one"], {**params, "id": row["supersedes"]})).fetchone()
    others = {"taxpayer_id": row["taxpayer_id"], "id": finding_id}
    found["others"] = [
        {**one, "name": catalogue()[one["benefit_code"]].name}
        for one in await (await conn.execute(_SQL["others"], others)).fetchall()
    ]
    found["before"] = _opened(vault, before) if before else None
    return found


async def scanned_years(conn: Connection) -> dict[int, datetime]:
    """Years that have been scanned, the newest first, and when."""
    return {row["year"]: row["at"] for row in await (await conn.execute(_SQL["years"])).fetchall()}


def sentence(direction: str, evidence: Mapping[str, Any]) -> str:
    """The heart of the evidence in one sentence."""
    first, count = evidence["entries"][0], len(evidence["entries"])
    more = f"（共 {count} 项）" if count > 1 else ""
    if direction == "wrong":
        return f"{first['reason']}{more}"
    if direction == "cliff":
        value, limit, left = (plain(Decimal(first[name])) for name in ("value", "limit", "distance"))
        where = f"超过上限 {left[1:]}" if left.startswith("-") else f"距上限还有 {left}"
        return f"{first['what']} {value}，上限 {limit}，{where}{more}"
    if first["amount"] is None:
        return "标签表明符合条件，没有享受记录；金额待申报时计算"
    return f"{first['formula']}{more}"


async def _path(conn: Connection, actor: Actor, unit: int) -> str:
    if not unit:
        return actor.org_path
    row = await (await conn.execute(_SQL["unit"], {"id": unit})).fetchone() if unit <= _LARGEST_ID else None
    if row is None or not actor.reaches(row["path"]):
        raise NotFound("没有这个机构，或者它不在您的数据范围内。")
    return str(row["path"])


def _check(wanted: Wanted) -> None:
    known = (
        (wanted.code, catalogue(), "没有这个优惠代码。", "code"),
        (wanted.direction, DIRECTIONS, "没有这个方向。", "direction"),
        (wanted.state, STATES, "没有这种状态。", "state"),
    )
    for value, words, message, field in known:
        if value and value not in words:
            raise InvalidInput(message, field=field)


def _opened(vault: Vault, row: Mapping[str, Any]) -> dict[str, Any]:
    sealed = row["evidence_enc"]
    evidence = orjson.loads(vault.decrypt("finding", "evidence_enc", row["id"], sealed))
    kept = (
        "id", "taxpayer_id", "benefit_code", "direction", "year", "version", "supersedes", "state", "reason",
        "verified_by", "verified_at", "found_at", "kind", "org_name",
    )  # fmt: skip
    return {
        **{name: row[name] for name in kept},
        "household": display_name(vault, row),
        "tax_no": shown_number(vault, row),
        "name": evidence["name"],
        "evidence": evidence,
        "amount": Decimal(evidence["amount"]) if evidence["amount"] is not None else None,
        "sentence": sentence(row["direction"], evidence),
    }
