"""Why an outcome is unknown and what happens next, in words."""

from datetime import datetime
from enum import StrEnum

from channels.base import DeliveryClass
from outreach.clock import in_beijing
from outreach.ledger.kinds import Lane

CHANNELS = {
    "sms": "短信",
    "rcs": "5G 消息",
    "wechat": "微信",
    "email": "邮件",
    "wecom": "企业微信",
    "dingtalk": "钉钉",
}
_CERTAIN = (Lane.URGENT.number, Lane.STATUTORY.number)


class Reason(StrEnum):
    """Why nobody can tell, told by the last word of the gateway or of the connection."""

    TIMEOUT = "timeout"
    RESET = "reset"
    SERVER = "server"
    UNREADABLE = "unreadable"
    CRASH = "crash"
    MOVED = "moved"
    OTHER = "other"

    @property
    def word(self) -> str:
        """Two to six characters for a filter."""
        return _WORDS[self][0]

    def sentence(self, code: str | None) -> str:
        """What happened, with the code for support."""
        return _WORDS[self][1] + (f"（{code}）" if code else "")


_WORDS = {
    Reason.TIMEOUT: ("超时", "提交后在时限内没有收到网关的答复"),
    Reason.RESET: ("连接中断", "提交途中连接断开，不知道网关是否已收下"),
    Reason.SERVER: ("网关内部错误", "网关报告内部错误，可能已收下"),
    Reason.UNREADABLE: ("答复无法识别", "网关的答复不完整或无法识别"),
    Reason.CRASH: ("进程中断", "发送进程在提交途中中断"),
    Reason.MOVED: ("号码已变更", "结果不明期间联系方式变了，不能再用原编号核实"),
    Reason.OTHER: ("答复不确定", "网关没有给出明确答复"),
}
_UNREADABLE = ("unreadable", "partial", "no errcode", "adapter_error", "the answer is too long", "http_")
_LATE = ("timeout", "timed out", "in time", "time-out")
_BROKEN = ("connect", "reset", "closed", "lost", "hung up", "eof", "readerror", "writeerror", "requesterror")


def reason_of(code: str | None) -> Reason:
    """The reason behind a code: the adapters' own words, a status of HTTP, a class of connection error."""
    if code is None:
        return Reason.CRASH
    low = code.lower()
    if low == "address_changed":
        return Reason.MOVED
    if any(word in low for word in _LATE):
        return Reason.TIMEOUT
    if low.startswith("http_5"):
        return Reason.SERVER
    if low.startswith(_UNREADABLE):
        return Reason.UNREADABLE
    return Reason.RESET if any(word in low for word in _BROKEN) else Reason.OTHER


def next_step(
    delivery_class: DeliveryClass,
    *,
    rests: float | None,
    deadline: datetime,
    is_overdue: bool,
    lane: int,
    next_channel: str,
) -> str:
    """What happens to it next. `rests`: seconds until it is looked into, None if it is not; `next_channel`:
    the rung below that reaches the person, empty for none."""
    if rests is not None:
        wait = f"约 {max(1, round(rests / 60))} 分钟后" if rests > 0 else "即将"
        if delivery_class is DeliveryClass.IDEMPOTENT:
            return f"{wait}用同一编号重发，网关认得这个编号，不会发出第二条"
        return f"{wait}向网关核实，核实前不会重发"
    then = _in_the_end(lane, next_channel)
    if is_overdue:
        return f"回执期限已过；{then}"
    until = f"等回执到 {in_beijing(deadline):%Y-%m-%d %H:%M}"
    if delivery_class is DeliveryClass.BLIND:
        until = f"网关不能查询、回执也不带编号，无从核实；保留到 {in_beijing(deadline):%Y-%m-%d %H:%M}"
    return f"{until}，系统不会重发；到期{then}"


def _in_the_end(lane: int, next_channel: str) -> str:
    if lane in _CERTAIN and next_channel:
        return f"改走{next_channel}，因为法定提醒必须送到"
    if lane in _CERTAIN:
        return "由人处理，可电话或上门，因为法定提醒必须送到"
    return "保持未知，由人决定"
