"""What a round would do if it started now: the same exclusions in the same order as the real planning,
without writing anything. What depends on messages of other campaigns (recent contacts) is known only at
the start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroaring import AbstractBitMap, BitMap

from campaigns.exclusions import exclude
from campaigns.holdout import held_out
from outreach.db.pool import Connection
from outreach.governance.actor import Actor
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_texts
from outreach.labels.keys import optout_key, reach_key
from outreach.ledger.kinds import KINDS
from outreach.web.reads.figures import RoundFigures, scope_members
from outreach.web.reads.health import Health

Sets = Mapping[str, AbstractBitMap]


@dataclass(frozen=True, slots=True)
class Rung:
    """A step with the households whose first channel it would be."""

    step: dict[str, Any]
    households: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Households in and out by reason, households by first channel, and how long the sending takes at the
    rates of the open gateways (None where a channel has none)."""

    figures: RoundFigures
    rungs: tuple[Rung, ...]
    minutes: float | None


async def forecast(
    conn: Connection,
    cache: SetCache,
    actor: Actor,
    campaign: Mapping[str, Any],
    round: Mapping[str, Any],
    steps: Sequence[dict[str, Any]],
    health: Health,
) -> Forecast:
    """The forecast within the actor's scope. Raises ExpressionInvalid."""
    texts = {
        "audience": f"({campaign['segment']}) and ({round['segment']})",
        "already_done": campaign["done_segment"],
        "disputed": campaign["dispute_segment"],
        "exempt": campaign["exempt_segment"],
    }
    frozen = await evaluate_texts(conn, cache, texts, campaign["org_id"])
    sets = {name: found.members for name, found in frozen.items()}
    audience = BitMap(sets.pop("audience") & await scope_members(conn, cache, actor))
    open_to = await _open_to(conn, cache, campaign["kind"], [step["channel"] for step in steps])
    planned, exclusions = exclude(audience, _candidates(campaign, audience, sets, open_to))
    figures = RoundFigures(len(audience), len(planned), tuple((e.reason, len(e.members)) for e in exclusions))
    rungs = _rungs(steps, planned, open_to["willing"])
    return Forecast(figures, rungs, _minutes(rungs, health))


async def _open_to(
    conn: Connection, cache: SetCache, kind: str, channels: Sequence[str]
) -> dict[str, dict[str, AbstractBitMap]]:
    keys = [reach_key(channel) for channel in channels] + [optout_key(channel) for channel in channels]
    sets: Sets = await cache.load(conn, [*keys, optout_key("all")])
    reached = {channel: sets[reach_key(channel)] for channel in channels}
    if not KINDS[kind].honours_opt_out:
        return {"reached": reached, "willing": reached}
    willing = {
        channel: members - sets[optout_key(channel)] - sets[optout_key("all")]
        for channel, members in reached.items()
    }
    return {"reached": reached, "willing": willing}


def _candidates(
    campaign: Mapping[str, Any],
    audience: BitMap,
    sets: Sets,
    open_to: Mapping[str, Mapping[str, AbstractBitMap]],
) -> dict[str, BitMap]:
    reachable = BitMap.union(BitMap(), *open_to["reached"].values())
    willing = BitMap.union(BitMap(), *open_to["willing"].values())
    return {
        **{reason: BitMap(members) for reason, members in sets.items()},
        "opted_out": BitMap(reachable - willing),
        "held_out": held_out(audience, campaign["holdout_permille"], campaign["holdout_seed"]),
        "no_address": BitMap(audience - reachable),
    }


def _rungs(
    steps: Sequence[dict[str, Any]], planned: BitMap, willing: Mapping[str, AbstractBitMap]
) -> tuple[Rung, ...]:
    left = BitMap(planned)
    rungs = []
    for step in steps:
        taken = left & willing[step["channel"]]
        left -= taken
        rungs.append(Rung(step, len(taken)))
    return tuple(rungs)


def _minutes(rungs: Sequence[Rung], health: Health) -> float | None:
    longest = 0.0
    for rung in rungs:
        rates = [
            row["rate"]
            for row in health.gateways
            if row["channel"] == rung.step["channel"] and row["state"] == "active"
        ]
        if rung.households and not rates:
            return None
        longest = max(longest, rung.households / sum(rates) / 60 if rates else 0.0)
    return longest
