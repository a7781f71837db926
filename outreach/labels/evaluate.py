"""Expressions to sets: the one place where bitmaps are composed.

Every node is computed within what is left of the scope, so nothing outside it can appear, `not` is relative
to it, and a cheap condition spares an expensive one most of its work.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyroaring import AbstractBitMap, FrozenBitMap

from outreach.db.pool import Connection
from outreach.errors import NotFound
from outreach.labels.bind import bind
from outreach.labels.bitmaps import EMPTY, frozen, union
from outreach.labels.cache import SetCache, Source, snapshot
from outreach.labels.draw import drawn
from outreach.labels.keys import attribute_keys
from outreach.labels.language import parse
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
    walk_plan,
)
from outreach.labels.slices import Slices, between
from outreach.labels.text import to_text
from outreach.labels.vocabulary import load_vocabulary


@dataclass(frozen=True, slots=True)
class Frozen:
    """The members of an expression at one moment.

    `text` is the expression in codes with saved segments written out; `versions` names every set that was
    read with its newest version, and org subtrees as `under:<id>` with their fingerprint.
    """

    members: FrozenBitMap
    text: str
    versions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Facts:
    """All sets that some plans read, of one moment, and the scope that nothing may leave."""

    scope: FrozenBitMap
    sets: Mapping[str, FrozenBitMap]
    subtrees: Mapping[int, FrozenBitMap]
    versions: Mapping[str, int]


async def count(source: Source, cache: SetCache, text: str, scope_org_id: int) -> int:
    """How many taxpayers of the scope an expression holds. Raises ExpressionInvalid, NotFound."""
    return len((await evaluate_text(source, cache, text, scope_org_id)).members)


async def evaluate_text(source: Source, cache: SetCache, text: str, scope_org_id: int) -> Frozen:
    """The taxpayers of the scope that an expression holds. Raises ExpressionInvalid, NotFound."""
    return (await evaluate_texts(source, cache, {"": text}, scope_org_id))[""]


async def evaluate_texts(
    source: Source, cache: SetCache, texts: Mapping[str, str], scope_org_id: int
) -> dict[str, Frozen]:
    """Several expressions at one moment (with a connection of the caller: as one moment as its isolation
    level makes it). Raises ExpressionInvalid, NotFound."""
    async with snapshot(source) as conn:
        bound = {name: await bind_text(conn, text, scope_org_id) for name, text in texts.items()}
        facts = await load_facts(conn, cache, [plan for plan, _ in bound.values()], scope_org_id)
    return {name: _frozen(plan, text, facts) for name, (plan, text) in bound.items()}


async def scope_set(source: Source, cache: SetCache, scope_org_id: int) -> FrozenBitMap:
    """All taxpayers of an org unit and the units below it. Raises NotFound."""
    return (await evaluate_text(source, cache, "everyone", scope_org_id)).members


async def check_text(source: Source, text: str, scope_org_id: int | None = None) -> str:
    """Read and resolve an expression without computing it; the same in codes.

    Without a scope, names of org units and segments are looked for everywhere. Raises ExpressionInvalid.
    """
    async with snapshot(source) as conn:
        return (await bind_text(conn, text, scope_org_id))[1]


async def bind_text(conn: Connection, text: str, scope_org_id: int | None) -> tuple[Plan, str]:
    """The plan of an expression and its text in codes. Raises ExpressionInvalid, NotFound."""
    tree = parse(text)
    plan, said = bind(tree, await load_vocabulary(conn, tree, text, scope_org_id), text)
    return plan, to_text(said)


async def load_facts(conn: Connection, cache: SetCache, plans: Collection[Plan], scope_org_id: int) -> Facts:
    """Everything that the plans read, from the cache where it is still true. Raises NotFound."""
    keys, org_ids = _needs(plans)
    subtrees = await cache.load_subtrees(conn, {*org_ids, scope_org_id})
    sets, versions = await cache.load_versioned(conn, keys)
    stamps = {f"under:{org_id}": stamp for org_id, (stamp, _) in subtrees.items()}
    members = {org_id: subtree for org_id, (_, subtree) in subtrees.items()}
    return Facts(members[scope_org_id], sets, members, {**versions, **stamps})


def members_of(plan: Plan, facts: Facts, within: AbstractBitMap | None = None) -> FrozenBitMap:
    """Those of the scope (or of `within`, which must lie inside it) that the plan holds."""
    base = facts.scope if within is None else within & facts.scope
    return frozen(_compute(plan, facts, base))


def require_member(facts: Facts, taxpayer_id: int) -> None:
    """Raises NotFound unless the taxpayer lies in the scope."""
    if taxpayer_id not in facts.scope:
        raise NotFound("没有这户纳税人，或者不在您的数据范围内。")


def _frozen(plan: Plan, text: str, facts: Facts) -> Frozen:
    keys, org_ids = _needs([plan])
    names = [*keys, *(f"under:{org_id}" for org_id in org_ids)]
    return Frozen(members_of(plan, facts), text, {name: facts.versions[name] for name in sorted(names)})


def _needs(plans: Collection[Plan]) -> tuple[set[str], set[int]]:
    keys: set[str] = set()
    org_ids: set[int] = set()
    for plan in plans:
        for node in walk_plan(plan):
            match node:
                case Members(keys=names):
                    keys.update(names)
                case Range(attribute=attribute):
                    keys.update(attribute_keys(attribute.code))
                case Subtree(org_id=org_id):
                    org_ids.add(org_id)
    return keys, org_ids


def _compute(plan: Plan, facts: Facts, within: AbstractBitMap) -> AbstractBitMap:
    match plan:
        case All():
            return within
        case Nothing():
            return EMPTY
        case Members() | Subtree():
            return within & _whole(plan, facts)
        case Range():
            return _compute_range(plan, facts, within)
        case Drawn(low=low, high=high, seed=seed):
            return drawn(within, low, high, seed)
        case Named(item=item):
            return _compute(item, facts, within)
        case Without(item=Members() | Subtree() as item):
            return within - _whole(item, facts)
        case Without(item=item):
            return within - _compute(item, facts, within)
        case Every(items=items):
            for item in sorted(items, key=lambda each: _effort(each, facts)):
                within = _compute(item, facts, within) if within else within
            return within
        case Some(items=items):
            plain = [_whole(item, facts) for item in items if isinstance(item, Members | Subtree)]
            others = [item for item in items if not isinstance(item, Members | Subtree)]
            return union([within & union(plain), *(_compute(item, facts, within) for item in others)])


def _whole(plan: Members | Subtree, facts: Facts) -> FrozenBitMap:
    if isinstance(plan, Subtree):
        return facts.subtrees[plan.org_id]
    return union(facts.sets[key] for key in plan.keys)


def _compute_range(plan: Range, facts: Facts, within: AbstractBitMap) -> AbstractBitMap:
    slices = Slices.of(plan.attribute.code, facts.sets)
    inside = between(slices, plan.low, plan.high, within)
    return (within & slices.exists) - inside if plan.outside else inside


def _effort(plan: Plan, facts: Facts) -> int:
    match plan:
        case Nothing():
            return 0
        case All():
            return len(facts.scope)
        case Members(keys=keys):
            return sum(len(facts.sets[key]) for key in keys)
        case Subtree(org_id=org_id):
            return len(facts.subtrees[org_id])
        case Range(attribute=attribute):
            return 10 * len(facts.scope) + len(facts.sets[attribute_keys(attribute.code)[0]])
        case Drawn():
            # A hash for each of those who are left: last.
            return 100 * len(facts.scope)
        case Named(item=item):
            return _effort(item, facts)
        case Without(item=item):
            return len(facts.scope) + _effort(item, facts)
        case Every(items=items) | Some(items=items):
            return sum(_effort(item, facts) for item in items)
