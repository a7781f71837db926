"""What has come of the events of trigger rounds today, as pages show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from campaigns.trigger_rounds import OUTCOMES
from campaigns.trigger_rules import Trigger, trigger_words
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Today:
    """A rule in words, and today's events of the scope: `total = planned + waiting + sum of others`, the
    others by what staff read. `earlier`: events of earlier days that wait, too."""

    words: str
    total: int
    planned: int
    waiting: int
    others: tuple[tuple[str, int], ...]
    earlier: int


async def triggers_today(
    conn: Connection, actor: Actor, rounds: Sequence[dict[str, Any]]
) -> dict[int, Today]:
    """The trigger rounds among rounds that the caller has found visible, by id."""
    rules = {row["id"]: Trigger(**row["trigger"]) for row in rounds if row["trigger"]}
    if not rules:
        return {}
    params = {"ids": list(rules), "path": actor.org_path}
    rows = await (await conn.execute(_SQL["today"], params)).fetchall()
    counts: dict[int, dict[str | None, int]] = {rule: {} for rule in rules}
    earlier = dict.fromkeys(rules, 0)
    for row in rows:
        if row["is_earlier"]:
            earlier[row["round_id"]] += row["n"]
        else:
            counts[row["round_id"]][row["outcome"]] = row["n"]
    return {rule: _today(trigger, counts[rule], earlier[rule]) for rule, trigger in rules.items()}


def _today(trigger: Trigger, counts: dict[str | None, int], earlier: int) -> Today:
    planned, waiting = counts.get("planned", 0), counts.get(None, 0)
    others = tuple(
        (word, counts[code]) for code, word in OUTCOMES.items() if code != "planned" and code in counts
    )
    return Today(trigger_words(trigger), sum(counts.values()), planned, waiting, others, earlier)
