"""Figures of rounds within a scope: the frozen sets cut to the subtree, and messages by state."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyroaring import AbstractBitMap, BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.labels.cache import SetCache

_SQL = load_queries(__file__)
_LARGEST_PAGE = 500


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """In households: `audience = planned + sum of exclusions` (reason, households), in the gate's order."""

    audience: int
    planned: int
    exclusions: tuple[tuple[str, int], ...]


async def round_figures(
    conn: Connection, cache: SetCache, actor: Actor, round_ids: Sequence[int]
) -> dict[int, RoundFigures]:
    """Figures of the rounds that have been planned. The stored sizes serve whoever sees all of a round;
    others get their own part of each bitmap."""
    whole = await _whole_rounds(conn, actor, round_ids)
    found = await _stored_sizes(conn, whole)
    rest = [round_id for round_id in round_ids if round_id not in whole]
    if rest:
        found |= await _cut_sizes(conn, rest, await scope_members(conn, cache, actor))
    return {round_id: _figures(sizes) for round_id, sizes in found.items()}


async def scope_members(conn: Connection, cache: SetCache, actor: Actor) -> AbstractBitMap:
    """All taxpayers of the scope acted in."""
    return (await cache.load_subtrees(conn, [actor.org_id]))[actor.org_id][1]


async def message_counts(
    conn: Connection, actor: Actor, round_ids: Sequence[int]
) -> dict[tuple[int, int], dict[int, int]]:
    """(round, step) to messages by state, of the org units in scope."""
    params = {"ids": list(round_ids), "path": actor.org_path}
    counts: dict[tuple[int, int], dict[int, int]] = {}
    for row in await (await conn.execute(_SQL["messages"], params)).fetchall():
        counts.setdefault((row["round_id"], row["step"]), {})[row["state"]] = row["n"]
    return counts


def summed(counts: dict[tuple[int, int], dict[int, int]], round_ids: Sequence[int]) -> dict[int, int]:
    """Messages by state over all steps of some rounds."""
    totals: dict[int, int] = {}
    for (round_id, _), states in counts.items():
        if round_id in round_ids:
            for state, n in states.items():
                totals[state] = totals.get(state, 0) + n
    return totals


async def set_members(
    conn: Connection, cache: SetCache, actor: Actor, round_id: int, kind: str, reason: str
) -> BitMap:
    """Who stands behind one figure of a round, within the scope. Raises NotFound for a set it has not."""
    params = {"id": round_id, "kind": kind, "reason": reason}
    row = await (await conn.execute(_SQL["one_set"], params)).fetchone()
    if row is None:
        raise NotFound("这个轮次没有这样的名单。")
    members = BitMap.deserialize(bytes(row["data"]))
    return BitMap(members & await scope_members(conn, cache, actor))


def page_members(members: AbstractBitMap, after: int, limit: int) -> list[int]:
    """The next ids of a set after an id."""
    first = members.rank(after)
    return list(members[first : first + min(limit, _LARGEST_PAGE)])


async def _whole_rounds(conn: Connection, actor: Actor, round_ids: Sequence[int]) -> set[int]:
    params = {"ids": list(round_ids), "path": actor.org_path}
    return {row["id"] for row in await (await conn.execute(_SQL["whole"], params)).fetchall()}


async def _stored_sizes(conn: Connection, round_ids: set[int]) -> dict[int, list[tuple[str, str, int]]]:
    sizes: dict[int, list[tuple[str, str, int]]] = {}
    for row in await (await conn.execute(_SQL["sizes"], {"ids": list(round_ids)})).fetchall():
        sizes.setdefault(row["round_id"], []).append((row["kind"], row["reason"], row["size"]))
    return sizes


async def _cut_sizes(
    conn: Connection, round_ids: Sequence[int], scope: AbstractBitMap
) -> dict[int, list[tuple[str, str, int]]]:
    sizes: dict[int, list[tuple[str, str, int]]] = {}
    for row in await (await conn.execute(_SQL["bitmaps"], {"ids": list(round_ids)})).fetchall():
        size = BitMap.deserialize(bytes(row["data"])).intersection_cardinality(scope)
        sizes.setdefault(row["round_id"], []).append((row["kind"], row["reason"], size))
    return sizes


def _figures(sizes: list[tuple[str, str, int]]) -> RoundFigures:
    by_kind = {kind: size for kind, _, size in sizes if kind != "exclusion"}
    exclusions = tuple((reason, size) for kind, reason, size in sizes if kind == "exclusion")
    return RoundFigures(by_kind.get("audience", 0), by_kind.get("planned", 0), exclusions)
