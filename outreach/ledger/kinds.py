"""The seventeen kinds of message (domain requirement 1.8): the kind decides consent, quiet hours, lane.

Sources: 《通信短信息服务管理规定》 (工信部令第31号) for refusal and quiet hours; a statutory reminder reaches
also those who refused publicity, and is neither held out for measurement nor stopped by a quota. What can be
refused has a topic (labels.keys.TOPICS) by which it can also be refused alone.
"""

from dataclasses import dataclass
from datetime import time
from enum import StrEnum


class Lane(StrEnum):
    """Which senders and tokens a message may use, in order of urgency."""

    URGENT = "urgent"
    STATUTORY = "statutory"
    REMINDER = "reminder"
    BULK = "bulk"

    @property
    def number(self) -> int:
        """As stored in batch.lane: 1 is the most urgent."""
        return list(Lane).index(self) + 1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind's Chinese name and rules. `topic` is empty where nothing can be refused; `quiet` is the part of
    the day in which nothing is sent."""

    name: str
    lane: Lane
    topic: str
    quiet: tuple[time, time] | None
    may_hold_out: bool
    under_quota: bool

    @property
    def honours_opt_out(self) -> bool:
        """Whether it is publicity, which stops for whoever refused it."""
        return bool(self.topic)


_PUBLICITY_QUIET = (time(21), time(8))
_REMINDER_QUIET = (time(22), time(8))


def _publicity(name: str, topic: str) -> Kind:
    return Kind(name, Lane.BULK, topic, _PUBLICITY_QUIET, True, True)


def _reminder(name: str) -> Kind:
    return Kind(name, Lane.REMINDER, "topic:reminder", _REMINDER_QUIET, True, True)


def _statutory(name: str) -> Kind:
    return Kind(name, Lane.STATUTORY, "", _REMINDER_QUIET, False, False)


def _answer(name: str) -> Kind:
    return Kind(name, Lane.STATUTORY, "", _REMINDER_QUIET, False, False)


KINDS: dict[str, Kind] = {
    "policy_push": _publicity("政策推送", "topic:policy"),
    "do_it_reminder": _reminder("办理提醒"),
    "statutory_deadline": _statutory("法定期限提醒"),
    "overdue": _statutory("逾期提示提醒"),
    "correct_it": _statutory("疑点更正提醒"),
    "arrived": _answer("享受到账通知"),
    "bill": _publicity("账单与政策大礼包", "topic:bill"),
    "survey": _publicity("调查问卷", "topic:survey"),
    "rating": _publicity("评价邀请", "topic:survey"),
    "ticket_progress": _answer("工单进展"),
    "invitation": _publicity("预约与培训邀请", "topic:training"),
    "confirmation": _reminder("确认请求"),
    "warning_case": _publicity("警示案例", "topic:policy"),
    "emergency": Kind("应急通知", Lane.URGENT, "", None, False, False),
    "document_served": _statutory("文书送达提醒"),
    "staff_notice": Kind("内部通知", Lane.REMINDER, "", _REMINDER_QUIET, False, False),
    "report_due": Kind("报送提醒", Lane.REMINDER, "", _REMINDER_QUIET, False, False),
}
