"""The trigger of a round in the campaign form: typed, checked, meant, and back again."""

from collections.abc import Mapping
from typing import Any

from campaigns.trigger_rules import ONCE, STAY_SECONDS, Trigger, check_trigger, read_trigger
from outreach.errors import InvalidInput

EMPTY_TRIGGER: dict[str, str] = {
    "trigger": "",
    "once": "event",
    "once_days": "",
    "stay_seconds": str(STAY_SECONDS),
    "stay_page": "",
}
"""A round that waits for no event."""


def trigger_faults(place: str, typed: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the fields, at its place."""
    numbers = (typed["once_days"] or "0", typed["stay_seconds"] or str(STAY_SECONDS))
    if typed["trigger"] and not all(one.isdecimal() and len(one) < 10 for one in numbers):
        return {f"{place}.trigger": "停留秒数和间隔天数请填写整数"}
    trigger = trigger_of(typed)
    try:
        if trigger is not None:
            check_trigger(trigger, f"{place}.trigger")
    except InvalidInput as error:
        return {f"{place}.trigger": error.message}
    return {}


def trigger_of(typed: Mapping[str, str]) -> Trigger | None:
    """The trigger that faultless fields say; None for a round with a date."""
    if not typed["trigger"]:
        return None
    days = int(typed["once_days"] or 0) if typed["once"] == "taxpayer" else 0
    if typed["trigger"] != "page_stay":
        return Trigger(typed["trigger"], typed["once"], days)
    seconds = int(typed["stay_seconds"] or STAY_SECONDS)
    return Trigger(typed["trigger"], typed["once"], days, seconds, typed["stay_page"])


def trigger_fields(stored: Mapping[str, Any] | None) -> dict[str, str]:
    """A stored trigger as the form's fields."""
    trigger = read_trigger(stored)
    if trigger is None:
        return dict(EMPTY_TRIGGER)
    return {
        "trigger": trigger.event,
        "once": trigger.once if trigger.once in ONCE else "event",
        "once_days": str(trigger.days or ""),
        "stay_seconds": str(trigger.seconds),
        "stay_page": trigger.page,
    }


def is_triggered(typed: Mapping[str, str]) -> bool:
    """Whether the round waits for an event, so that the panel stands open."""
    return bool(typed["trigger"])
