"""What a trigger round waits for: a kind of event, a condition on it, and how often one may be answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outreach.errors import InvalidInput

EVENTS = {
    "page_stay": "办税页面停留过久",
    "first_invoice": "首次开票",
    "refund_failed": "退税未成功",
    "refund_done": "退税到账",
    "credit_changed": "信用等级下降",
    "deferral_maturing": "缓缴即将到期",
    "yearly_bill_ready": "年度账单有新版",
    "benefit_bill_ready": "红利账单有新版",
    "gift_pack_ready": "政策大礼包有新版",
    "checkup_ready": "体检报告有新版",
}
"""The types of event that a round may wait for, and what staff read. Of changed grades only falls count."""

ONCE = {"session": "同一次会话", "taxpayer": "同一户", "event": "每个事件"}
"""For what only one message is sent."""

STAY_SECONDS = 180
"""The limit of a stay unless another is laid down (requirement 002-27: more than three minutes)."""

_LONGEST_STAY = 86_400
_MOST_DAYS = 3_660
_LONGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class Trigger:
    """`once`: of `ONCE`; `days`: within how many days a household counts as the same, 0 for ever. Of a page
    stay: strictly more than `seconds`, and only on `page` if one is named."""

    event: str
    once: str = "event"
    days: int = 0
    seconds: int = STAY_SECONDS
    page: str = ""


def check_trigger(trigger: Trigger, place: str) -> None:
    """Raises InvalidInput at the part below `place` that is wrong."""
    if trigger.event not in EVENTS:
        raise InvalidInput(
            f"触发轮没有事件 {trigger.event}，可用：{'、'.join(EVENTS)}", field=f"{place}.event"
        )
    if trigger.once not in ONCE:
        raise InvalidInput(f"触发轮的次数只能按：{'、'.join(ONCE)}", field=f"{place}.once")
    if trigger.once == "session" and trigger.event != "page_stay":
        raise InvalidInput("只有页面停留事件带会话，其他事件请按户或按事件计次", field=f"{place}.once")
    if not 0 <= trigger.days <= _MOST_DAYS:
        raise InvalidInput(
            f"同一户的间隔天数应在 0 到 {_MOST_DAYS:,} 之间，0 表示只发一次", field=f"{place}.days"
        )
    if not 1 <= trigger.seconds <= _LONGEST_STAY:
        raise InvalidInput(f"停留秒数应在 1 到 {_LONGEST_STAY:,} 之间", field=f"{place}.seconds")
    if len(trigger.page) > _LONGEST_PAGE:
        raise InvalidInput(f"页面编码最多 {_LONGEST_PAGE} 个字", field=f"{place}.page")


def write_trigger(trigger: Trigger | None) -> dict[str, Any] | None:
    """As it is stored, covered by an approval and shown by the API: only what it uses."""
    if trigger is None:
        return None
    told: dict[str, Any] = {"event": trigger.event, "once": trigger.once}
    if trigger.once == "taxpayer":
        told["days"] = trigger.days
    if trigger.event == "page_stay":
        told |= {"seconds": trigger.seconds, "page": trigger.page}
    return told


def read_trigger(stored: Mapping[str, Any] | None) -> Trigger | None:
    """What `write_trigger` has written."""
    return Trigger(**stored) if stored else None


def trigger_words(trigger: Trigger) -> str:
    """One sentence for staff."""
    what = EVENTS.get(trigger.event, trigger.event)
    if trigger.event == "page_stay":
        where = f"页面「{trigger.page}」" if trigger.page else "任一办税页面"
        what = f"在{where}停留超过 {trigger.seconds} 秒"
    often = {"session": "同一次会话只发一条", "event": "每个事件发一条"}.get(trigger.once)
    if often is None:
        often = f"同一户 {trigger.days} 天内只发一条" if trigger.days else "同一户只发一条"
    return f"{what}；{often}"
