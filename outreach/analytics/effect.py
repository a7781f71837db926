"""What a campaign changed: whoever was told against whoever was held out by chance, on the act itself; or one
text against another, where two rounds tell parts that chance has drawn (`sample 0 to 500 seed 7`).

The control group falls out before anything else that the campaign decides (`outreach.ledger.reasons`), so it
is compared with everybody who was not held out: also those whom no message could reach. That is the effect of
running the campaign (intention to treat); comparing only those who were reached would praise the campaign for
having met the diligent. Strata are added up with Mantel and Haenszel's weights (Cochran 1954), so that
different shares in them cannot pretend an effect; the interval is Agresti and Caffo's (The American
Statistician 54, 2000), which holds for small groups too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_texts, scope_set
from outreach.ledger.reasons import REASONS
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_NORMAL_95 = 1.959963984540054
_BEFORE_CONTROL = tuple(REASONS)[: tuple(REASONS).index("held_out")]


@dataclass(frozen=True, slots=True)
class Arm:
    """Households of one side and how many of them have acted."""

    households: int
    acted: int

    @property
    def rate(self) -> float:
        """The share that has acted; 0 of nobody."""
        return self.acted / self.households if self.households else 0.0


@dataclass(frozen=True, slots=True)
class Effect:
    """Two arms over all strata. `difference` and its 95 % interval are shares (0.042 are 4.2 points);
    None if a side is empty."""

    treated: Arm
    control: Arm
    difference: float | None
    low: float | None
    high: float | None

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high

    @property
    def more(self) -> tuple[int, int, int] | None:
        """Households that acted because of the campaign: estimate, low and high end."""
        if self.difference is None or self.low is None or self.high is None:
            return None
        least, most = round(self.low * self.treated.households), round(self.high * self.treated.households)
        return round(self.difference * self.treated.households), least, most


@dataclass(frozen=True, slots=True)
class CampaignEffect:
    """The whole, and each stratum under the name that its expression bears."""

    whole: Effect
    strata: dict[str, Effect]


async def campaign_effect(
    rt: Runtime,
    cache: SetCache,
    campaign_id: int,
    scope_org_id: int,
    strata: Mapping[str, str] | None = None,
    rounds: tuple[int, int] | None = None,
) -> CampaignEffect | None:
    """The effect of a campaign within a scope, or None if nobody was held out; of two of its `rounds`: the
    first against the second. `strata`: name to expression; the first that holds a household counts, the rest
    is a stratum of its own. Raises NotFound, ExpressionInvalid."""
    async with rt.db.begin() as conn:
        head = await (
            await conn.execute(SQL["campaign_of"], {"campaign_id": campaign_id, "scope": scope_org_id})
        ).fetchone()
        if head is None:
            raise NotFound("没有这个活动")
        scope = BitMap(await scope_set(conn, cache, scope_org_id))
        meant, held = await _sides(conn, campaign_id)
        told = BitMap.union(BitMap(), *meant.values())
        if rounds is None:
            treated, control = told - held, held - told
        elif rounds[0] in meant and rounds[1] in meant:
            treated, control = meant[rounds[0]] - meant[rounds[1]], meant[rounds[1]] - meant[rounds[0]]
        else:
            raise NotFound("这个活动没有这两个轮次，或者它们还没有开始。")
        treated &= scope
        control &= scope
        texts = {"": head["done_segment"], **(strata or {})}
        found = await evaluate_texts(conn, cache, texts, scope_org_id)
    if not control:
        return None
    done = BitMap(found.pop("").members)
    parts = _parts(treated | control, {name: BitMap(held.members) for name, held in found.items()})
    counted = {name: _arms(held, treated, control, done) for name, held in parts.items()}
    return CampaignEffect(
        compare(list(counted.values())), {name: compare([arms]) for name, arms in counted.items()}
    )


async def _sides(conn: Connection, campaign_id: int) -> tuple[dict[int, BitMap], BitMap]:
    """Whom each round had to tell, and whoever was held out of any."""
    rows = await (await conn.execute(SQL["sets_of"], {"campaign_id": campaign_id})).fetchall()
    meant: dict[int, BitMap] = {}
    control = BitMap()
    for row in rows:
        members = BitMap.deserialize(bytes(row["data"]))
        if row["kind"] == "audience":
            meant[row["round_id"]] = members
        elif row["reason"] in _BEFORE_CONTROL:
            meant[row["round_id"]] -= members
        else:
            control |= members
            meant[row["round_id"]] -= members
    return meant, control


def _parts(everybody: BitMap, strata: Mapping[str, BitMap]) -> dict[str, BitMap]:
    parts, left = {}, BitMap(everybody)
    for name, members in strata.items():
        parts[name] = left & members
        left -= members
    return parts | ({"其余" if strata else "全部": left} if left or not strata else {})


def _arms(members: BitMap, treated: BitMap, control: BitMap, done: BitMap) -> tuple[Arm, Arm]:
    told, kept = members & treated, members & control
    return Arm(len(told), len(told & done)), Arm(len(kept), len(kept & done))


def compare(strata: Sequence[tuple[Arm, Arm]]) -> Effect:
    """Treated against control, each stratum against itself. Strata with an empty side say nothing."""
    treated = Arm(sum(one.households for one, _ in strata), sum(one.acted for one, _ in strata))
    control = Arm(sum(other.households for _, other in strata), sum(other.acted for _, other in strata))
    both = [(one, other) for one, other in strata if one.households and other.households]
    if not both:
        return Effect(treated, control, None, None, None)
    weights = [one.households * other.households / (one.households + other.households) for one, other in both]
    whole = sum(weights)
    difference = (
        sum(weight * (one.rate - other.rate) for weight, (one, other) in zip(weights, both, strict=True))
        / whole
    )
    middle, variance = 0.0, 0.0
    for weight, (one, other) in zip(weights, both, strict=True):
        share = weight / whole
        first, second = _with_two_more(one, len(both)), _with_two_more(other, len(both))
        middle += share * (first[0] - second[0])
        variance += share * share * (first[1] + second[1])
    reach = _NORMAL_95 * sqrt(variance)
    return Effect(treated, control, difference, max(-1.0, middle - reach), min(1.0, middle + reach))


def _with_two_more(arm: Arm, strata: int) -> tuple[float, float]:
    """Rate and its variance after a success and a failure have been added, shared among the strata."""
    added = 1.0 / strata
    households = arm.households + 2 * added
    rate = (arm.acted + added) / households
    return rate, rate * (1 - rate) / households
