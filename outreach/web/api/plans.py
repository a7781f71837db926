"""How a round is laid out: 错峰, the canary, and the taxpayer's own date; its slices once it is planned."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

from pydantic import Field

from campaigns.campaigns import Anchor, Canary
from campaigns.staggering import Part, Stagger
from outreach.web.api.fields import Model, Text
from outreach.web.api.segments import Expression

Label = Annotated[Text, Field(max_length=20)]
_Parts = Annotated[list["PartIn"], Field(max_length=50, default_factory=list)]


class PartIn(Model):
    """One stretch of an axis; whoever is in several belongs to the first."""

    name: Annotated[Text, Field(min_length=1, max_length=40)]
    segment: Expression
    first_day: date | None = None
    last_day: date | None = None


class StaggerIn(Model):
    """Category, tier and wave sort who comes first; days are filled in order, never above a cap (persons).
    `shares`: equal waves instead of `wave`. `opens`: the hour of a day's slice, null for office hours.
    `hall_level`: 1 province … 5 grid, 0 for none. `labels`: words for the axes on the screen."""

    category: _Parts
    tier: _Parts
    wave: _Parts
    shares: Annotated[int, Field(ge=0, le=200)] = 0
    working_days: bool = False
    opens: time | None = time(9)
    cap_day: Annotated[int, Field(ge=1)] | None = None
    cap_hall: Annotated[int, Field(ge=1)] | None = None
    hall_level: Annotated[int, Field(ge=0, le=5)] = 0
    labels: dict[Literal["category", "tier", "wave", "time"], Label] = Field(default={})


class CanaryIn(Model):
    """So many of 1,000 go first and are watched; beyond a limit (of 1,000) the round is paused."""

    permille: Annotated[int, Field(ge=1, le=500)]
    hold_minutes: Annotated[int, Field(ge=1, le=10_080)] = 30
    failed_permille: Annotated[int, Field(ge=0, le=1000)] = 100
    complaint_permille: Annotated[int, Field(ge=0, le=1000)] = 1
    opt_out_permille: Annotated[int, Field(ge=0, le=1000)] = 20


class AnchorIn(Model):
    """A date attribute of the taxpayer, and the days from it to the message (negative: before)."""

    attribute: Annotated[Text, Field(min_length=1, max_length=60)]
    days: Annotated[int, Field(ge=-366, le=366)]


class SliceShown(Model):
    """Persons of a group on a day, over all halls; `busiest`: those of the fullest hall; `planned_on`: the
    day before it was put off; `has_no_day`: put off beyond the window."""

    day: date
    planned_on: date | None
    opens_at: datetime
    label: str
    persons: int
    households: int
    busiest: int | None
    has_no_day: bool
    is_open: bool
    is_cut: bool


def stagger_meant(given: StaggerIn | None) -> Stagger | None:
    """The rule as the campaign holds it."""
    if given is None:
        return None
    axes = {"category": given.category, "tier": given.tier, "wave": given.wave}
    return Stagger(
        {
            axis: tuple(Part(one.name, one.segment, one.first_day, one.last_day) for one in parts)
            for axis, parts in axes.items()
            if parts
        },
        given.shares,
        given.working_days,
        given.opens,
        given.cap_day,
        given.cap_hall,
        given.hall_level,
        {str(axis): label for axis, label in given.labels.items()},
    )


def canary_meant(given: CanaryIn | None) -> Canary | None:
    """The canary as the campaign holds it."""
    if given is None:
        return None
    hold = timedelta(minutes=given.hold_minutes)
    return Canary(
        given.permille, hold, given.failed_permille, given.complaint_permille, given.opt_out_permille
    )


def anchor_meant(given: AnchorIn | None) -> Anchor | None:
    """The date as the campaign holds it."""
    return Anchor(given.attribute, given.days) if given else None
