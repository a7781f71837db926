"""What a campaign changed, measured by the households that were held out."""

from typing import Annotated

from fastapi import Query, Request

from outreach.analytics.effect import Arm, Effect, campaign_effect
from outreach.errors import InvalidInput
from outreach.web.api.access import api_routes, cache_of, runtime_of
from outreach.web.api.fields import Model, PathId
from outreach.web.permissions import actor_of

routes = api_routes("/campaigns", "报表")

Strata = Annotated[
    list[str] | None,
    Query(max_length=12, description="分层用的人群表达式，可写多个；按先后每户只归一层，其余自成一层"),
]
Round = Annotated[PathId | None, Query(description="轮次编号：first 与 second 相比")]


class ArmTold(Model):
    """One side: households, and how many of them have acted."""

    households: int
    acted: int
    rate: float


class EffectTold(Model):
    """`difference` and its 95 % interval `low`, `high` are shares (0.042 are 4.2 points), null if a side is
    empty; `more`: households that acted because of the campaign, with the ends of the interval."""

    treated: ArmTold
    control: ArmTold
    difference: float | None
    low: float | None
    high: float | None
    is_certain: bool
    more: tuple[int, int, int] | None


class CampaignEffectTold(Model):
    """`whole` is null if nobody was held out."""

    whole: EffectTold | None
    strata: dict[str, EffectTold]


@routes.get("/{campaign_id}/effect", permission="report.read", summary="提醒的成效：与对照组相比")
async def show(
    request: Request, campaign_id: PathId, stratum: Strata = None, first: Round = None, second: Round = None
) -> CampaignEffectTold:
    """按当前办理标签计算；提醒组含没有送达的户，不挑选。给出两个轮次时，比较两个轮次（如两种文字）。"""
    if (first is None) != (second is None):
        raise InvalidInput("比较两个轮次时，first 和 second 都要写。", field="second")
    found = await campaign_effect(
        runtime_of(request),
        cache_of(request),
        campaign_id,
        actor_of(request).org_id,
        {text: text for text in stratum or ()},
        (first, second) if first is not None and second is not None else None,
    )
    if found is None:
        return CampaignEffectTold(whole=None, strata={})
    return CampaignEffectTold(
        whole=_told(found.whole), strata={name: _told(effect) for name, effect in found.strata.items()}
    )


def _told(effect: Effect) -> EffectTold:
    return EffectTold(
        treated=_arm(effect.treated),
        control=_arm(effect.control),
        difference=effect.difference,
        low=effect.low,
        high=effect.high,
        is_certain=effect.is_certain,
        more=effect.more,
    )


def _arm(arm: Arm) -> ArmTold:
    return ArmTold(households=arm.households, acted=arm.acted, rate=arm.rate)
