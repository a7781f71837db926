"""The effect that the product finds by its control group, against the one that was built in."""

from dataclasses import dataclass

import numpy as np

from outreach.analytics.effect import Effect, campaign_effect
from outreach.labels.cache import SetCache
from tests.season.behaviour import true_effect
from tests.season.day import Season
from tests.season.people import PROVINCE

WHOLE = "全部"
_STRATA = {"必须办理": "iit.must_file", "应退": "iit.refund_expected"}


@dataclass(frozen=True, slots=True)
class Found:
    """All in shares: what was built in, what was found, its 95 % interval; households on both sides and those
    of them that have filed."""

    name: str
    built_in: float
    found: float
    low: float
    high: float
    told: int
    told_filed: int
    control: int
    control_filed: int

    @property
    def holds(self) -> bool:
        """Whether the interval has the truth in it."""
        return self.low <= self.built_in <= self.high


async def measure(season: Season) -> tuple[list[Found], list[str]]:
    """The whole first, then its strata; and where the product's sides are not the true ones, in words."""
    measured = await campaign_effect(
        season.stage.rt, SetCache(), season.stage.season_id, PROVINCE, strata=_STRATA
    )
    assert measured is not None
    effects = {WHOLE: measured.whole, **measured.strata}
    told, model = season.told, season.model
    parts = {WHOLE: told} | {name: told & model.people.labels[code] for name, code in _STRATA.items()}
    found, wrong = [], []
    for name, flags in parts.items():
        effect, households = effects[name], np.flatnonzero(flags)
        found.append(_found(name, effect, true_effect(model, households)))
        filed = int(model.has_filed()[households].sum())
        if (effect.treated.households, effect.treated.acted) != (len(households), filed):
            wrong.append(f"{name}: {effect.treated} instead of {len(households)} told, {filed} of them filed")
    if not found[0].holds:
        wrong.append(f"the effect that is built in is not found: {found[0]}")
    return found, wrong


def _found(name: str, effect: Effect, built_in: float) -> Found:
    assert effect.difference is not None and effect.low is not None and effect.high is not None
    return Found(
        name,
        built_in,
        effect.difference,
        effect.low,
        effect.high,
        effect.treated.households,
        effect.treated.acted,
        effect.control.households,
        effect.control.acted,
    )
