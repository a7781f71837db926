"""The 错峰, canary and date fields of a round in the campaign form: typed, checked, meant, and back again."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any

from starlette.datastructures import FormData

from campaigns.campaigns import Anchor, Canary
from campaigns.staggering import AXES, Part, Stagger, read_stagger
from outreach.web.console.trigger_form import EMPTY_TRIGGER, trigger_faults, trigger_fields

LISTED = ("category", "tier", "wave")
_TEXTS = ("shares", "cap_day", "cap_hall", "hall_level", "opens")
_CANARY = ("canary", "hold", "failed", "complaint", "opt_out")
_CANARY_MOST = (500, 10_080, 1000, 1000, 1000)
_ANCHOR = ("anchor", "anchor_days")
EMPTY_PLAN: dict[str, str] = {
    **dict.fromkeys((*LISTED, *_TEXTS, *(f"label-{axis}" for axis in AXES), *_ANCHOR), ""),
    "opens": "09:00",
    "hall_level": "0",
    "working_days": "",
    "canary": "",
    "hold": "30",
    "failed": "100",
    "complaint": "1",
    "opt_out": "20",
    **EMPTY_TRIGGER,
}
"""A round without any of it: all are told when it starts."""


def typed_plan(form: FormData, head: str) -> dict[str, str]:
    """The fields below a round's head as they were typed; what the page did not show is as if empty."""
    return {name: str(form.get(f"{head}{name}", EMPTY_PLAN[name])).strip() for name in EMPTY_PLAN} | {
        "working_days": "1" if form.get(f"{head}working_days") else ""
    }


def plan_faults(place: str, typed: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the fields themselves, at its place."""
    found = {}
    for name, most in (("shares", 200), ("cap_day", 10**8), ("cap_hall", 10**7)):
        if typed[name] and not (typed[name].isdecimal() and 1 <= int(typed[name]) <= most):
            found[f"{place}.{name}"] = f"请填写 1 到 {most:,} 的整数，或留空"
    for axis in LISTED:
        for number, line in enumerate(_lines(typed[axis]), start=1):
            if _part_of(line) is None:
                found[f"{place}.{axis}"] = (
                    f"第 {number} 行请写成 名称｜条件｜2026-03-01～2026-03-10，日期可省"
                )
    for name, most in zip(_CANARY, _CANARY_MOST, strict=True):
        if typed[name] and not (typed[name].isdecimal() and int(typed[name]) <= most):
            found[f"{place}.canary"] = f"灰度各项请填写整数，最多 {most:,}"
    if typed["opens"] and _clock(typed["opens"]) is None:
        found[f"{place}.opens"] = "时间写成 09:00 这样，留空按办公时间"
    if bool(typed["anchor"]) != bool(typed["anchor_days"]):
        found[f"{place}.anchor"] = "日期属性和天数要一起填写，或都留空"
    elif typed["anchor_days"] and not typed["anchor_days"].lstrip("-").isdecimal():
        found[f"{place}.anchor"] = "天数请填写整数，之前写负数"
    return found | trigger_faults(place, typed)


def stagger_of(typed: Mapping[str, str]) -> Stagger | None:
    """The rule that faultless fields say; None where all are told at once."""
    parts = {
        axis: tuple(part for line in _lines(typed[axis]) if (part := _part_of(line)) is not None)
        for axis in LISTED
        if _lines(typed[axis])
    }
    numbers = {name: int(typed[name]) if typed[name] else None for name in ("shares", "cap_day", "cap_hall")}
    if not parts and not any(numbers.values()):
        return None
    return Stagger(
        parts,
        numbers["shares"] or 0,
        bool(typed["working_days"]),
        _clock(typed["opens"]),
        numbers["cap_day"],
        numbers["cap_hall"],
        int(typed["hall_level"] or 0),
        {axis: typed[f"label-{axis}"] for axis in AXES if typed[f"label-{axis}"]},
    )


def canary_of(typed: Mapping[str, str]) -> Canary | None:
    """The canary that faultless fields say."""
    if not typed["canary"] or int(typed["canary"]) == 0:
        return None
    failed, complaint, opt_out = (int(typed[name] or 0) for name in _CANARY[2:])
    return Canary(
        int(typed["canary"]), timedelta(minutes=int(typed["hold"] or 0)), failed, complaint, opt_out
    )


def anchor_of(typed: Mapping[str, str]) -> Anchor | None:
    """The date from which faultless fields reckon."""
    return Anchor(typed["anchor"], int(typed["anchor_days"])) if typed["anchor"] else None


def plan_fields(row: Mapping[str, Any]) -> dict[str, str]:
    """A stored round as the form's fields."""
    fields = dict(EMPTY_PLAN)
    rule = read_stagger(row["stagger"])
    if rule is not None:
        fields |= {axis: "\n".join(_line_of(part) for part in rule.parts.get(axis, ())) for axis in LISTED}
        fields |= {f"label-{axis}": rule.labels.get(axis, "") for axis in AXES}
        numbers = {"shares": rule.shares, "cap_day": rule.cap_day, "cap_hall": rule.cap_hall}
        fields |= {name: str(value or "") for name, value in numbers.items()}
        fields |= {
            "hall_level": str(rule.hall_level),
            "working_days": "1" if rule.working_days else "",
            "opens": f"{rule.opens:%H:%M}" if rule.opens else "",
        }
    if row["canary_permille"]:
        fields |= {
            "canary": str(row["canary_permille"]),
            "hold": str(int(row["canary_hold"].total_seconds()) // 60),
            "failed": str(row["canary_failed_permille"]),
            "complaint": str(row["canary_complaint_permille"]),
            "opt_out": str(row["canary_opt_out_permille"]),
        }
    if row["anchor_attribute"] is not None:
        fields |= {"anchor": row["anchor_attribute"], "anchor_days": str(row["anchor_days"])}
    return fields | trigger_fields(row["trigger"])


def segments_of(typed: Mapping[str, str]) -> dict[str, list[str]]:
    """The conditions of every axis, to be checked where the campaign stands."""
    return {
        axis: [part.segment for line in _lines(typed[axis]) if (part := _part_of(line)) is not None]
        for axis in LISTED
    }


def is_planned(typed: Mapping[str, str]) -> bool:
    """Whether anything but the defaults is laid down, so that the panel stands open; a trigger is apart."""
    return any(typed[name] != value for name, value in EMPTY_PLAN.items() if name not in EMPTY_TRIGGER)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _part_of(line: str) -> Part | None:
    name, *rest = (piece.strip() for piece in line.replace("|", "｜").split("｜"))
    if not name or not 1 <= len(rest) <= 2 or not rest[0]:
        return None
    segment, *days = rest
    if not days:
        return Part(name, segment)
    first, mark, last = days[0].replace("~", "～").partition("～")
    try:
        return Part(name, segment, _day(first), _day(last)) if mark else None
    except ValueError:
        return None


def _line_of(part: Part) -> str:
    if part.first_day is None and part.last_day is None:
        return f"{part.name}｜{part.segment}"
    first, last = (day.isoformat() if day else "" for day in (part.first_day, part.last_day))
    return f"{part.name}｜{part.segment}｜{first}～{last}"


def _day(text: str) -> date | None:
    return date.fromisoformat(text.strip()) if text.strip() else None


def _clock(text: str) -> time | None:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return None
