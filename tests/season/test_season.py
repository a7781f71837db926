"""The short form of the suite: every day of the season, with a small city. The long form is `make season`."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from outreach.runtime import Runtime
from tests.season.plan import FIRST_DAY, LAST_DAY, OVERDUE, WAVES
from tests.season.run import play_season

TAXPAYERS, SEED = 2_000, 3

pytestmark = pytest.mark.slow


async def test_every_day_of_the_season_agrees_and_the_effect_built_in_is_found(rt: Runtime) -> None:
    own = replace(rt, settings=rt.settings.model_copy(update={"tick_seconds": 0.03}))
    days: list[dict[str, Any]] = []
    record = await play_season(
        own, taxpayers=TAXPAYERS, seed=SEED, first=FIRST_DAY, last=LAST_DAY, workers=0, show=days.append
    )
    assert len(days) == (LAST_DAY - FIRST_DAY).days + 1
    assert [one["round"] for day in days for one in day["rounds"]] == [w.name for w in (*WAVES, OVERDUE)]
    assert record["effect"][0]["holds"]
    assert record["effect"][0]["built_in"] > 0.05
    assert record["fullest_day"] == 1.0
    assert_something_happened(days)


def assert_something_happened(days: list[dict[str, Any]]) -> None:
    """A season in which nothing fails, nobody refuses and nobody is called would prove little."""
    sent = sum((Counter(states) for day in days for states in day["sent"].values()), Counter[str]())
    assert min(sent[state] for state in ("delivered", "failed", "read")) > 10
    assert {channel for day in days for channel in day["sent"]} == {"sms", "rcs", "wechat", "email"}
    planned = [one for day in days for one in day["rounds"]]
    for reason in ("already_done", "exempt", "opted_out", "held_out", "other_way", "no_address"):
        assert sum(one[reason] for one in planned), reason
    assert sum(day["refused"] for day in days)
    assert days[-1]["worklists"]["attempts"] > 10
    assert days[-1]["worklists"]["open"] == 0
