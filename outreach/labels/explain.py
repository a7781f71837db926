"""Why a taxpayer is in an audience, or why not: the expression in Chinese, true or false at every node,
with the value that decided it and where that fact comes from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from pyroaring import FrozenBitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.cache import SetCache, Source, snapshot
from outreach.labels.evaluate import Facts, bind_text, load_facts, members_of, require_member
from outreach.labels.keys import attribute_key, org_key
from outreach.labels.plan import (
    All,
    Drawn,
    Every,
    Members,
    Named,
    Nothing,
    Plan,
    Range,
    Some,
    Subtree,
    Without,
)
from outreach.labels.slices import Slices, total
from outreach.labels.units import to_text

_SQL = load_queries(__file__)
_PAGE, _MOST_CHANGES = 50, 2000
_NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class Origin:
    """The last change of a fact about the taxpayer: where it comes from, which day it describes, when it
    was taken over."""

    source: str
    as_of: date | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node: a Chinese sentence that is true of the taxpayer, whether the condition holds, the value
    that decided it (as staff read it) and the origin of the fact, if a change of it is on record."""

    sentence: str
    holds: bool
    children: tuple["Explanation", ...] = ()
    value: str | None = None
    origin: Origin | None = None


async def explain(
    source: Source, cache: SetCache, text: str, scope_org_id: int, taxpayer_id: int
) -> Explanation:
    """Explain an expression for one taxpayer of the scope. Raises ExpressionInvalid, NotFound."""
    async with snapshot(source) as conn:
        plan, _ = await bind_text(conn, text, scope_org_id)
        facts = await load_facts(conn, cache, [plan], scope_org_id)
        require_member(facts, taxpayer_id)
        return await _Teller(conn, facts, taxpayer_id).tell(plan)


class _Teller:
    def __init__(self, conn: Connection, facts: Facts, taxpayer_id: int) -> None:
        self._conn = conn
        self._facts = facts
        self._id = taxpayer_id
        self._only = FrozenBitMap([taxpayer_id])

    async def tell(self, plan: Plan) -> Explanation:
        holds = bool(members_of(plan, self._facts, self._only))
        match plan:
            case All():
                return Explanation("在数据范围内", True)
            case Nothing():
                return Explanation("这个条件不含任何人", False)
            case Drawn():
                return Explanation(plan.yes if holds else plan.no, holds)
            case Members():
                return await self._members(plan, holds)
            case Subtree():
                return await self._subtree(plan, holds)
            case Range():
                return await self._range(plan, holds)
            case _:
                return await self._combined(plan, holds)

    async def _combined(self, plan: Plan, holds: bool) -> Explanation:
        match plan:
            case Every(items=items):
                return await self._node("以下条件全部满足", "以下条件没有全部满足", holds, items)
            case Some(items=items):
                return await self._node("以下条件至少满足一个", "以下条件一个也不满足", holds, items)
            case Without(item=item):
                return await self._node("不符合要排除的条件", "符合要排除的条件", holds, [item])
            case Named(name=name, item=item):
                return await self._node(f"在人群“{name}”里", f"不在人群“{name}”里", holds, [item])
        raise TypeError(f"not a node of a plan: {plan!r}")

    async def _node(self, yes: str, no: str, holds: bool, items: Iterable[Plan]) -> Explanation:
        return Explanation(yes if holds else no, holds, tuple([await self.tell(item) for item in items]))

    async def _members(self, plan: Members, holds: bool) -> Explanation:
        holding = [key for key in plan.keys if self._id in self._facts.sets[key]]
        keys = [plan.log_key] if plan.log_key else (holding or plan.keys)
        origin = await self._origin(keys[0]) if len(keys) == 1 or holding else None
        return Explanation(plan.yes if holds else plan.no, holds, origin=origin)

    async def _subtree(self, plan: Subtree, holds: bool) -> Explanation:
        row = await (await self._conn.execute(_SQL["unit_of"], {"taxpayer_id": self._id})).fetchone()
        origin = await self._origin(org_key(row["org_id"])) if row else None
        sentence = plan.yes if holds else plan.no
        return Explanation(sentence, holds, value=row["name"] if row else None, origin=origin)

    async def _range(self, plan: Range, holds: bool) -> Explanation:
        attribute = plan.attribute
        stored, present = total(Slices.of(attribute.code, self._facts.sets), self._only)
        origin = await self._origin(attribute_key(attribute.code))
        if not present:
            return Explanation(f"没有{attribute.name}的数据", False, origin=origin)
        value = to_text(attribute.type, stored)
        verdict = plan.condition if holds else f"不符合“{plan.condition}”"
        return Explanation(f"{attribute.name}为 {value}，{verdict}", holds, value=value, origin=origin)

    async def _origin(self, key: str) -> Origin | None:
        before = _NEWEST
        for _ in range(_MOST_CHANGES // _PAGE):
            params = {"key": key, "taxpayer_id": self._id, "before": before, "limit": _PAGE}
            rows = await (await self._conn.execute(_SQL["changes_of"], params)).fetchall()
            for row in rows:
                if self._touched(row["added"]) or self._touched(row["removed"]):
                    return Origin(row["source"], row["as_of"], row["at"])
            if len(rows) < _PAGE:
                return None
            before = rows[-1]["id"]
        return None

    def _touched(self, data: bytes | None) -> bool:
        return data is not None and self._id in FrozenBitMap.deserialize(data)
