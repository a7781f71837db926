"""Surveys as staff see them: the list, how often each option was chosen, and by which groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_texts
from outreach.labels.tree import ExpressionInvalid
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
GROUPS: Mapping[str, str] = {
    "小型微利": "sme_low_profit",
    "重点税源": "key_source",
    "生产经营困难": "in_hardship",
}
"""By which answers are compared: name to expression. A household may stand in several groups, or in none."""


@dataclass(frozen=True, slots=True)
class SurveyGroup:
    """The households of a group that have answered, and how many of them chose an option of a question."""

    name: str
    answered: int
    counts: Mapping[tuple[str, str], int]


async def list_surveys(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Surveys of the scope, newest first, with the households that have answered."""
    return await (await conn.execute(_SQL["list"], {"path": actor.org_path})).fetchall()


async def survey_counts(
    conn: Connection, actor: Actor, survey_id: int
) -> tuple[int, dict[tuple[str, str], int]]:
    """How many households of the scope have answered, and (question, option or number) to households."""
    answered, choosers = await _choosers(conn, actor, survey_id)
    return len(answered), {choice: len(ids) for choice, ids in choosers.items()}


async def survey_groups(rt: Runtime, actor: Actor, survey_id: int) -> Sequence[SurveyGroup]:
    """As `survey_counts`, for each group of which somebody has answered; none where the catalogue lacks their
    labels."""
    try:
        frozen = await evaluate_texts(rt, SetCache(), GROUPS, actor.org_id)
    except ExpressionInvalid:
        return []
    async with rt.db.begin() as conn:
        answered, choosers = await _choosers(conn, actor, survey_id)
    groups = [
        SurveyGroup(
            name, len(one.members & answered), {key: len(one.members & ids) for key, ids in choosers.items()}
        )
        for name, one in frozen.items()
    ]
    return [group for group in groups if group.answered]


async def _choosers(
    conn: Connection, actor: Actor, survey_id: int
) -> tuple[BitMap, dict[tuple[str, str], BitMap]]:
    params = {"path": actor.org_path, "id": survey_id}
    whole = await (await conn.execute(_SQL["who_answered"], params)).fetchone()
    rows = await (await conn.execute(_SQL["choosers"], params)).fetchall()
    assert whole is not None
    return BitMap(whole["ids"]), {(row["question"], row["option"]): BitMap(row["ids"]) for row in rows}
