"""What an event tells beside its type: checked type by type, so that nothing that a rule needs is missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any

from outreach.errors import InvalidInput

_LONGEST_STAY = 86_400
_LONGEST_TEXT = 100
_GRADES = "ABMCD"
_FAULTS_TOLD = 50


@dataclass(frozen=True, slots=True)
class _Detail:
    """`fits` tells whether a value can be read, `form` what it should be."""

    fits: Callable[[Any], bool]
    form: str
    required: bool = True


def _is_stay(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isfinite(value) and 0 <= value <= _LONGEST_STAY


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LONGEST_TEXT


def _is_grade(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 1 and value in _GRADES


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


_TEXT = f"1 到 {_LONGEST_TEXT} 个字的文字"
_GRADE = "A、B、M、C、D 之一"

DETAILS: Mapping[str, Mapping[str, _Detail]] = {
    "page_stay": {
        "seconds": _Detail(_is_stay, f"0 到 {_LONGEST_STAY:,} 的数字（秒，可带小数）"),
        "session": _Detail(_is_text, f"会话编号，{_TEXT}"),
        "page": _Detail(_is_text, f"页面编码，{_TEXT}", required=False),
    },
    "credit_changed": {"before": _Detail(_is_grade, _GRADE), "after": _Detail(_is_grade, _GRADE)},
    "deferral_maturing": {"matures_on": _Detail(_is_day, "到期日，写成 2026-07-31")},
}
"""Event type to its details; the other types have none."""


def check_details(told: Sequence[tuple[str, Mapping[str, Any]]], known: frozenset[str]) -> None:
    """Look at the type and the details of each event of a report. Raises InvalidInput, with the place of
    every fault, for a type that is not `known` or details that do not fit theirs."""
    faults = [
        {"field": f"events.{number}.{place}", "reason": f"第 {number + 1} 条：{reason}"}
        for number, (kind, details) in enumerate(told)
        for place, reason in _faults(kind, details, known)
    ]
    if faults:
        raise InvalidInput(faults[0]["reason"], field=faults[0]["field"], faults=faults[:_FAULTS_TOLD])


def _faults(kind: str, details: Mapping[str, Any], known: frozenset[str]) -> list[tuple[str, str]]:
    if kind not in known:
        return [("type", f"没有事件类型 {kind}")]
    wanted = DETAILS.get(kind, {})
    found = [
        (f"details.{name}", f"{kind} 事件的 details 里缺少 {name}：{detail.form}")
        for name, detail in wanted.items()
        if detail.required and name not in details
    ]
    for name, value in details.items():
        if name not in wanted:
            listed = f"可用：{'、'.join(wanted)}" if wanted else "这类事件没有附加信息，请去掉"
            found.append((f"details.{name}", f"{kind} 事件的 details 里没有 {name} 这一项，{listed}"))
        elif not wanted[name].fits(value):
            found.append((f"details.{name}", f"{name} 应是{wanted[name].form}"))
    return found
