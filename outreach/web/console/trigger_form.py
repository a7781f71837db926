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
_FIELDS = {
    "event": "trigger",
    "once": "once",
    "days": "once_days",
    "seconds": "stay_seconds",
    "page": "stay_page",
}
_LONGEST_NUMBER = 10


def trigger_faults(place: str, typed: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the fields that count, each at its place."""
    if not typed["trigger"]:
        return {}
    if typed["once"] == "taxpayer" and not _is_number(typed["once_days"] or "0"):
        return {f"{place}.once_days": "天数请填写整数，留空只发一次"}
    if typed["trigger"] == "page_stay" and not _is_number(typed["stay_seconds"] or "0"):
        return {f"{place}.stay_seconds": f"秒数请填写整数，例如 {STAY_SECONDS}"}
    try:
        check_trigger(_meant(typed), place)
    except InvalidInput as error:
        part = str(error.details["field"]).removeprefix(f"{place}.")
        return {f"{place}.{_FIELDS[part]}": error.message}
    return {}


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < _LONGEST_NUMBER


def trigger_of(typed: Mapping[str, str]) -> Trigger | None:
    """The trigger that faultless fields say; None for a round with a date."""
    return _meant(typed) if typed["trigger"] else None


def _meant(typed: Mapping[str, str]) -> Trigger:
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
