"""A forecast as staff may see it: cut to their scope, examples masked, real messages in phones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns.forecast import Forecast, Rung, forecast
from outreach.db.pool import Connection
from outreach.errors import InvalidInput
from outreach.governance.actor import Actor
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from outreach.web.previews import Preview, preview, sample_of
from outreach.web.reads.figures import RoundFigures, scope_members
from outreach.web.reads.taxpayers import taxpayers_by_id

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """A forecast with what surrounds it: `examples` maps a reason to masked households, `phones` a step to
    messages: real ones for whoever may look at taxpayers, a made-up one for others."""

    told: Forecast
    figures: RoundFigures
    examples: Mapping[str, Sequence[dict[str, Any]]]
    phones: Mapping[int, Sequence[Preview]]


async def show_forecast(
    rt: Runtime, cache: SetCache, actor: Actor, round_id: int, steps: Sequence[dict[str, Any]]
) -> Shown:
    """The forecast of a round that the caller has found visible. Raises ExpressionInvalid."""
    async with rt.db.begin() as conn:
        told = await forecast(rt, conn, cache, round_id, within=await scope_members(conn, cache, actor))
        may_look = actor.may("taxpayer.read")
        examples = await _examples(rt, conn, actor, told) if may_look else {}
        phones = {
            rung.step: _real(rt, rung) if may_look and rung.samples else await _made_up(rt, conn, actor, step)
            for rung, step in zip(told.rungs, steps, strict=True)
        }
    figures = RoundFigures(
        told.audience, told.planned, tuple((one.reason, len(one.members)) for one in told.exclusions)
    )
    return Shown(told, figures, examples, phones)


async def _examples(
    rt: Runtime, conn: Connection, actor: Actor, told: Forecast
) -> dict[str, list[dict[str, Any]]]:
    firsts = {one.reason: list(one.members[:_EXAMPLES]) for one in told.exclusions}
    ids = [taxpayer for members in firsts.values() for taxpayer in members]
    rows = await taxpayers_by_id(conn, open_vault(rt.settings), actor, ids)
    return {
        reason: [row for row in rows if row["id"] in members] for reason, members in firsts.items() if members
    }


def _real(rt: Runtime, rung: Rung) -> list[Preview]:
    shown = []
    for sample in rung.samples:
        try:
            shown.append(preview(rung.channel, sample.content, sample.values, rt.settings.signature))
        except InvalidInput:
            # A value is missing for this person: the forecast counts her among those who get nothing.
            continue
    return shown


async def _made_up(rt: Runtime, conn: Connection, actor: Actor, step: Mapping[str, Any]) -> list[Preview]:
    found = await sample_of(rt, conn, actor, step)
    return [found] if found else []
