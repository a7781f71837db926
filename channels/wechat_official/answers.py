"""What the platform's `errcode` means for a message. Protocol sheet section 6."""

import re
from datetime import datetime, timedelta, timezone

from channels.base import SendResult, accepted, refused, unknown
from channels.errors import Fault, GatewayError
from channels.token_client import Answer

_STALE = frozenset({40001, 40014, 42001})

CHINA = timezone(timedelta(hours=8))
_MINUTE = timedelta(minutes=1)
_FIELD = re.compile(r"data\.(\w{1,40})\.value")

FAULTS = {
    40001: Fault.UNAUTHORIZED,
    40014: Fault.UNAUTHORIZED,
    42001: Fault.UNAUTHORIZED,
    41001: Fault.UNAUTHORIZED,
    40125: Fault.UNAUTHORIZED,
    40013: Fault.MISCONFIGURED,
    40164: Fault.MISCONFIGURED,
    61004: Fault.MISCONFIGURED,
    48001: Fault.MISCONFIGURED,
    48004: Fault.MISCONFIGURED,
    43106: Fault.MISCONFIGURED,
    45026: Fault.MISCONFIGURED,
    45011: Fault.THROTTLED,
    45009: Fault.THROTTLED,
    45028: Fault.THROTTLED,
    40029: Fault.REJECTED,
    40163: Fault.REJECTED,
    40003: Fault.INVALID_ADDRESS,
    50002: Fault.INVALID_ADDRESS,
    50005: Fault.INVALID_ADDRESS,
    43004: Fault.OPTED_OUT,
    43019: Fault.OPTED_OUT,
    43101: Fault.OPTED_OUT,
    40036: Fault.REJECTED,
    40037: Fault.REJECTED,
    41030: Fault.REJECTED,
    47001: Fault.REJECTED,
    47003: Fault.REJECTED,
    40249: Fault.REJECTED,
}
"""Codes that certainly mean "not accepted". -1 (system busy) is not among them: it may strike after
acceptance, and because the platform de-duplicates our key a second try does no harm."""

_CHINESE = {
    40001: "AppSecret 错误，或 access_token 已失效",
    40013: "AppID 不正确",
    40029: "网页授权码无效或已过期",
    40125: "AppSecret 不正确",
    40163: "网页授权码已经用过",
    40164: "本机出口 IP 不在公众平台的 IP 白名单中",
    61004: "本机出口 IP 不在公众平台的 IP 白名单中",
    48001: "该公众号没有模板消息接口权限",
    48004: "接口已被公众平台封禁",
    45009: "当日调用次数已用完，次日零点恢复，或在公众平台清零",
    45011: "调用过于频繁，请一分钟后再试",
    50002: "账号受限",
}


def is_stale(answer: Answer) -> bool:
    """Whether the access token is not valid (any more): fetch another one and try once more."""
    return answer.errcode in _STALE


def result_of(key: str, answer: Answer, now: datetime) -> SendResult:
    """What the answer to a send means for its message. `now` is aware."""
    if answer.errcode == 0:
        # Without the word errcode it is somebody else's JSON, such as a proxy's.
        told = "errcode" in answer.fields
        return accepted(key, str(answer.fields.get("msgid", ""))) if told else unknown(key, "no errcode")
    fault = FAULTS.get(answer.errcode)
    if fault is None:
        return unknown(key, str(answer.errcode))
    return refused(key, fault, _code(answer), retry_after(answer.errcode, now))


def explain(answer: Answer) -> GatewayError:
    """A refusal outside of sending, in words for staff."""
    fault = Fault.UNREACHABLE if answer.errcode == -1 else FAULTS.get(answer.errcode, Fault.MISCONFIGURED)
    told = _CHINESE.get(answer.errcode, "公众平台拒绝了请求")
    return GatewayError(fault, f"{told}（错误码 {answer.errcode}）", str(answer.errcode))


def retry_after(errcode: int, now: datetime) -> timedelta | None:
    """How long a throttled account must wait: a minute, or until midnight in China for a day's quota."""
    if errcode == 45011:
        return _MINUTE
    if errcode in (45009, 45028):
        local = now.astimezone(CHINA)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return midnight - local
    return None


def _code(answer: Answer) -> str:
    named = _FIELD.search(answer.errmsg) if answer.errcode == 47003 else None
    return f"{answer.errcode}:{named[1]}" if named else str(answer.errcode)
