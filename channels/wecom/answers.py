"""What the platform's `errcode` means for a message. Protocol sheet section 6."""

from datetime import timedelta

from channels.base import SendResult, accepted, refused, unknown
from channels.errors import Fault, GatewayError
from channels.token_client import Answer

_STALE = frozenset({40014, 42001})
_PAUSES = {45009: timedelta(minutes=1), 45033: timedelta(seconds=5)}

FAULTS = {
    40001: Fault.UNAUTHORIZED,
    40014: Fault.UNAUTHORIZED,
    41001: Fault.UNAUTHORIZED,
    42001: Fault.UNAUTHORIZED,
    40013: Fault.MISCONFIGURED,
    40056: Fault.MISCONFIGURED,
    48002: Fault.MISCONFIGURED,
    60011: Fault.MISCONFIGURED,
    60020: Fault.MISCONFIGURED,
    301002: Fault.MISCONFIGURED,
    45009: Fault.THROTTLED,
    45033: Fault.THROTTLED,
    40003: Fault.INVALID_ADDRESS,
    40031: Fault.INVALID_ADDRESS,
    40032: Fault.INVALID_ADDRESS,
    60111: Fault.INVALID_ADDRESS,
    81013: Fault.INVALID_ADDRESS,
    40008: Fault.REJECTED,
    40033: Fault.REJECTED,
    40035: Fault.REJECTED,
    40058: Fault.REJECTED,
    44004: Fault.REJECTED,
    45002: Fault.REJECTED,
}
"""Codes that certainly mean "not accepted". -1 (system busy) is not among them: it may strike after
acceptance."""

_CHINESE = {
    40001: "应用 Secret 不正确",
    40013: "企业 ID（CorpID）不正确",
    40056: "应用 AgentId 不正确",
    48002: "该应用没有调用此接口的权限",
    60011: "该应用没有权限，请检查可见范围",
    60020: "本机出口 IP 不在应用的“企业可信IP”中",
    301002: "该 Secret 无权使用此应用（AgentId 与 Secret 不属于同一应用）",
    45009: "接口调用过于频繁，请一分钟后再试",
    45033: "同时调用的请求过多",
}


def is_stale(answer: Answer) -> bool:
    """Whether the access token is not valid (any more): fetch it again and try once more."""
    return answer.errcode in _STALE


def explain(answer: Answer) -> GatewayError:
    """A refusal outside of sending, in words for staff."""
    fault = Fault.UNREACHABLE if answer.errcode == -1 else FAULTS.get(answer.errcode, Fault.MISCONFIGURED)
    told = _CHINESE.get(answer.errcode, "企业微信拒绝了请求")
    return GatewayError(fault, f"{told}（错误码 {answer.errcode}）", str(answer.errcode))


def result_of(key: str, address: str, answer: Answer) -> SendResult:
    """What the answer to a send means for the message to `address`."""
    if answer.errcode == 0:
        # Without the word errcode it is somebody else's JSON, such as a proxy's.
        if "errcode" not in answer.fields:
            return unknown(key, "no errcode")
        # A success may name those of the receivers that it was not sent to.
        if _names(answer, "invaliduser", address):
            return refused(key, Fault.INVALID_ADDRESS, "invaliduser")
        if _names(answer, "unlicenseduser", address):
            return refused(key, Fault.UNSUPPORTED, "unlicenseduser")
        return accepted(key, str(answer.fields.get("msgid", "")))
    fault = FAULTS.get(answer.errcode)
    if fault is None:
        return unknown(key, str(answer.errcode))
    return refused(key, fault, str(answer.errcode), _PAUSES.get(answer.errcode))


def _names(answer: Answer, field: str, address: str) -> bool:
    # The platform answers in lower case whatever the case of the request was.
    listed = answer.fields.get(field)
    return isinstance(listed, str) and address.lower() in listed.lower().split("|")
