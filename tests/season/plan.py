"""The season of 2026 as a planner would sign it: the recipe, its phases spread over working days.

Spring Festival (15 to 23 February), Qingming (4 to 6 April), May Day (1 to 5 May) and Dragon Boat (19 to
21 June) lie inside its windows, and so do the make-up Saturdays 28 February and 9 May.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from math import ceil, sqrt

import numpy as np

from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft
from campaigns.recipes import LADDER, draft_of, load_recipes
from campaigns.staggering import Part, Stagger
from outreach.clock import BEIJING
from tests.season.people import CITY, People

TAX_YEAR = 2025
FIRST_DAY, LAST_DAY = date(2026, 2, 20), date(2026, 7, 15)
DEADLINE = date(2026, 6, 30)
WAIT = timedelta(days=2)
HALL_LEVEL = 4
SPOKEN = ("call", "visit")
DUTIES = ("iit.must_file", "iit.refund_expected", "iit.topup_expected")
_HOLDOUT = ((20_000, 300), (200_000, 100), (2**31, 50))
"""Up to so many households, so many of 1,000 are held out: a small city needs a large control group."""
_SLACK = 1.15


@dataclass(frozen=True, slots=True)
class Wave:
    """A round. `duties`: the labels of whom it is for; `load`: the share of all households that it is
    expected to tell, and `days` the working days that it has for them, from which its caps follow;
    `units_first`: days that those whose employer files have for themselves."""

    name: str
    stage: str
    starts_at: datetime
    ends_at: datetime
    duties: Sequence[str]
    load: float
    days: int
    opens: time = time(9)
    units_first: tuple[date, date] | None = None
    spoken: bool = False

    @property
    def segment(self) -> str:
        """Whom of the campaign's segment it is for."""
        return "everyone" if self.duties == DUTIES else " or ".join(self.duties)


@dataclass(frozen=True, slots=True)
class Caps:
    """Persons a day, of the whole round and of each hall."""

    day: int
    hall: int


def _at(month: int, day: int, hour: int) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=BEIJING)


WAVES = (
    Wave("第一轮·预热", "A1", _at(2, 20, 9), _at(2, 28, 20), DUTIES, 0.65, 5),
    Wave(
        "第二轮·错峰",
        "A3",
        _at(3, 15, 9),
        _at(4, 17, 20),
        DUTIES,
        0.65,
        24,
        units_first=(date(2026, 3, 16), date(2026, 3, 31)),
    ),
    Wave("第三轮·应退", "B1", _at(4, 27, 9), _at(5, 15, 20), ("iit.refund_expected",), 0.40, 13),
    Wave(
        "第四轮·催办",
        "B2",
        _at(5, 20, 7),
        _at(6, 5, 20),
        ("iit.must_file",),
        0.25,
        13,
        opens=time(7),
        spoken=True,
    ),
    Wave("第五轮·临期", "C1", _at(6, 20, 9), _at(6, 30, 20), ("iit.must_file",), 0.25, 7, spoken=True),
)
OVERDUE = Wave("逾期提示", "D1", _at(7, 1, 9), _at(7, 15, 20), ("iit.must_file",), 0.25, 11)


def caps_of(wave: Wave, people: People) -> Caps:
    """A little more than what the days need on average: of all, and of the largest hall, which chance may
    have given more than its part."""
    largest = np.bincount(people.hall[1:]).max() / people.count
    told = people.count * wave.load * _SLACK
    chance = 3 * sqrt(told * largest)
    return Caps(ceil(told / wave.days) + 1, ceil((told * largest + chance) / wave.days) + 1)


def holdout_of(people: People) -> int:
    """Households of 1,000 in the control group."""
    return next(permille for most, permille in _HOLDOUT if people.count <= most)


def draft_season(people: People, seed: int) -> CampaignDraft:
    """The reminders: five rounds, each built on what came of those before."""
    recipe = draft_of(load_recipes()["iit"], year=TAX_YEAR, org_id=CITY, code="iit-2025")
    rounds = tuple(_round(wave, people) for wave in WAVES)
    return replace(recipe, rounds=rounds, holdout_permille=holdout_of(people), holdout_seed=seed)


def draft_overdue(people: People, season: CampaignDraft) -> CampaignDraft:
    """What the law wants said after the deadline: also to the control group, and to whoever has refused."""
    return replace(
        season,
        code="iit-2025-overdue",
        name="2025年度个人所得税综合所得汇算清缴逾期提示",
        purpose="提示逾期未办理的纳税人尽快办理",
        kind="overdue",
        rounds=(_round(OVERDUE, people),),
        holdout_permille=0,
        quota_messages=None,
        quota_days=None,
    )


def _round(wave: Wave, people: People) -> RoundDraft:
    caps = caps_of(wave, people)
    parts = {}
    if wave.units_first:
        parts = {
            "wave": (Part("单位代办", "iit.unit_filing", *wave.units_first), Part("个人自办", "everyone"))
        }
    stagger = Stagger(
        parts,
        working_days=True,
        opens=wave.opens,
        cap_day=caps.day,
        cap_hall=caps.hall,
        hall_level=HALL_LEVEL,
    )
    ladder = LADDER + (SPOKEN if wave.spoken else ())
    steps = tuple(StepDraft(channel, f"iit_{wave.stage}", WAIT) for channel in ladder)
    return RoundDraft(wave.name, wave.starts_at, wave.ends_at, steps, wave.segment, stagger)
