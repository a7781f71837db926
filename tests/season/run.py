"""A whole season: the city, the processes, every day, and what the campaign has changed."""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np

from outreach.books import compare_books
from outreach.demo.play import Stopwatch
from outreach.governance.audit import verify_audit
from outreach.ledger.audit import audit_everything
from outreach.runtime import Runtime
from tests.bench.stage import ADAPTERS
from tests.season.behaviour import make_model
from tests.season.books import Books
from tests.season.day import Season, Wrong, days_between, live
from tests.season.effect import Found, measure
from tests.season.judge import Played, make_judge
from tests.season.officers import open_office
from tests.season.people import People, draw_people
from tests.season.plan import DEADLINE, OVERDUE, WAVES, caps_of, holdout_of
from tests.season.settling import settle
from tests.season.stage import Stage, staged

_BOOKS_UP_TO = 50_000
"""The product's own comparison holds every entry in memory; a larger city is compared day by day alone."""
_ROUNDS = "select id, campaign_id from round order by campaign_id, ordinal"

Record = dict[str, Any]


async def play_season(
    rt: Runtime,
    *,
    taxpayers: int,
    seed: int,
    first: date,
    last: date,
    workers: int,
    show: Callable[[Record], None],
) -> Record:
    """Live the days in order; returns the record of the season, of which `show` gets each day's. Raises
    Wrong with the day on which something did not hold."""
    watch = Stopwatch()
    with watch.phase("city"):
        people = draw_people(taxpayers, seed)
        await settle(rt, people)
    began = time.monotonic()
    async with staged(rt, people, seed, workers=workers) as stage:
        watch.seconds["start"] = round(time.monotonic() - began, 2)
        season = await _open(stage, people, seed, watch)
        found: list[Found] = []
        for today in days_between(first, last):
            show(await live(season, today))
            if today == min(DEADLINE, last):
                with watch.phase("effect"):
                    found, wrong = await measure(season)
                _refuse(today, wrong)
        with watch.phase("proof"):
            _refuse(last, await _prove(season))
    return _record(season, found, taxpayers, seed)


def _refuse(today: date, wrong: list[str]) -> None:
    if wrong:
        raise Wrong(f"{today}: " + "; ".join(wrong))


def _record(season: Season, found: list[Found], taxpayers: int, seed: int) -> Record:
    return {
        "taxpayers": taxpayers,
        "seed": seed,
        "effect": [{**asdict(one), "holds": one.holds} for one in found],
        "fullest_day": round(season.judge.fullest, 4),
        "unapproved_visits_refused": season.office.refusals,
        "seconds": season.watch.seconds,
        "days": season.days,
    }


async def _open(stage: Stage, people: People, seed: int, watch: Stopwatch) -> Season:
    waves = [(wave, False) for wave in WAVES] + [(OVERDUE, True)]
    rows = await stage.rt.db.fetch(_ROUNDS)
    rounds = {
        row["id"]: Played(row["id"], wave, caps_of(wave, people), is_statutory)
        for row, (wave, is_statutory) in zip(rows, waves, strict=True)
    }
    model = make_model(people, seed)
    judge = make_judge(model, rounds, holdout_of(people), seed)
    office = open_office(stage.rt, people.count, seed)
    nobody = np.zeros(people.count + 1, dtype=bool)
    return Season(stage, model, judge, office, Books(stage), watch, nobody)


async def _prove(season: Season) -> list[str]:
    """Everything once more, from the first row to the last."""
    rt = season.stage.rt
    wrong = [
        f"{audit.name}: {check.name} {check.left} ≠ {check.right}"
        for audit in await audit_everything(rt)
        for check in audit.checks
        if not check.agrees
    ]
    broken = await verify_audit(rt)
    if broken is not None:
        wrong.append(f"the audit chain is broken at {broken}")
    if season.model.people.count <= _BOOKS_UP_TO:
        controls = {ADAPTERS[channel]: control for channel, control in season.stage.controls.items()}
        wrong += [f"books: {books}" for books in await compare_books(rt, controls) if not books.equal]
    return wrong
